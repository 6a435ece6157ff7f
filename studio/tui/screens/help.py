"""Every key, made from the registry."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from studio.tui.keys import PANES, Key, key_label, keys_of

__all__ = ["HelpScreen"]

MOVING = (
    ("j k ↑ ↓", "move"),
    ("g G", "first, last"),
    ("space h l", "fold, unfold"),
    ("] [ · n p", "next, previous hunk"),
    ("} {", "next, previous file"),
    ("tab", "next pane"),
    ("^p", "palette: everything by name"),
)


class HelpScreen(ModalScreen[None]):
    """Shows all keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark", "dismiss(None)", "Close", id="help.close")
    ]
    DEFAULT_CSS = """
    HelpScreen {
        align: center middle; background: $ground 60%;
        & > Vertical {
            width: 92; max-width: 96%; height: 90%; background: $raised; border: round $focus;
            border-title-color: $focus; border-subtitle-color: $ink-soft; padding: 0 2;
        }
        & Static { height: auto; }
    }
    """

    def compose(self) -> ComposeResult:
        """Lay out."""
        with Vertical() as frame:
            frame.border_title = Content("Keys")
            frame.border_subtitle = "esc close"
            with VerticalScroll():
                yield Static(_page())


def _page() -> Content:
    parts = [_section("Everywhere", [(_keys(key), key.tooltip) for key in keys_of("screen")])]
    parts.append(_section("Moving", list(MOVING)))
    parts += [_section(pane.title, [(_keys(key), key.tooltip) for key in keys_of(pane.id)]) for pane in PANES]
    return Content("\n\n").join(parts)


def _section(title: str, lines: list[tuple[str, str]]) -> Content:
    rows = [Content(f"  {keys:<16}").stylize("bold $key") + Content(text) for keys, text in lines]
    return Content("\n").join([Content(title).stylize("bold $accent"), *rows])


def _keys(key: Key) -> str:
    return " ".join(key_label(name) for name in key.keys.split(","))
