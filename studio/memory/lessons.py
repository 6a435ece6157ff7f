"""What is learned, as pure functions from what happened to items: ids are derived, so learning twice adds nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import msgspec

from studio.domain.brief import Brief
from studio.domain.changes import ChangeSet, Decision, Hunk, Verdict
from studio.domain.ids import LandingId, RunId, short_digest
from studio.domain.memory import Collection, MemoryItem, MemoryState
from studio.domain.plan import Plan
from studio.domain.runs import RunStatus
from studio.ports.engine import Symbol

__all__ = ["brief_lesson", "code_lessons", "decision_lessons", "fact", "failure_lesson", "retracted"]

DAY = 86_400.0
FAILURE_DAYS = 180
MAX_TEXT = 2_000


def decision_lessons(
    changes: ChangeSet,
    decisions: Mapping[str, Decision],
    project: str,
    now: float,
    landing: LandingId | None = None,
    private: Callable[[str], bool] = lambda _: False,
) -> list[MemoryItem]:
    """Return an item for each decided hunk: what was taken, or refused and why; `private` paths teach nothing."""
    items: list[MemoryItem] = []
    for file in changes.files:
        if private(file.path):
            continue
        for hunk in file.hunks:
            decision = decisions.get(hunk.id)
            if decision is None or decision.verdict is Verdict.UNDECIDED:
                continue
            source = (
                f"landing {landing}" if landing and decision.verdict is not Verdict.REJECTED else f"run {changes.run}"
            )
            items.append(
                MemoryItem(
                    short_digest("m", "decision", project, changes.run, hunk.id),
                    Collection.DECISIONS,
                    _decision_text(hunk, decision),
                    project,
                    source,
                    created=now,
                    tags=(hunk.path, decision.verdict.value),
                )
            )
    return items


def _decision_text(hunk: Hunk, decision: Decision) -> str:
    comment = f": {decision.comment.strip()}" if decision.comment.strip() else ""
    lines = "\n".join(f"{line.op}{line.text}" for line in hunk.lines if line.op != " ")
    text = f"A person {decision.verdict.value} this change in {hunk.path}{comment}\n{lines}"
    if decision.verdict is Verdict.EDITED:
        text += f"\nand wrote instead:\n{decision.text}"
    return text[:MAX_TEXT]


def code_lessons(
    path: str, symbols: Iterable[Symbol], text: str, project: str, now: float, landing: LandingId
) -> list[MemoryItem]:
    """Return an item for each top-level definition of a landed file; landing the file again replaces them."""
    lines = text.splitlines()
    items: list[MemoryItem] = []
    covered = 0
    for symbol in sorted(symbols, key=lambda symbol: (symbol.start_line, -symbol.end_line)):
        if symbol.start_line <= covered:
            continue
        covered = symbol.end_line
        body = "\n".join(lines[symbol.start_line - 1 : symbol.end_line])
        items.append(
            MemoryItem(
                short_digest("m", "code", project, path, symbol.name),
                Collection.CODE,
                f"{symbol.kind} {symbol.name} in {path}\n{body}"[:MAX_TEXT],
                project,
                f"landing {landing}",
                created=now,
                tags=(path, symbol.name),
            )
        )
    return items


def failure_lesson(failure: str, repair: str, project: str, now: float, run: RunId) -> MemoryItem:
    """Return the repair that made a normalised failure go away; a later repair of the same failure replaces it."""
    return MemoryItem(
        short_digest("m", "failure", project, failure),
        Collection.FAILURES,
        f"{failure[: MAX_TEXT // 2]}\n\nRepaired by:\n{repair[: MAX_TEXT // 2]}",
        project,
        f"run {run}",
        created=now,
        expires=now + FAILURE_DAYS * DAY,
    )


def brief_lesson(
    brief: Brief, plan: Plan, status: RunStatus, accepted: float, project: str, now: float, run: RunId
) -> MemoryItem:
    """Return what became of a brief; a later run of the same revision replaces it. `accepted` is a share of hunks."""
    tasks = "\n".join(f"- {task.title}" for task in plan.tasks)
    text = f"{brief.title}\n{brief.body.strip()[: MAX_TEXT // 2]}\n\nPlan:\n{tasks}\n\nEnded {status.value}; {accepted:.0%} accepted."
    return MemoryItem(
        short_digest("m", "brief", project, brief.name, brief.revision),
        Collection.BRIEFS,
        text[:MAX_TEXT],
        project,
        f"run {run}",
        created=now,
        tags=(brief.name, brief.title),
    )


def fact(text: str, person: str, project: str, now: float, tags: tuple[str, ...] = ()) -> MemoryItem:
    """Return a fact a person wrote."""
    clean = text.strip()
    return MemoryItem(
        short_digest("m", "fact", project, clean),
        Collection.FACTS,
        clean[: 10 * MAX_TEXT],
        project,
        f"person {person}",
        created=now,
        tags=tags,
    )


def retracted(item: MemoryItem) -> MemoryItem:
    """Return the item as one that is never recalled again: what a rejected or undone change taught."""
    return msgspec.structs.replace(item, state=MemoryState.RETRACTED)
