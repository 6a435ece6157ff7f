"""One-line bars: what is going on at the top, what keys do at the bottom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import msgspec
from rich.cells import cell_len
from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

__all__ = ["BarItem", "KeyBar", "KeyItem", "StatusBar"]


class BarItem(msgspec.Struct, frozen=True):
    """A piece of the status bar. `tone` is a component class of `StatusBar` without its prefix; 0 is dropped last."""

    text: str
    tone: str = "ink"
    rank: int = 5
    short: str = ""
    """What stands for it where there is little room."""


class KeyItem(msgspec.Struct, frozen=True):
    """A key and what it does; `id` names the binding."""

    key: str
    label: str
    id: str


class StatusBar(Widget):
    """A line of items. Where they do not fit, the highest ranks are shortened, then left out."""

    TONES: ClassVar[tuple[str, ...]] = ("ink", "soft", "strong", "running", "done", "failed", "waiting", "reused")
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"status--{tone}" for tone in TONES}
    DEFAULT_CSS = """
    StatusBar {
        height: 1; background: $raised; color: $ink;
        & .status--soft { color: $ink-soft; }
        & .status--strong { color: $ink; text-style: bold; }
        & .status--running { color: $running; }
        & .status--done { color: $done; }
        & .status--failed { color: $failed; text-style: bold; }
        & .status--waiting { color: $waiting; text-style: bold; }
        & .status--reused { color: $reused; }
    }
    """
    GAP = "   "

    def __init__(self, items: Sequence[BarItem] = (), *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._items = tuple(items)

    def set_items(self, items: Sequence[BarItem]) -> None:
        """Show the items."""
        if tuple(items) != self._items:
            self._items = tuple(items)
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Render the line."""
        base = self.rich_style
        width = self.size.width
        if y:
            return Strip.blank(width, base)
        segments = [Segment(" ", base)]
        for number, (text, tone) in enumerate(self._fitting(width - 2)):
            style = base + self.get_component_rich_style(f"status--{tone}", partial=True)
            segments.append(Segment((self.GAP if number else "") + text, style))
        return Strip(segments).adjust_cell_length(width, base)

    def _fitting(self, width: int) -> list[tuple[str, str]]:
        texts = [item.text for item in self._items]
        order = sorted(range(len(texts)), key=lambda at: -self._items[at].rank)
        for shorten in (True, False):
            for at in order:
                shown = [text for text in texts if text]
                if sum(map(cell_len, shown)) + len(self.GAP) * (len(shown) - 1) <= width:
                    break
                item = self._items[at]
                if shorten:
                    texts[at] = item.short or item.text
                elif item.rank:
                    texts[at] = ""
        return [(text, item.tone) for text, item in zip(texts, self._items, strict=True) if text]


class KeyBar(Widget):
    """What the keys of the focused pane do; each is also a button."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"keys--key", "keys--label"}
    DEFAULT_CSS = """
    KeyBar {
        height: 1; background: $raised; color: $ink-soft;
        & .keys--key { color: $key; text-style: bold; }
        & .keys--label { color: $ink-soft; }
    }
    """

    @dataclass
    class Pressed(Message):
        """A key's label was clicked."""

        id: str

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._items: tuple[KeyItem, ...] = ()

    def set_items(self, items: Sequence[KeyItem]) -> None:
        """Show the keys, the first ones where not all fit; the last one is always shown."""
        if tuple(items) != self._items:
            self._items = tuple(items)
            self.refresh()

    def _shown(self) -> list[tuple[int, int, KeyItem]]:
        room = self.size.width - 2
        if not self._items:
            return []
        *first, last = self._items
        spans: list[tuple[int, int, KeyItem]] = []
        x = 1
        for item in first:
            end = x + _length(item)
            if end + 2 + _length(last) > room:
                break
            spans.append((x, end, item))
            x = end + 2
        spans.append((x, x + _length(last), last))
        return spans

    def render_line(self, y: int) -> Strip:
        """Render the line."""
        base = self.rich_style
        width = self.size.width
        if y:
            return Strip.blank(width, base)
        key = base + self.get_component_rich_style("keys--key", partial=True)
        label = base + self.get_component_rich_style("keys--label", partial=True)
        segments = [Segment(" ", base)]
        for _, _, item in self._shown():
            segments += [Segment(item.key, key), Segment(f" {item.label}  ", label)]
        return Strip(segments).adjust_cell_length(width, base)

    def on_click(self, event: events.Click) -> None:
        """Press the key under the pointer."""
        for start, end, item in self._shown():
            if start <= event.x < end:
                self.post_message(self.Pressed(item.id))


def _length(item: KeyItem) -> int:
    return cell_len(item.key) + 1 + cell_len(item.label)
