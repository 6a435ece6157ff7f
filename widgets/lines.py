"""The base of every list of lines: virtualised by the line API, with a cursor, painted at most ten times a second."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.reactive import var
from textual.scroll_view import ScrollView
from textual.strip import Strip

__all__ = ["PAINT_SECONDS", "LineView", "fit"]

PAINT_SECONDS = 0.1
"""Changes that come within this time are painted together."""
MAX_CELLS = 4096
"""Cells of a line that can be scrolled to; what is over is counted in its last ones."""


def fit(text: str, width: int) -> str:
    """Return `text` in at most `width` cells, cut with an ellipsis."""
    if width <= 0:
        return ""
    return text if cell_len(text) <= width else set_cell_size(text, width - 1).rstrip() + "…"


class LineView(ScrollView, can_focus=True):
    """A virtualised list of lines.

    | Key | Does |
    |---|---|
    | up, k · down, j | move the cursor |
    | pageup, ctrl+b · pagedown, ctrl+f | a page |
    | home, g · end, G | first, last |
    | left, h · right, l | scroll sideways |
    | enter | choose the line |
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "up", "Up", show=False, id="list.up"),
        Binding("down,j", "down", "Down", show=False, id="list.down"),
        Binding("pageup,ctrl+b", "page(-1)", "Page up", show=False, id="list.page_up"),
        Binding("pagedown,ctrl+f", "page(1)", "Page down", show=False, id="list.page_down"),
        Binding("home,g", "first", "First", show=False, id="list.first"),
        Binding("end,G", "last", "Last", show=False, id="list.last"),
        Binding("left,h", "sideways(-8)", "Left", show=False, id="list.left"),
        Binding("right,l", "sideways(8)", "Right", show=False, id="list.right"),
        Binding("enter", "choose", "Open", show=False, id="list.choose"),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {"line--cursor", "line--cursor-idle", "line--soft", "line--empty"}
    DEFAULT_CSS = """
    LineView {
        background: $pane; color: $ink; height: 1fr; width: 1fr;
        scrollbar-size-vertical: 1; scrollbar-size-horizontal: 1;
        overflow-x: hidden; overflow-y: auto;
        & .line--cursor { background: $selection; }
        & .line--cursor-idle { background: $selection-idle; }
        & .line--soft { color: $ink-soft; }
        & .line--empty { color: $ink-soft; }
    }
    """

    cursor = var(0)
    empty = var("")
    """What is shown when there is no line: what would fill it."""

    @dataclass
    class Moved(Message):
        """The cursor moved."""

        view: LineView
        index: int

        @property
        def control(self) -> LineView:
            """The view."""
            return self.view

    @dataclass
    class Chosen(Message):
        """A line was chosen with enter or a double click."""

        view: LineView
        index: int

        @property
        def control(self) -> LineView:
            """The view."""
            return self.view

    def __init__(self, *, id: str | None = None, classes: str | None = None, empty: str = "") -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, classes=classes)
        self.set_reactive(LineView.empty, empty)
        self._armed = False
        self._width = 0

    # What a subclass gives.

    @property
    def count(self) -> int:
        """Number of lines."""
        raise NotImplementedError

    def segments(self, index: int) -> list[Segment]:
        """Return line `index`, any length; styles without a background take the view's."""
        raise NotImplementedError

    def fill(self, index: int) -> Style:  # noqa: ARG002 - subclasses choose by line
        """Return the style of the space after line `index`."""
        return Style()

    # What a subclass uses.

    @property
    def room(self) -> int:
        """Cells a line has: the scrollbar's are taken off."""
        return self.scrollable_content_region.width

    def tone(self, name: str) -> Style:
        """Return the style of a component class, background only where it sets one."""
        return self.get_component_rich_style(name, partial=True)

    def changed(self) -> None:
        """Paint soon: arms a timer unless one is armed. Costs nothing while nothing changes."""
        if not self._armed and self.is_mounted:
            self._armed = True
            self.set_timer(PAINT_SECONDS, self.paint)

    def paint(self) -> None:
        """Paint now."""
        self._armed = False
        self.virtual_size = Size(self._width, max(self.count, 1))
        self.cursor = max(0, min(self.cursor, self.count - 1))
        self.refresh()

    def allow_width(self, cells: int) -> None:
        """Let lines of `cells` cells be scrolled to sideways."""
        self._width = min(cells, MAX_CELLS)

    def go(self, index: int) -> None:
        """Move the cursor to line `index`, bounded, and show it."""
        self.cursor = max(0, min(index, self.count - 1))
        self.show_cursor()

    def place_cursor(self, index: int) -> None:
        """Put the cursor on line `index` without a repaint or a message: the caller paints."""
        self.set_reactive(LineView.cursor, index)  # pyright: ignore[reportArgumentType] the descriptor, not its value

    def show_cursor(self) -> None:
        """Scroll as little as shows the cursor's line."""
        height = self.scrollable_content_region.height
        if height <= 0:
            return
        top = self.scroll_offset.y
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, force=True)
        elif self.cursor >= top + height:
            self.scroll_to(y=self.cursor - height + 1, animate=False, force=True)

    # Watchers and rendering.

    def watch_cursor(self, old: int, new: int) -> None:
        """Repaint the two lines and tell."""
        if old != new:
            self.refresh()
            self.post_message(self.Moved(self, new))

    def watch_empty(self) -> None:
        """Repaint."""
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Render the line at `y` of the view."""
        scroll_x, scroll_y = self.scroll_offset
        width = self.room
        base = self.rich_style
        index = scroll_y + y
        if not self.count:
            return self._empty_line(y, width, base)
        if index >= self.count:
            return Strip.blank(width, base)
        line = base + self.fill(index)
        strip = Strip(Segment.apply_style(self.segments(index), base))
        more = strip.cell_length > scroll_x + width
        strip = strip.crop(scroll_x, scroll_x + width - more)
        if more:
            strip = Strip([*strip, Segment("…", line + self.tone("line--soft"))])
        strip = strip.extend_cell_length(width, line)
        if index == self.cursor:
            style = self.tone("line--cursor" if self.has_focus else "line--cursor-idle")
            strip = Strip(Segment.apply_style(strip, post_style=style), strip.cell_length)
        return strip.apply_offsets(scroll_x, index)

    def _empty_line(self, y: int, width: int, base: Style) -> Strip:
        lines = [part for line in self.empty.split("\n") for part in _wrapped(line, max(10, width - 4))]
        top = max(0, min(2, (self.size.height - len(lines)) // 2))
        if not top <= y < top + len(lines):
            return Strip.blank(width, base)
        text = "  " + lines[y - top]
        return Strip([Segment(fit(text, width), base + self.tone("line--empty"))]).extend_cell_length(width, base)

    # Events.

    def on_mount(self) -> None:
        """Take the first lines."""
        self.paint()

    def on_focus(self) -> None:
        """Show the cursor as active."""
        self.refresh()

    def on_blur(self) -> None:
        """Show the cursor as idle."""
        self.refresh()

    def on_resize(self) -> None:
        """Keep the cursor in view."""
        self.show_cursor()

    def on_click(self, event: events.Click) -> None:
        """Move to the line; choose it with a second click."""
        index = event.y + self.scroll_offset.y
        if index >= self.count:
            return
        self.go(index)
        if event.chain > 1:
            self.post_message(self.Chosen(self, index))

    # Actions.

    def action_up(self) -> None:
        """Move up."""
        self.go(self.cursor - 1)

    def action_down(self) -> None:
        """Move down."""
        self.go(self.cursor + 1)

    def action_page(self, direction: int) -> None:
        """Move a page."""
        self.go(self.cursor + direction * max(1, self.scrollable_content_region.height - 1))

    def action_first(self) -> None:
        """Move to the first line."""
        self.go(0)

    def action_last(self) -> None:
        """Move to the last line."""
        self.go(self.count - 1)

    def action_sideways(self, cells: int) -> None:
        """Scroll sideways."""
        limit = max(0, self._width - self.room)
        self.scroll_to(x=max(0, min(limit, self.scroll_offset.x + cells)), animate=False, force=True)

    def action_choose(self) -> None:
        """Choose the cursor's line."""
        if self.count:
            self.post_message(self.Chosen(self, self.cursor))


def _wrapped(line: str, width: int) -> Iterable[str]:
    import textwrap

    return textwrap.wrap(line, width) or [""]
