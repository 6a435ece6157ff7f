"""What a model asks to change, and what became of it."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

from studio.domain.value import Value

__all__ = [
    "AppliedEdit",
    "DeleteFile",
    "Edit",
    "EditReport",
    "LineEdit",
    "MatchKind",
    "PatchEdit",
    "PatchHunk",
    "RefusedEdit",
    "RenameFile",
    "SearchReplace",
    "WholeFile",
]


class MatchKind(StrEnum):
    """How the place of an edit was found, strictest first. A hunk shows the loosest of its edits."""

    EXACT = "exact"
    TRAILING_SPACE = "trailing-space"
    INDENTATION = "indentation"
    PUNCTUATION = "punctuation"
    ANCHORS = "anchors"
    SIMILARITY = "similarity"
    WHOLE_FILE = "whole-file"
    LINES = "lines"
    PERSON = "person"
    """Written by a person: an edited hunk."""
    UNKNOWN = "unknown"


class SearchReplace(Value, frozen=True, tag="search-replace"):
    """Replace the one place in `path` that reads `search`. An empty `search` creates the file, or appends if `append`."""

    path: str
    search: str
    replace: str
    append: bool = False


class WholeFile(Value, frozen=True, tag="whole-file"):
    """Make `path` read exactly `text`."""

    path: str
    text: str


class PatchHunk(Value, frozen=True):
    """A hunk of a unified diff: `lines` keep their ' ', '-' or '+'; `old_start` is a 1-based hint, 0 when not given."""

    old_start: int
    lines: tuple[str, ...]


class PatchEdit(Value, frozen=True, tag="patch"):
    """Apply unified-diff hunks to `path`."""

    path: str
    hunks: tuple[PatchHunk, ...]


class LineEdit(Value, frozen=True, tag="lines"):
    """Replace lines `start`..`end` (1-based, inclusive; end = start - 1 inserts) that must now read `expected`."""

    path: str
    start: int
    end: int
    expected: str
    replace: str


class DeleteFile(Value, frozen=True, tag="delete"):
    """Delete `path`."""

    path: str


class RenameFile(Value, frozen=True, tag="rename"):
    """Rename `path` to `to`, which must not exist."""

    path: str
    to: str


Edit: TypeAlias = SearchReplace | WholeFile | PatchEdit | LineEdit | DeleteFile | RenameFile


class AppliedEdit(Value, frozen=True):
    """An edit that found its place. Lines are 1-based in the file *after* all edits of the reply; 0,0 for a deletion."""

    path: str
    match: MatchKind
    start: int = 0
    end: int = 0
    note: str = ""
    """Why it changed nothing, if so: `already applied`, `changes nothing`."""


class RefusedEdit(Value, frozen=True):
    """An edit that did not, and what to tell the model."""

    path: str
    reason: str
    """One or more lines for the model: why, and which lines came near, with numbers."""
    index: int = 0
    """0-based position of the edit in the reply."""


class EditReport(Value, frozen=True):
    """The fate of all edits of one reply: either every edit applied and `refused` is empty, or nothing was written."""

    applied: tuple[AppliedEdit, ...] = ()
    refused: tuple[RefusedEdit, ...] = ()
