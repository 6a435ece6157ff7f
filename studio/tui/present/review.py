"""The change set as the diff view's data, decisions to the line, and the verdict on what would land."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import msgspec

from studio.tui.present.text import money, plural
from widgets.diff_data import DiffFile, DiffHunk, DiffLine, DiffMark, DiffRemark

if TYPE_CHECKING:
    from studio.domain.changes import ChangeSet, FileChange, Hunk, Landing
    from studio.domain.checks import SubsetVerdict
    from studio.domain.state import RunState

__all__ = [
    "Said",
    "choose_lines",
    "counts",
    "diff_files",
    "diff_marks",
    "diff_remarks",
    "landed",
    "landing_said",
    "new_side",
    "verdict",
]

SURE = {"exact", "trailing-space", "whole-file", "lines", "person", "unknown"}
"""Match kinds that need no second look."""


def diff_files(changes: ChangeSet) -> tuple[DiffFile, ...]:
    """Return the change set's files."""
    return tuple(
        DiffFile(
            file.path,
            str(file.kind),
            tuple(_hunk(file, hunk) for hunk in file.hunks),
            file.old_path if file.old_path != file.path else "",
        )
        for file in changes.files
    )


def _hunk(file: FileChange, hunk: Hunk) -> DiffHunk:
    return DiffHunk(
        key=hunk.id,
        old_start=hunk.old_start,
        old_count=hunk.old_count,
        new_start=hunk.new_start,
        new_count=hunk.new_count,
        lines=tuple(DiffLine(line.op, line.text, line.newline) for line in hunk.lines),
        match="" if hunk.match == "unknown" else str(hunk.match),
        loose=hunk.match not in SURE,
        origin=_origin(hunk),
        note="" if hunk.lines else _note(file),
    )


def _origin(hunk: Hunk) -> str:
    why = hunk.provenance
    parts = [" ".join(why.requirements), why.task, why.role, why.model, money(why.cost_usd)]
    if why.tests:
        parts.append(f"run by {plural(len(why.tests), 'test')}")
    return " · ".join(part for part in parts if part)


def _note(file: FileChange) -> str:
    if file.kind == "mode":
        return f"mode {file.old_mode} → {file.new_mode}"
    if file.kind == "renamed":
        return f"renamed from {file.old_path}"
    if file.kind == "binary":
        return "binary file: taken or left as a whole"
    return f"{file.kind}, without text"


def diff_marks(run: RunState) -> dict[str, DiffMark]:
    """Return the decisions by hunk."""
    marks: dict[str, DiffMark] = {}
    for hunk, decided in run.decisions.items():
        decision = decided.decision
        lines = frozenset(decision.lines) if decision.lines else None
        marks[hunk] = DiffMark(str(decision.verdict), lines, decided.by, decision.comment)
    return marks


def diff_remarks(run: RunState) -> dict[str, tuple[DiffRemark, ...]]:
    """Return the remarks by hunk."""
    found: dict[str, tuple[DiffRemark, ...]] = {}
    for remark in run.remarks:
        said = DiffRemark(remark.author, remark.text, remark.line, remark.severity)
        found[remark.hunk] = (*found.get(remark.hunk, ()), said)
    return found


def choose_lines(hunk: DiffHunk, mark: DiffMark, chosen: Collection[int], *, take: bool) -> tuple[str, tuple[int, ...]]:
    """Return the verdict and the taken lines after taking, or leaving, `chosen` lines of a hunk.

    Taking lines of an undecided or rejected hunk takes just those; leaving lines of an undecided or accepted one takes
    the others. All lines taken is accepted without a list; none is rejected.
    """
    changed = {at for at, line in enumerate(hunk.lines) if line.op != " "}
    before: set[int] = set()
    if mark.state == "accepted":
        before = set(mark.lines) if mark.lines is not None else set(changed)
    elif mark.state == "undecided" and not take:
        before = set(changed)
    after = (before | set(chosen)) & changed if take else before - set(chosen)
    if not after:
        return "rejected", ()
    return "accepted", () if after == changed else tuple(sorted(after))


