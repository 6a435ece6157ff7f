"""The file tree, with what changed."""

from __future__ import annotations

from typing import ClassVar

import msgspec
from rich.cells import cell_len
from rich.segment import Segment

from widgets.lines import fit
from widgets.tree_lines import TreeLines

__all__ = ["FileRow", "FileTreeView"]


class FileRow(msgspec.Struct, frozen=True):
    """A file or a directory. `key` is its path; `mark` is `A`, `M`, `D`, `R`, `?` or empty."""

    key: str
    parent: str
    name: str
    directory: bool = False
    mark: str = ""
    added: int = 0
    removed: int = 0
    open: bool = True


class FileTreeView(TreeLines[FileRow]):
    """A tree of files; see `TreeLines` for its keys."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"files--directory", "files--added", "files--removed", "files--changed"}
    DEFAULT_CSS = """
    FileTreeView {
        & .files--directory { color: $ink-soft; }
        & .files--added { color: $added; }
        & .files--removed { color: $removed; }
        & .files--changed { color: $changed; }
    }
    """
    _TONES: ClassVar[dict[str, str]] = {
        "A": "files--added",
        "?": "files--added",
        "D": "files--removed",
        "M": "files--changed",
        "R": "files--changed",
    }

    def segments(self, index: int) -> list[Segment]:
        """Return a row's line."""
        placed = self.placed(index)
        row, width = placed.item, self.room
        tone = self.tone(self._TONES[row.mark]) if row.mark in self._TONES else None
        added = f"+{row.added}" if row.added else ""
        removed = f"-{row.removed}" if row.removed else ""
        counts = cell_len(added) + cell_len(removed) + bool(added and removed)
        glyph = ("▾ " if placed.opened else "▸ ") if row.directory else f"{row.mark or ' '} "
        name = fit(row.name + "/" * row.directory, width - 2 * placed.depth - 4 - counts)
        used = 2 * placed.depth + 2 + cell_len(name) + counts + 1
        return [
            Segment("  " * placed.depth),
            Segment(glyph, self.tone("files--directory") if row.directory else tone),
            Segment(name, self.tone("files--directory") if row.directory else tone),
            Segment(" " * max(1, width - used)),
            Segment(added, self.tone("files--added")),
            Segment(" " if added and removed else ""),
            Segment(removed, self.tone("files--removed")),
            Segment(" "),
        ]
