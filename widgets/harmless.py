"""The last line of defence: no control character that slipped into a widget's text reaches the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.segment import Segment
from textual.app import App
from textual.filter import LineFilter

from widgets.ansi import without_controls

if TYPE_CHECKING:
    from textual.color import Color

__all__ = ["Harmless"]


class _Harmless(LineFilter):
    """Drops control and bidirectional characters. They take no cell, so a line stays as wide as it is."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002 -- the filter's signature
        """Return the segments of a line without them."""
        if all(text.isascii() and text.isprintable() for text, _, _ in segments):
            return segments
        return [
            Segment(without_controls(segment.text), segment.style) if not segment.control else segment
            for segment in segments
        ]


class Harmless(App[None]):
    """Mixin of an app: whatever its widgets paint, Textual's own included, the terminal only shows."""

    _harmless = _Harmless()

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Return Textual's filters and, last, the one that drops what a terminal would obey."""
        return [*super().get_line_filters(), self._harmless]
