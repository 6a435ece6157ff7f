"""Plain data of the diff view. Texts come as they are; the view makes them harmless."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto

import msgspec

from widgets.ansi import clean
from widgets.wrapping import wrap

__all__ = [
    "DiffFile",
    "DiffHunk",
    "DiffLine",
    "DiffMark",
    "DiffRemark",
    "Place",
    "RowKind",
    "index_rows",
    "line_numbers",
    "remark_lines",
]


class DiffLine(msgspec.Struct, frozen=True):
    """A line; `op` is a space, `-` or `+`."""

    op: str
    text: str
    newline: bool = True


class DiffHunk(msgspec.Struct, frozen=True):
    """A hunk. `note` says what a hunk without lines is about."""

    key: str
    old_start: int
    old_count: int
    new_start: int
    new_count: int
    lines: tuple[DiffLine, ...]
    match: str = ""
    """How the edit's place was found; `loose` says whether that wants a look."""
    loose: bool = False
    origin: str = ""
    note: str = ""


class DiffFile(msgspec.Struct, frozen=True):
    """A file with its hunks."""

    path: str
    kind: str
    hunks: tuple[DiffHunk, ...]
    old_path: str = ""

    @property
    def added(self) -> int:
        """Lines added."""
        return sum(line.op == "+" for hunk in self.hunks for line in hunk.lines)

    @property
    def removed(self) -> int:
        """Lines removed."""
        return sum(line.op == "-" for hunk in self.hunks for line in hunk.lines)


class DiffMark(msgspec.Struct, frozen=True):
    """A decision on a hunk: `undecided`, `accepted`, `rejected`, `edited`; `lines` are those taken, None for all."""

    state: str = "undecided"
    lines: frozenset[int] | None = None
    by: str = ""
    comment: str = ""


class DiffRemark(msgspec.Struct, frozen=True):
    """A remark, shown below a hunk's line, or below its header if `line` is negative."""

    author: str
    text: str
    line: int = -1
    severity: str = "note"


class RowKind(Enum):
    """What a row of the view is."""

    FILE = auto()
    HUNK = auto()
    LINE = auto()
    REMARK = auto()
    NOTE = auto()


class Place(msgspec.Struct, frozen=True):
    """A row: indices into the files, their hunks, their lines, and for a remark the remark's and its line's."""

    kind: RowKind
    file: int
    hunk: int = -1
    line: int = -1
    remark: int = -1
    part: int = 0


class RowIndex(msgspec.Struct, frozen=True):
    """All rows, and where each hunk and file starts."""

    rows: list[Place] = msgspec.field(default_factory=list[Place])
    hunk_rows: list[int] = msgspec.field(default_factory=list[int])
    file_rows: list[int] = msgspec.field(default_factory=list[int])
    longest: int = 0


def remark_lines(remark: DiffRemark, width: int) -> list[str]:
    """Return a remark with its author as lines of at most `width` cells."""
    return wrap(f"{clean(remark.author, 40)}: {clean(remark.text)}", max(20, width))


def index_rows(files: tuple[DiffFile, ...], remarks: dict[str, tuple[DiffRemark, ...]], width: int) -> RowIndex:
    """Return the rows of the files, remarks in their places with lines of `width` cells."""

    def told(f: int, h: int, line: int, said: tuple[DiffRemark, ...]) -> Iterator[Place]:
        for r, remark in enumerate(said):
            if max(remark.line, -1) == line:
                parts = range(len(remark_lines(remark, width)))
                yield from (Place(RowKind.REMARK, f, h, line, r, part) for part in parts)

    index = RowIndex()
    rows = index.rows
    longest = 0
    for f, file in enumerate(files):
        index.file_rows.append(len(rows))
        rows.append(Place(RowKind.FILE, f))
        for h, hunk in enumerate(file.hunks):
            index.hunk_rows.append(len(rows))
            rows.append(Place(RowKind.HUNK, f, h))
            said = remarks.get(hunk.key, ())
            rows.extend(told(f, h, -1, said))
            if hunk.note:
                rows.append(Place(RowKind.NOTE, f, h))
            by_line = {remark.line for remark in said if remark.line >= 0}
            for number, line in enumerate(hunk.lines):
                longest = max(longest, len(line.text))
                rows.append(Place(RowKind.LINE, f, h, number))
                if number in by_line:
                    rows.extend(told(f, h, number, said))
    return RowIndex(rows, index.hunk_rows, index.file_rows, longest)


def line_numbers(hunk: DiffHunk) -> list[tuple[str, str]]:
    """Return each line's number on the old and on the new side, empty where it is not on that side."""
    old, new = hunk.old_start, hunk.new_start
    numbers: list[tuple[str, str]] = []
    for line in hunk.lines:
        numbers.append(("" if line.op == "+" else str(old), "" if line.op == "-" else str(new)))
        old += line.op != "+"
        new += line.op != "-"
    return numbers
