"""The console's log: bounded scrollback of sanitised terminal output."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import islice, pairwise
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from rich.text import Text

from widgets.ansi import AnsiLines, clean, visible
from widgets.lines import LineView
from widgets.wrapping import wrap_cuts

__all__ = ["LogView"]

SCROLLBACK = 100_000
"""Lines kept."""
_BLOCK = 512


class LogView(LineView):
    """Lines of output, following the end while the cursor is there; see `LineView` for its keys."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"log--{kind}" for kind in ("command", "result", "error", "added", "removed", "plain")
    }
    DEFAULT_CSS = """
    LogView {
        overflow-x: hidden; scrollbar-gutter: stable;
        & .log--command { color: $accent; text-style: bold; }
        & .log--result { color: $ink-soft; }
        & .log--error { color: $failed; }
        & .log--added { color: $added; background: $added-ground; }
        & .log--removed { color: $removed; background: $removed-ground; }
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
        self._lines: deque[tuple[str, Text | str]] = deque(maxlen=scrollback)
        self._blocks: deque[list[tuple[str, Text | str]]] = deque()
        """The lines as rows of the width there is, in blocks."""
        self._size_lines = 0
        self._wrapped_at = 0
        self._scrollback = scrollback
        self._decoders: dict[str, AnsiLines] = {}
        self._follow = True

    @property
    def count(self) -> int:
        """Number of rows."""
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

    def show_patch(self, patch: str) -> None:
        """Show a patch from its beginning, its lines coloured by what they do."""
        self.clear()
        self._append([(_patch_kind(line), visible(line)) for line in patch.splitlines()])
        self.place_cursor(0)
        self.paint()

    def clear(self) -> None:
        """Forget all lines."""
        self._lines.clear()
        self._decoders.clear()
        self._rewrap()

    def text(self, first: int = 0, last: int | None = None) -> str:
        """Return lines `first` to `last` as plain text, as they came."""
        lines = islice((line for _, line in self._lines), first, last)
        return "\n".join(line.plain if isinstance(line, Text) else line for line in lines)

    def _append(self, lines: list[tuple[str, Text | str]]) -> None:
        if not lines:
            return
        self._follow = self.cursor >= self._size_lines - 1
        self._lines.extend(lines)
        self._place(lines)
        if self._follow:
            self.place_cursor(max(0, self._size_lines - 1))
        self.changed()

    def _place(self, lines: Iterable[tuple[str, Text | str]]) -> None:
        """Add the rows of `lines`; the oldest block goes when there are too many."""
        rows = [(kind, row) for kind, line in lines for row in _rows(line, self._wrapped_at)]
        for row in rows:
            if not self._blocks or len(self._blocks[-1]) >= _BLOCK:
                self._blocks.append([])
            self._blocks[-1].append(row)
        self._size_lines += len(rows)
        while self._size_lines > self._scrollback and len(self._blocks) > 1:
            gone = len(self._blocks.popleft())
            self._size_lines -= gone
            self.place_cursor(max(0, self.cursor - gone))

    def _rewrap(self) -> None:
        """Make the rows anew for the width there is; the cursor keeps its share of the way."""
        at_end = self.cursor >= self._size_lines - 1
        share = self.cursor / max(1, self._size_lines)
        self._blocks.clear()
        self._size_lines = 0
        self._wrapped_at = self.room
        self._place(self._lines)
        last = max(0, self._size_lines - 1)
        self.place_cursor(last if at_end and last else min(last, round(share * self._size_lines)))
        self.paint()

    def on_resize(self) -> None:
        """Wrap anew."""
        if self._wrapped_at != self.room:
            self._rewrap()

    def paint(self) -> None:
        """Paint, keeping to the end if the cursor was there."""
        super().paint()
        if self.count and self.cursor >= self.count - 1:
            self.scroll_to(y=self.max_scroll_y, animate=False, force=True, immediate=True)

    def segments(self, index: int) -> list[Segment]:
        """Return a row."""
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


def _patch_kind(line: str) -> str:
    if line.startswith(("diff ", "--- ", "+++ ", "index ", "@@ ")):
        return "result"
    return {"+": "added", "-": "removed"}.get(line[:1], "plain")


def _rows(line: Text | str, width: int) -> Sequence[Text | str]:
    """Return a line as rows of at most `width` cells."""
    cuts = wrap_cuts(line if isinstance(line, str) else line.plain, width)
    if not cuts:
        return [line]
    if isinstance(line, str):
        return [line[start:end] for start, end in pairwise([0, *cuts, len(line)])]
    return list(line.divide(cuts))


def _without_links(style: Style | None) -> Style | None:
    return None if style is None else Style(
        color=style.color, bgcolor=style.bgcolor, bold=style.bold, dim=style.dim, italic=style.italic,
        underline=style.underline, reverse=style.reverse, strike=style.strike,
    )  # fmt: skip
