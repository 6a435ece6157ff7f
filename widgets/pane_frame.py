"""The frame of a pane: a border whose top line holds the tabs of the place the pane is in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import msgspec
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content

from widgets.ansi import clean

__all__ = ["PaneFrame", "Tab"]


class Tab(msgspec.Struct, frozen=True):
    """A tab: the number that shows it, its title, the action a click does."""

    number: int
    title: str
    active: bool
    action: str
    alert: str = ""
    """A glyph after the title: something there wants a look."""


class PaneFrame(Vertical):
    """A bordered pane. Its title is a row of tabs; its subtitle is one line about what it shows."""

    BINDINGS: ClassVar[list[BindingType]] = []
    DEFAULT_CSS = """
    PaneFrame {
        border: round $pane-border; background: $pane; border-title-color: $ink; border-subtitle-color: $ink-soft;
        padding: 0;
        &:focus-within, &:focus { border: round $focus; border-title-color: $focus; }
    }
    """

    def set_tabs(self, tabs: Sequence[Tab]) -> None:
        """Show the tabs. Titles are ours, never a stranger's text."""
        parts: list[Content] = []
        for tab in tabs:
            look = "bold" if tab.active else "not bold $ink-soft"
            text = f"{tab.number} {tab.title}{tab.alert}"
            parts.append(Content.from_markup(f"[@click={tab.action}]$text[/]", text=text).stylize(look))
        self.border_title = Content(" │ ").join(parts) if parts else Content("")

    def set_subtitle(self, text: str) -> None:
        """Show one line at the bottom; any text."""
        self.border_subtitle = Content(clean(text, 200))
