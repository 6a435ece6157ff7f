"""From decisions to content: what the accepted part of a change set makes of each file.

The rules are lazygit's: an unselected `-` becomes context, an unselected `+` is dropped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from studio.domain.changes import ChangeKind, ChangeSet, Decision, FileChange, Hunk, Verdict
from studio.domain.errors import UsageError
from studio.domain.ids import HunkId
from studio.workspace.lines import join_lines, split_lines
from studio.workspace.store import Store

__all__ = ["accepted_hunks", "all_accepted", "replacement", "subset_tree"]

_TAKEN = frozenset({Verdict.ACCEPTED, Verdict.EDITED})


def all_accepted(changes: ChangeSet) -> dict[str, Decision]:
    """Return decisions that accept everything."""
    return {hunk.id: Decision(hunk.id, Verdict.ACCEPTED) for file in changes.files for hunk in file.hunks}


def accepted_hunks(changes: ChangeSet, decisions: Mapping[str, Decision]) -> tuple[HunkId, ...]:
    """Return the hunks that decisions accept, in the order of the change set.

    Raises:
        UsageError: a decision about an unknown hunk, an unknown line, or an edit of a change without text.

    """
    hunks = {hunk.id: hunk for file in changes.files for hunk in file.hunks}
    for name, decision in decisions.items():
        hunk = hunks.get(HunkId(name))
        if hunk is None:
            raise UsageError(
                f"There is no hunk {name} in this change set.", "List its hunks with `studio changes RUN`."
            )
        if any(not 0 <= line < len(hunk.lines) for line in decision.lines):
            raise UsageError(f"Hunk {name} has {len(hunk.lines)} lines, numbered from 0.", "Choose lines it has.")
        if decision.verdict is Verdict.EDITED and not hunk.lines:
            raise UsageError(f"Hunk {name} has no text to edit.", "Accept or reject it as a whole.")
    return tuple(name for name in hunks if name in decisions and decisions[name].verdict in _TAKEN)


def subset_tree(store: Store, changes: ChangeSet, decisions: Mapping[str, Decision]) -> str:
    """Return the base tree plus what is accepted."""
    taken = set(accepted_hunks(changes, decisions))
    chosen = [file for file in changes.files if taken.intersection(hunk.id for hunk in file.hunks)]
    if not chosen:
        return changes.base_tree
    if all(hunk.id in taken and _is_all(hunk, decisions[hunk.id]) for file in changes.files for hunk in file.hunks):
        return changes.head_tree
    rewritten = [file for file in chosen if not _is_whole(file, decisions, taken)]
    base = store.blobs(file.old_blob for file in rewritten if file.old_blob)
    contents = [_content(file, base.get(file.old_blob, b""), decisions, taken) for file in rewritten]
    blobs = iter(store.put_blobs([content for content in contents if content is not None]))
    written = {
        file.path: None if content is None else next(blobs) for file, content in zip(rewritten, contents, strict=True)
    }
    return store.overlay(changes.base_tree, _entries(chosen, written, taken))


def _entries(
    chosen: Sequence[FileChange], written: Mapping[str, str | None], taken: set[HunkId]
) -> dict[str, tuple[str, str] | None]:
    entries: dict[str, tuple[str, str] | None] = {}
    for file in chosen:
        blob = written.get(file.path, file.new_blob)
        whole = [hunk for hunk in file.hunks if not hunk.lines]
        moved = all(hunk.id in taken for hunk in whole)
        path = file.path if moved else file.old_path or file.path
        if moved and file.kind is ChangeKind.RENAMED:
            entries[file.old_path] = None
        mode = (file.new_mode or file.old_mode) if moved else file.old_mode
        entries[path] = (mode, blob) if blob else None
    return entries


def _is_all(hunk: Hunk, decision: Decision) -> bool:
    every = {place for place, line in enumerate(hunk.lines) if line.op != " "}
    return decision.verdict is Verdict.ACCEPTED and (not decision.lines or every <= set(decision.lines))


def _is_whole(file: FileChange, decisions: Mapping[str, Decision], taken: set[HunkId]) -> bool:
    """Whether the file ends as in the head: every hunk with text is taken with all of its lines."""
    textual = [hunk for hunk in file.hunks if hunk.lines]
    return all(hunk.id in taken and _is_all(hunk, decisions[hunk.id]) for hunk in textual)


def _content(file: FileChange, base: bytes, decisions: Mapping[str, Decision], taken: set[HunkId]) -> bytes | None:
    """Return the bytes of a file whose hunks are taken in part; None if nothing is left of a deleted one."""
    old = split_lines(base)
    lines: list[bytes] = []
    place = 0
    for hunk in file.hunks:
        if hunk.id not in taken or not hunk.lines:
            continue
        start = hunk.old_start - 1 if hunk.old_count else hunk.old_start
        lines += old[place:start]
        lines += replacement(hunk, decisions[hunk.id], file.encoding)
        place = start + hunk.old_count
    lines += old[place:]
    if not lines and file.kind is ChangeKind.DELETED:
        return None
    return join_lines(lines)


def replacement(hunk: Hunk, decision: Decision, encoding: str) -> list[bytes]:
    """Return the lines that a decision puts in the place of a hunk's old side.

    Raises:
        UsageError: an edit that the file's encoding cannot hold.

    """
    if decision.verdict is Verdict.EDITED:
        try:
            return split_lines(decision.text.encode(encoding))
        except UnicodeEncodeError as error:
            raise UsageError(
                f"The edit of {hunk.id} has characters that {hunk.path} cannot hold: it is not UTF-8.",
                "Use characters of Latin-1, or convert the file first.",
            ) from error
    chosen = set(decision.lines) if decision.lines else set(range(len(hunk.lines)))
    kept = (
        line
        for place, line in enumerate(hunk.lines)
        if line.op == " " or (line.op == "-" and place not in chosen) or (line.op == "+" and place in chosen)
    )
    return [line.text.encode(encoding) + (b"\n" if line.newline else b"") for line in kept]
