"""Uses of Textual's private parts, in one place. Checked against the pinned version by tests.

`CellDiff` keeps a shadow of what the terminal shows and writes only runs of cells that changed: a stock `TextArea`
repaints itself whole on every key (8.6 KB at 160x48; 149 bytes with this), which is felt over ssh.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

from rich.control import Control
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.strip import Strip

if TYPE_CHECKING:
    from rich.console import RenderableType
    from textual import events
    from textual.app import App
    from textual.screen import Screen

    Base = App[object]
else:
    Base = object

__all__ = ["CellDiff"]

Cell: TypeAlias = "tuple[str, Style | None]"
"""A cell's text and style; the second cell of a wide character has an empty text."""
GAP = 6
"""Unchanged cells that are cheaper to write again than to move over."""


class CellDiff(Base):
    """Mix in before `App`: writes only the cells that changed. The shadow is dropped on resize and on resume."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._rows: dict[int, list[Cell]] = {}
        self._shadow_size = (0, 0)

    def forget_terminal(self) -> None:
        """Say that the terminal may show something else than what was written: the next paint writes everything."""
        self._rows.clear()

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        if not isinstance(renderable, (ChopsUpdate, LayoutUpdate)) or self.is_headless or self.is_inline:
            self.forget_terminal()
            super()._display(screen, renderable)  # pyright: ignore[reportUnknownMemberType] Textual leaves the screen's result open
            return
        size = (self.size.width, self.size.height)
        if size != self._shadow_size:
            self._shadow_size = size
            self.forget_terminal()
        if self._batch_count:
            return
        super()._display(screen, _Changed(self, renderable))  # pyright: ignore[reportUnknownMemberType] as above

    def write_changes(self, update: ChopsUpdate | LayoutUpdate) -> list[Segment]:
        """Return the segments (moves and texts) that bring the terminal from the shadow to `update`."""
        out: list[Segment] = []
        for y, x, cells in _runs(update):
            row = self._rows.get(y)
            if row is None:
                row = self._rows[y] = [("\0", None)] * self._shadow_size[0]
            _emit(out, y, x, cells, row)
        return out

    def _fatal_error(self) -> None:
        """End without printing a traceback: whoever ran the app raises what is in `fault`."""
        self._close_messages_no_wait()

    @property
    def fault(self) -> Exception | None:
        """What ended the app, None if it was a person."""
        return self._exception

    def _resume_signal(self) -> None:
        self.forget_terminal()
        super()._resume_signal()

    def on_resize(self, _event: events.Resize) -> None:
        """Drop the shadow: terminals reflow what they show."""
        self.forget_terminal()


class _Changed(LayoutUpdate):
    """What is left of an update after unchanged cells are taken out."""

    def __init__(self, app: CellDiff, update: ChopsUpdate | LayoutUpdate) -> None:
        self._app = app
        self._update = update

    def render_segments(self, console: Any) -> str:
        segments = self._app.write_changes(self._update)
        return Strip(segments).render(console) if segments else ""


def _runs(update: ChopsUpdate | LayoutUpdate) -> Iterable[tuple[int, int, list[Cell]]]:
    if isinstance(update, LayoutUpdate):
        for y, line in enumerate(update.strips, update.region.y):
            yield y, update.region.x, _cells(segment for strip in line for segment in strip)
        return
    for y, x1, x2 in update.spans:
        for end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
            if strip is None or x > x2 or end <= x1:
                continue
            part = strip if x2 > x >= x1 and end <= x2 else strip.crop(0, min(end, x2) - x)
            yield y, x, _cells(part)


def _cells(segments: Iterable[Segment]) -> list[Cell]:
    from textual._cells import cell_len

    cells: list[Cell] = []
    for text, style, control in segments:
        if control:
            continue
        if text.isascii():
            cells.extend((char, style) for char in text)
            continue
        for char in text:
            width = cell_len(char)
            if width == 0 and cells:
                last = next(at for at in range(len(cells) - 1, -1, -1) if cells[at][0] or at == 0)
                cells[last] = (cells[last][0] + char, cells[last][1])
            elif width:
                cells.append((char, style))
                cells.extend([("", style)] * (width - 1))
    return cells


def _emit(out: list[Segment], y: int, x: int, cells: list[Cell], row: list[Cell]) -> None:
    width = len(row)
    cells = cells[: max(0, width - x)]
    changed = [at for at, cell in enumerate(cells) if row[x + at] != cell]
    if not changed:
        return
    start = previous = changed[0]
    spans: list[tuple[int, int]] = []
    for at in changed[1:]:
        if at - previous > GAP:
            spans.append((start, previous + 1))
            start = at
        previous = at
    spans.append((start, previous + 1))
    for first, end in spans:
        begin = first
        while begin > 0 and cells[begin][0] == "":
            begin -= 1
        stop = end
        while stop < len(cells) and cells[stop][0] == "":
            stop += 1
        out.append(Control.move_to(x + begin, y).segment)
        out.extend(_joined(cells[begin:stop]))
    row[x : x + len(cells)] = cells


def _joined(cells: list[Cell]) -> list[Segment]:
    joined: list[Segment] = []
    text = cells[0][0]
    style = cells[0][1]
    for char, its in cells[1:]:
        if its == style or its is style:
            text += char
        else:
            joined.append(Segment(text, style))
            text, style = char, its
    joined.append(Segment(text, style))
    return joined
