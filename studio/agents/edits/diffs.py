"""Unified diffs as models write them: hunks read by their counts, and by their borders where the counts are wrong."""

from __future__ import annotations

import re
from collections.abc import Sequence

from studio.domain.edits import DeleteFile, Edit, PatchEdit, PatchHunk, RenameFile
from studio.domain.value import Value

__all__ = ["Diff", "diff_starts", "read_diff"]

_HUNK = re.compile(r"^@@(?:\s*-(\d{1,9})(?:,(\d{1,9}))?\s+\+(\d{1,9})(?:,(\d{1,9}))?)?.*?(?:@@.*)?$")
_META = (
    "index ",
    "new file mode",
    "old mode",
    "new mode",
    "similarity index",
    "dissimilarity index",
    "deleted file mode",
)
_NULL = "/dev/null"


class Diff(Value, frozen=True):
    """The diff of one file, and the line after it."""

    end: int
    edits: tuple[Edit, ...] = ()
    problem: str = ""


class _Header(Value, frozen=True):
    at: int
    old: str = ""
    new: str = ""
    renamed: bool = False
    problem: str = ""


def diff_starts(lines: Sequence[str], at: int) -> bool:
    """Whether the diff of a file begins at line `at`."""
    line = lines[at]
    if line.startswith("diff --git "):
        return True
    return line.startswith("--- ") and at + 1 < len(lines) and lines[at + 1].startswith("+++ ")


def read_diff(lines: Sequence[str], at: int, limit: int, path: str = "") -> Diff:
    """Read the diff of one file that begins at line `at`; with `path`, its hunks begin there without a header."""
    head = _Header(at, path, path) if path else _header(lines, at, limit)
    if head.problem:
        return Diff(max(head.at, at + 1), problem=f"Line {at + 1} of your reply: {head.problem}.")
    hunks: list[PatchHunk] = []
    position = head.at
    while position < limit and lines[position].startswith("@@"):
        position, hunk, problem = _hunk(lines, position, limit)
        if problem:
            return Diff(limit, problem=problem)
        hunks.append(hunk)
        while position < limit and not lines[position].strip():
            position += 1
    return _as_edits(head, tuple(hunks), at, max(position, at + 1))


def _as_edits(head: _Header, hunks: tuple[PatchHunk, ...], at: int, end: int) -> Diff:
    if head.new == _NULL:
        return Diff(end, (DeleteFile(head.old),))
    moved = head.old not in {head.new, _NULL, ""}
    edits: list[Edit] = [RenameFile(head.old, head.new)] if moved else []
    if hunks:
        edits.append(PatchEdit(head.new, hunks))
    if not edits:
        return Diff(end, problem=f"Line {at + 1} of your reply: the diff of {head.new} has no hunk (`@@ … @@`).")
    return Diff(end, tuple(edits))


def _header(lines: Sequence[str], at: int, limit: int) -> _Header:
    old = new = ""
    deleted = False
    position = at
    while position < limit and not lines[position].startswith("@@"):
        line = lines[position]
        if line.startswith("rename from "):
            old = line[len("rename from ") :].strip()
        elif line.startswith("rename to "):
            new = line[len("rename to ") :].strip()
        elif line.startswith("--- ") and diff_starts(lines, position):
            old, new = _pair(line[4:], lines[position + 1][4:])
            position += 2
            break
        elif line.startswith(("GIT binary patch", "Binary files ")):
            return _Header(position + 1, problem="binary patches are not applied")
        elif position != at and (line.startswith("diff --git ") or not line.startswith(_META)):
            break
        deleted = deleted or line.startswith("deleted file mode")
        position += 1
    if not old and not new:
        if deleted and (match := re.match(r"diff --git (?:a/)?(\S+) ", lines[at])):
            return _Header(position, match.group(1), _NULL)
        return _Header(position, problem="the diff names no file; begin it with `--- a/PATH` and `+++ b/PATH`")
    if _NULL == old == new:
        return _Header(position, problem="the diff names no file on either side")
    return _Header(position, old, new)


def _pair(old: str, new: str) -> tuple[str, str]:
    """Return both paths; `a/` and `b/` are prefixes only where both sides have them."""
    left, right = (_unquoted(side) for side in (old, new))
    if all(side == _NULL or side.startswith(mark) for side, mark in ((left, "a/"), (right, "b/"))):
        left, right = (side if side == _NULL else side[2:] for side in (left, right))
    return left, right


def _unquoted(side: str) -> str:
    return side.split("\t", maxsplit=1)[0].strip().strip('"')


def _hunk(lines: Sequence[str], at: int, limit: int) -> tuple[int, PatchHunk, str]:
    match = _HUNK.match(lines[at])
    start, old, _, new = match.groups() if match else (None, None, None, None)
    body: list[str] = []
    position = at + 1
    if start is not None:
        end = _counted(lines, position, limit, (int(old or 1), int(new or 1)))
        if end is not None:
            body = [_content(line) for line in lines[position:end] if not line.startswith("\\")]
            return end, PatchHunk(int(start), tuple(body)), ""
    while position < limit and not _border(lines, position):
        line = lines[position]
        if line and line[0] not in " +-\\":
            return (
                position,
                PatchHunk(0, ()),
                (
                    f"Line {position + 1} of your reply: {line[:60]!r} stands in a hunk without a leading ' ', '-' or '+', and the "
                    "counts of its `@@` line do not say that the hunk ends before it."
                ),
            )
        if not line.startswith("\\"):
            body.append(_content(line))
        position += 1
    while body and body[-1] == " ":
        body.pop()
    if not body:
        return position, PatchHunk(0, ()), f"Line {at + 1} of your reply: the hunk is empty."
    return position, PatchHunk(int(start or 0), tuple(body)), ""


def _content(line: str) -> str:
    return line or " "


def _counted(lines: Sequence[str], at: int, limit: int, counts: tuple[int, int]) -> int | None:
    """Return the end of a hunk whose counts come out exactly at a border, None where they are wrong."""
    old, new = counts
    position = at
    while (old > 0 or new > 0) and position < limit:
        mark = lines[position][:1] or " "
        if mark not in " +-\\":
            return None
        old -= mark in " -"
        new -= mark in " +"
        position += 1
    if old or new or position == at:
        return None
    while position < limit and lines[position].startswith("\\"):
        position += 1
    return position if _ends(lines, position, limit) else None


def _ends(lines: Sequence[str], at: int, limit: int) -> bool:
    if at >= limit or not lines[at].strip():
        return True
    return lines[at][0] not in " +-" or _border(lines, at)


def _border(lines: Sequence[str], at: int) -> bool:
    if lines[at].startswith(("@@", "diff --git ", "```", "~~~")):
        return True
    return diff_starts(lines, at) and at + 2 < len(lines) and lines[at + 2].startswith("@@")
