"""Edit blocks: search/replace, line-anchored, append.

    path/to/file.py
    <<<<<<< SEARCH            <<<<<<< LINES 12-14       <<<<<<< APPEND
    old lines                 old lines                 =======
    =======                   =======                   new lines
    new lines                 new lines                 >>>>>>> REPLACE
    >>>>>>> REPLACE           >>>>>>> REPLACE

The three markers of a block have the same length, at least five; content that holds a line of that many `=` needs longer
ones. `LINES 12-11` inserts before line 12.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from studio.agents.edits.headers import path_line
from studio.domain.edits import Edit, LineEdit, SearchReplace
from studio.domain.value import Value

__all__ = ["BLOCK_OPEN", "Block", "read_block"]

BLOCK_OPEN = re.compile(r"^ {0,3}(<{5,})\s*(SEARCH|LINES|APPEND|ORIGINAL|HEAD)\b:?\s*(.*?)\s*$")
_ANY_OPEN = re.compile(r"^<{5,}\s*(?:SEARCH|LINES|APPEND)\b")
_SPAN = re.compile(r"^(\d{1,9})(?:\s*[-\u2013]\s*(\d{1,9}))?\s*(.*)$")


class Block(Value, frozen=True):
    """A block that was read, and the line after it."""

    end: int
    edits: tuple[Edit, ...] = ()
    path: str = ""
    problem: str = ""


def read_block(lines: Sequence[str], at: int, inherited: str) -> Block:
    """Read the block that opens at line `at`; it names its own file or inherits the path."""
    match = BLOCK_OPEN.match(lines[at])
    if match is None:
        raise ValueError(f"no block opens at line {at}")
    marks, keyword, rest = match.groups()
    size = len(marks)
    close = _find_end(lines, at + 1, size)
    where = f"Line {at + 1} of your reply"
    if close is None:
        return Block(
            len(lines),
            problem=f"{where}: the block is never closed by {'>' * size} REPLACE: the reply looks cut off. Nothing of it was "
            "applied; send it again, in smaller parts if it was too long.",
        )
    dividers = [n for n in range(at + 1, close) if lines[n].strip() == "=" * size]
    if keyword in {"ORIGINAL", "HEAD"}:
        return Block(close + 1, problem=f"{where}: a block opens with {'<' * size} SEARCH, not {keyword}.")
    if keyword == "APPEND" and not dividers:
        dividers = [at]
    if len(dividers) != 1:
        return Block(close + 1, problem=_divider_problem(where, size, len(dividers)))
    old, new = _joined(lines[at + 1 : dividers[0]]), _joined(lines[dividers[0] + 1 : close])
    if keyword == "LINES":
        return _lines_block(where, rest, inherited, (old, new), close + 1)
    return _search_block(where, keyword, path_line(rest) or inherited, (old, new), close + 1)


def _search_block(where: str, keyword: str, path: str, texts: tuple[str, str], end: int) -> Block:
    old, new = texts
    if not path:
        return Block(end, problem=_nameless(where))
    if keyword == "APPEND" and old:
        return Block(end, problem=f"{where}: an APPEND block has nothing above its divider.")
    edit = SearchReplace(path, old, new, append=keyword == "APPEND")
    return Block(end, (edit,), path)


def _lines_block(where: str, rest: str, inherited: str, texts: tuple[str, str], end: int) -> Block:
    span = _SPAN.match(rest)
    if span is None:
        return Block(end, problem=f"{where}: write `LINES first-last`, for instance `LINES 12-14`.")
    path = path_line(span.group(3)) or inherited
    if not path:
        return Block(end, problem=_nameless(where))
    start = int(span.group(1))
    last = int(span.group(2)) if span.group(2) else start
    return Block(end, (LineEdit(path, start, last, *texts),), path)


def _find_end(lines: Sequence[str], at: int, size: int) -> int | None:
    closing = re.compile(r"^ {0,3}" + ">" * size + r"\s*(?:REPLACE|UPDATED|END)\b.*$")
    for number in range(at, len(lines)):
        if closing.match(lines[number]):
            return number
        opened = _ANY_OPEN.match(lines[number])
        if opened and len(lines[number]) - len(lines[number].lstrip("<")) == size:
            return None
    return None


def _divider_problem(where: str, size: int, count: int) -> str:
    if count == 0:
        return f"{where}: the block has no line {'=' * size} between the old lines and the new ones."
    return (
        f"{where}: the block holds {count} lines of {'=' * size}, so it is ambiguous where the new lines begin. "
        f"Use longer markers for all three lines of this block: {'<' * (size + 2)} SEARCH, {'=' * (size + 2)}, "
        f"{'>' * (size + 2)} REPLACE."
    )


def _nameless(where: str) -> str:
    return f"{where}: no file is named. Write its path alone on the line before the block."


def _joined(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