def new_side(hunk: DiffHunk) -> str:
    """Return the hunk's new side as text."""
    return "".join(line.text + "\n" * line.newline for line in hunk.lines if line.op != "-")


def counts(run: RunState, changes: ChangeSet | None) -> str:
    """Return how far the review is: `3 accepted · 1 rejected · 4 to decide`."""
    ids = [hunk.id for file in changes.files for hunk in file.hunks] if changes else []
    states = [str(run.decisions[id_].decision.verdict) if id_ in run.decisions else "undecided" for id_ in ids]
    names = {"accepted": "accepted", "edited": "edited", "rejected": "rejected", "undecided": "to decide"}
    return " · ".join(f"{states.count(state)} {name}" for state, name in names.items() if state in states)


def landed(landing: Landing) -> str:
    """Return what a landing wrote and where: `3 files in the working tree`, `2 files as commit 1a2b3c4d5e`."""
    files = plural(len(landing.files), "file")
    target = landing.target
    if landing.commit:
        on = f" on {target.branch}" if target.branch else ""
        return f"{files} as commit {landing.commit[:10]}{on}"
    return f"{files} in the {'index' if target.kind == 'index' else 'working tree'}"


def landing_said(run: RunState) -> str:
    """Return how the last landing stands: `landed 3 files in the working tree`, `undone`; nothing if there is none."""
    if not run.landings:
        return ""
    last = run.landings[-1]
    undone = {landing.id for landing in run.landings if landing.undoes}
    if not last.undoes:
        return f"landed {landed(last)}"
    return f"landed again: {landed(last)}" if last.undoes in undone else "landing undone"


class Said(msgspec.Struct, frozen=True):
    """A verdict in words: `count` is what it is on, `text` what it says."""

    count: str = ""
    text: str = ""
    tone: str = "soft"
    short: str = ""

    @property
    def whole(self) -> str:
        """Both in one line."""
        return f"{self.count}: {self.text}" if self.count else ""


def verdict(run: RunState, changes: ChangeSet | None) -> Said:
    """Return the verdict on exactly what would land now; a verdict on other decisions is called stale."""
    taken = {str(id_) for id_, decided in run.decisions.items() if decided.decision.verdict in {"accepted", "edited"}}
    if not taken:
        return Said()
    count = f"{len(taken)} accepted"
    subset = run.subset
    if subset is None:
        return Said(count, "not checked yet", "waiting", f"… {count}")
    from studio.protocol.digest import decisions_digest

    if subset.decisions != decisions_digest(decided.decision for decided in run.decisions.values()):
        return Said(count, "verdict stale, checking again", "waiting", f"… {count}")
    if subset.problem:
        return Said(count, f"✗ {subset.problem}", "failed", f"✗ {count}")
    return _of_results(count, subset, changes)


def _of_results(count: str, subset: SubsetVerdict, changes: ChangeSet | None) -> Said:
    failed = [result.check for result in subset.results if result.outcome == "failed"]
    passed = [result.check for result in subset.results if result.outcome == "passed"]
    if failed:
        needs = f", needs {_places(changes, subset.needs)}" if subset.needs else ""
        return Said(count, f"✗ {', '.join(failed)} failed{needs}", "failed", f"✗ {count}")
    if not passed:
        return Said(count, "- no check ran", "waiting", f"… {count}")
    skipped = [result.check for result in subset.results if result.outcome == "not-run"]
    said = f"{', '.join(passed)} pass" if skipped or subset.tier != "tests" else f"all {len(passed)} checks pass"
    return Said(count, f"✓ {said}", "done", f"✓ {count}")


def _places(changes: ChangeSet | None, needed: Collection[str]) -> str:
    known = {hunk.id: hunk for file in changes.files for hunk in file.hunks} if changes else {}
    names = [f"{known[id_].path}:{known[id_].new_start}" if id_ in known else id_ for id_ in needed]  # pyright: ignore[reportArgumentType] ids as text
    return ", ".join(names)
