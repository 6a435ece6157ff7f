"""Where an edit goes, or why nowhere."""

from __future__ import annotations

from studio.agents.edits.indents import IndentMap
from studio.domain.edits import MatchKind
from studio.domain.value import Value

__all__ = ["Place", "Refusal"]


class Place(Value, frozen=True):
    """The one place of an edit. Offsets are code points of the file's text, its line ends included."""

    start: int
    end: int
    match: MatchKind
    whole_lines: bool = True
    """Whether it spans whole lines, the end of the last one included."""
    indents: IndentMap = ()
    """How the replacement is to be indented."""


class Refusal(Value, frozen=True):
    """Why there is no one place."""

    reason: str
    """For the model."""
    lines: tuple[int, ...] = ()
    """1-based numbers of the lines that came near, or of all that match."""
