"""The timeline: stages, tasks, steps, each with how it stands, how long it took and what it cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import msgspec
from rich.cells import cell_len
from rich.segment import Segment
from textual.reactive import var

from widgets.lines import fit
from widgets.tree_lines import Placed, TreeLines

__all__ = ["STATUS_GLYPHS", "TimelineRow", "TimelineView"]

STATUS_GLYPHS = {
    "running": "●",
    "done": "✓",
    "failed": "✗",
    "reused": "↻",
    "skipped": "-",
    "waiting": "?",
    "live": "┊",
}
"""One glyph a status, so that colour is never alone."""
WIDE = 60
"""Cells from which tokens have a column."""
MIN_DETAIL = 5
"""Cells below which a detail says nothing."""


class TimelineRow(msgspec.Struct, frozen=True):
    """A row. Texts are already one line each and clean; empty columns are left blank."""

    key: str
    parent: str
    kind: str
    status: str
    """A key of `STATUS_GLYPHS`."""
    title: str
    detail: str = ""
    duration: str = ""
    tokens: str = ""
    cost: str = ""
    open: bool = True


class TimelineView(TreeLines[TimelineRow]):
    """A tree of rows; see `TreeLines` for its keys."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *(f"timeline--{status}" for status in STATUS_GLYPHS),
        "timeline--stage",
        "timeline--faint",
    }
    DEFAULT_CSS = """
    TimelineView {
        & .timeline--running { color: $running; }
        & .timeline--done { color: $done; }
        & .timeline--failed { color: $failed; }
        & .timeline--reused { color: $reused; }
        & .timeline--skipped { color: $skipped; }
        & .timeline--waiting { color: $waiting; text-style: bold; }
        & .timeline--live { color: $running; }
        & .timeline--stage { text-style: bold; }
        & .timeline--faint { color: $ink-faint; }
    }
    """

    failures_only: var[bool] = var(default=False)

    def __init__(self, *, id: str | None = None, classes: str | None = None, empty: str = "") -> None:  # noqa: A002
        super().__init__(id=id, classes=classes, empty=empty)
        self._columns = (0, 0, 0)
        """Cells of the tokens, the cost and the duration: none where no row has them."""

    def set_items(self, items: Sequence[TimelineRow]) -> None:
        """Show `items`, with columns as wide as the widest of each."""
        self._columns = (
            max((len(row.tokens) for row in items), default=0),
            max((len(row.cost) for row in items), default=0),
            max((len(row.duration) for row in items), default=0),
        )
        super().set_items(items)

    def _right(self, row: TimelineRow) -> str:
        wide = self.room >= WIDE
        texts = (row.tokens if wide else "", row.cost, row.duration)
        widths = (self._columns[0] if wide else 0, *self._columns[1:])
        if not any(texts):
            return ""
        return " ".join(f"{text:>{width}}" for text, width in zip(texts, widths, strict=True) if width) + " "

    def keeps(self, item: TimelineRow) -> bool:
        """Let failures and what waits through, if only those are wanted."""
        return not self.failures_only or item.status in {"failed", "waiting"}

    def watch_failures_only(self) -> None:
        """Filter anew."""
        if self.is_mounted:
            self.refilter()

    def segments(self, index: int) -> list[Segment]:
        """Return a row's line."""
        placed = self.placed(index)
        row, width = placed.item, self.room
        right = self._right(row)
        state = self.tone(f"timeline--{row.status}")
        room = width - 2 * placed.depth - 4 - cell_len(right) - 1
        title = fit(row.title, room)
        left = room - cell_len(title) - 2
        detail = fit(row.detail, left) if row.detail and left > MIN_DETAIL else ""
        used = 2 * placed.depth + 4 + cell_len(title) + (cell_len(detail) + 2 if detail else 0)
        soft = self.tone("line--soft")
        text = self.tone("timeline--stage") if row.kind == "stage" else soft if row.kind == "live" else None
        if row.status in {"failed", "waiting"}:
            text = state
        return [
            Segment("  " * placed.depth),
            Segment(_fold_glyph(placed), self.tone("timeline--faint")),
            Segment(f"{STATUS_GLYPHS.get(row.status, '·')} ", state),
            Segment(title, text),
            Segment(f"  {detail}" if detail else "", soft),
            Segment(" " * max(1, width - used - cell_len(right))),
            Segment(right, soft),
        ]


def _fold_glyph(placed: Placed[TimelineRow]) -> str:
    if not placed.children:
        return "  "
    return "▾ " if placed.opened else "▸ "
