"""The console's log: bounded scrollback of sanitised terminal output."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from rich.text import Text

from widgets.ansi import AnsiLines, clean
from widgets.lines import LineView

__all__ = ["LogView"]

SCROLLBACK = 100_000
"""Lines kept."""
_BLOCK = 512


class LogView(LineView):
    """Lines of output, following the end while the cursor is there; see `LineView` for its keys."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"log--command", "log--result", "log--error"}
    DEFAULT_CSS = """
    LogView {
        overflow-x: hidden;
        & .log--command { color: $accent; text-style: bold; }
        & .log--result { color: $ink-soft; }
        & .log--error { color: $failed; }
    }
    """

    def __init__(
        self,
        *,
        id: str | None = None,  # noqa: A002 - Textual's name
        classes: str | None = None,
        empty: str = "",
        scrollback: int = SCROLLBACK,
    ) -> None:
        super().__init__(id=id, classes=classes, empty=empty)
        self._blocks: deque[list[tuple[str, Text | str]]] = deque()
        self._size_lines = 0
        self._scrollback = scrollback
        self._decoders: dict[str, AnsiLines] = {}
        self._follow = True

    @property
    def count(self) -> int:
        """Number of lines."""
        return self._size_lines

    def write(self, stream: str, data: bytes) -> None:
        """Add bytes of a stream; its unfinished line waits for the rest."""
        decoder = self._decoders.get(stream)
        if decoder is None:
            decoder = self._decoders[stream] = AnsiLines()
        self._append([("", line) for line in decoder.feed(data)])

    def finish(self, stream: str) -> None:
        """End a stream: its last line needs no newline."""
        decoder = self._decoders.pop(stream, None)
        if decoder is not None:
            self._append([("", line) for line in decoder.flush()])

    def note(self, text: str, kind: str = "result") -> None:
        """Add a line of our own: `command`, `result` or `error`."""
        self._append([(kind, clean(text))])

    def show(self, text: bytes | str) -> None:
        """Show a whole text from its beginning."""
        self.clear()
        self.write("text", text.encode("utf-8", "replace") if isinstance(text, str) else text)
        self.finish("text")
        self.place_cursor(0)
        self.paint()

    def clear(self) -> None:
        """Forget all lines."""
        self._blocks.clear()
        self._decoders.clear()
        self._size_lines = 0
        self.cursor = 0
        self.paint()

    def text(self, first: int = 0, last: int | None = None) -> str:
        """Return lines `first` to `last` as plain text."""
        lines = islice((line for block in self._blocks for _, line in block), first, last)
        return "\n".join(line.plain if isinstance(line, Text) else line for line in lines)

    def _append(self, lines: list[tuple[str, Text | str]]) -> None:
        if not lines:
            return
        self._follow = self.cursor >= self._size_lines - 1
        for line in lines:
            if not self._blocks or len(self._blocks[-1]) >= _BLOCK:
                self._blocks.append([])
            self._blocks[-1].append(line)
        self._size_lines += len(lines)
        while self._size_lines > self._scrollback and len(self._blocks) > 1:
            gone = len(self._blocks.popleft())
            self._size_lines -= gone
            self.place_cursor(max(0, self.cursor - gone))
        if self._follow:
            self.place_cursor(max(0, self._size_lines - 1))
        self.changed()

    def paint(self) -> None:
        """Paint, keeping to the end if the cursor was there."""
        super().paint()
        if self.count and self.cursor >= self.count - 1:
            self.scroll_to(y=self.max_scroll_y, animate=False, force=True, immediate=True)

    def segments(self, index: int) -> list[Segment]:
        """Return a line."""
        block, at = divmod(index, _BLOCK)
        kind, line = self._blocks[block][at]
        if isinstance(line, str):
            return [Segment(line, self.tone(f"log--{kind}"))]
        if not line.spans:
            return [Segment(line.plain)]
        console = self.app.console  # pyright: ignore[reportUnknownMemberType] the app's own type does not matter
        return [
            Segment(segment.text, _without_links(segment.style))
            for segment in line.render(console)
            if not segment.control
        ]


def _without_links(style: Style | None) -> Style | None:
    return None if style is None else Style(
        color=style.color, bgcolor=style.bgcolor, bold=style.bold, dim=style.dim, italic=style.italic,
        underline=style.underline, reverse=style.reverse, strike=style.strike,
    )  # fmt: skip
