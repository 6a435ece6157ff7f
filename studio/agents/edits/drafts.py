"""Files being edited in memory, with the lines each edit wrote kept true while later edits move them."""

from __future__ import annotations

from dataclasses import dataclass, field

from studio.agents.edits.text import TextFile
from studio.domain.edits import AppliedEdit, MatchKind

__all__ = ["Draft", "Touched"]


@dataclass
class Touched:
    """Lines an edit wrote: 1-based, half-open."""

    index: int
    start: int
    end: int
    match: MatchKind
    note: str = ""

    def shift(self, start: int, old_end: int, delta: int) -> None:
        """Follow an edit that replaced lines `start`..`old_end` (half-open) and made the file `delta` lines longer."""
        if old_end <= self.start:
            self.start += delta
            self.end += delta
        elif start < self.end:
            self.start = min(self.start, start)
            self.end = max(self.end, old_end) + delta


@dataclass
class Draft:
    """A file as the edits so far have left it. `text` is None when it does not exist."""

    path: str
    original: bytes | None
    file: TextFile
    text: str | None
    touched: list[Touched] = field(default_factory=list[Touched])
    moves: list[tuple[int, int, int]] = field(default_factory=list[tuple[int, int, int]])
    """(start, old end, delta) of each edit, in the lines it saw."""
    unreadable: str = ""
    mode: int | None = None
    source: str = ""
    """The path it was renamed from."""
    last: int = 0
    """Index of the last edit."""

    def write(self, index: int, span: tuple[int, int], new: str, match: MatchKind, note: str = "") -> None:
        """Replace the text at `span` (offsets) and record the lines."""
        text = self.text or ""
        start, end = span
        first = text.count("\n", 0, start) + 1
        old_end = first + _lines(text[start:end])
        count = _lines(new) if new else 0
        whole = text[:start] + new + text[end:]
        delta = whole.count("\n") - text.count("\n")
        for other in self.touched:
            other.shift(first, old_end, delta)
        self.moves.append((first, old_end, delta))
        self.text = whole
        self.touched.append(Touched(index, first, first + count, match, note))

    def now(self, line: int) -> int:
        """Return where a line of the file as the model saw it is now."""
        for start, old_end, delta in self.moves:
            if line >= max(old_end, start):
                line += delta
        return line

    def applied(self) -> list[tuple[int, AppliedEdit]]:
        """Return what became of each edit, with its index in the reply; lines removed show as the line in their place."""
        total = max(_lines(self.text or ""), 1)
        done: list[tuple[int, AppliedEdit]] = []
        for each in self.touched:
            start = min(max(each.start, 1), total)
            done.append(
                (each.index, AppliedEdit(self.path, each.match, start, min(max(each.end - 1, start), total), each.note))
            )
        return done


def _lines(text: str) -> int:
    return text.count("\n") + (0 if not text or text.endswith("\n") else 1)
