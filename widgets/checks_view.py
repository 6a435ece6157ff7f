"""Checks with their findings and failing tests."""

from __future__ import annotations

from typing import ClassVar

import msgspec
from rich.cells import cell_len
from rich.segment import Segment

from widgets.lines import fit
from widgets.tree_lines import TreeLines

__all__ = ["CHECK_GLYPHS", "CheckRow", "ChecksView"]

CHECK_GLYPHS = {
    "passed": "✓",
    "failed": "✗",
    "not-run": "-",
    "running": "●",
    "waived": "≈",
    "error": "✗",
    "warning": "!",
    "note": "·",
    "detail": " ",
}


class CheckRow(msgspec.Struct, frozen=True):
    """A check, a finding or a test. Texts are clean, one line each; `path` and `line` say where it points, if it does."""

    key: str
    parent: str
    state: str
    """A key of `CHECK_GLYPHS`."""
    title: str
    detail: str = ""
    right: str = ""
    check: str = ""
    path: str = ""
    line: int = 0
    open: bool = True


class ChecksView(TreeLines[CheckRow]):
    """A tree of checks; see `TreeLines` for its keys."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"checks--{state}" for state in CHECK_GLYPHS} | {"checks--check"}
    DEFAULT_CSS = """
    ChecksView {
        & .checks--passed { color: $done; }
        & .checks--failed { color: $failed; }
        & .checks--error { color: $failed; }
        & .checks--warning { color: $warning-ink; }
        & .checks--note { color: $ink-soft; }
        & .checks--detail { color: $ink-soft; }
        & .checks--not-run { color: $skipped; }
        & .checks--running { color: $running; }
        & .checks--waived { color: $waiting; }
        & .checks--check { text-style: bold; }
    }
    """

    def segments(self, index: int) -> list[Segment]:
        """Return a row's line."""
        placed = self.placed(index)
        row, width = placed.item, self.room
        tone = self.tone(f"checks--{row.state}")
        top = not row.parent
        right = _end(row.right, width // 3)
        room = width - 2 * placed.depth - 3 - cell_len(right) - 1
        title = fit(row.title, room)
        detail = fit(row.detail, room - cell_len(title) - 2) if row.detail else ""
        used = 2 * placed.depth + 2 + cell_len(title) + (cell_len(detail) + 2 if detail else 0)
        return [
            Segment("  " * placed.depth),
            Segment(f"{CHECK_GLYPHS.get(row.state, '·')} ", tone),
            Segment(title, self.tone("checks--check") if top else tone if row.state == "detail" else None),
            Segment(
                f"  {detail}" if detail else "", tone if top and row.state == "failed" else self.tone("line--soft")
            ),
            Segment(" " * max(1, width - used - cell_len(right) - 1)),
            Segment(right, self.tone("line--soft")),
            Segment(" "),
        ]


def _end(text: str, width: int) -> str:
    """Return the end of `text` in at most `width` cells: of a path, its name says most."""
    while cell_len(text) > width:
        text = f"…{text[2:]}" if len(text) > 1 else ""
    return text
