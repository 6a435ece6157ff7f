"""Small dialogs. Each returns a typed result, None when it was left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import msgspec
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static, TextArea
from textual.widgets.option_list import Option

from widgets.ansi import visible
from widgets.log_view import LogView

__all__ = ["AskLine", "AskText", "Choice", "Choose", "ConfirmPatch", "Options", "ShowText", "Tick"]

_FRAME = """
    align: center middle; background: $ground 60%;
    & > Vertical {
        width: 80%; max-width: 96; height: auto; max-height: 90%;
        background: $raised; border: round $focus; border-title-color: $focus; border-subtitle-color: $ink-soft;
        padding: 1 2;
    }
    & Static.about { height: auto; max-height: 12; margin-bottom: 1; color: $ink; }
    & Input { background: $pane; border: tall $pane-border; }
    & Input:focus { border: tall $focus; }
    & TextArea { background: $pane; height: 16; border: tall $pane-border; }
    & OptionList { background: $raised; border: none; height: auto; max-height: 20; padding: 0; }
    & OptionList:focus { border: none; }
"""


class Options(OptionList):
    """What can be chosen; `j` and `k` move too."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "cursor_down", show=False, id="options.down"),
        Binding("k", "cursor_up", show=False, id="options.up"),
    ]


class Choice(msgspec.Struct, frozen=True):
    """Something to choose."""

    key: str
    title: str
    detail: str = ""


class Tick(Static, can_focus=True):
    """A choice to tick: `[x] text`. Space or a click ticks it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("space,enter", "tick", "Tick", show=False, id="tick.tick")]
    DEFAULT_CSS = "Tick { height: 1; width: 1fr; } Tick:focus { background: $selection; }"

    def __init__(self, text: str, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(Content(f"[ ] {text}"), id=id)
        self._text = text
        self.ticked = False

    def action_tick(self) -> None:
        """Tick, or take it back."""
        self.ticked = not self.ticked
        self.update(Content(f"[{'x' if self.ticked else ' '}] {self._text}"))

    def on_click(self) -> None:
        """Tick, or take it back."""
        self.action_tick()


class AskLine(ModalScreen[str | None]):
    """Ask for one line. Enter gives it, escape leaves."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Cancel", id="dialog.cancel")]
    DEFAULT_CSS = f"AskLine {{ {_FRAME} }}"

    def __init__(self, title: str, about: str = "", value: str = "", placeholder: str = "") -> None:
        super().__init__()
        self._title, self._about, self._value, self._placeholder = title, about, value, placeholder

    def compose(self) -> ComposeResult:
        """Lay out."""
        with Vertical() as frame:
            frame.border_title = Content(self._title)
            frame.border_subtitle = "enter ok · esc cancel"
            if self._about:
                yield Static(Content(self._about), classes="about")
            yield Input(self._value, placeholder=self._placeholder)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value)


class AskText(ModalScreen[str | None]):
    """Ask for a text of many lines. ctrl+s gives it, escape leaves."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "give", "OK", id="dialog.ok", priority=True),
        Binding("escape", "dismiss(None)", "Cancel", id="dialog.cancel", priority=True),
    ]
    DEFAULT_CSS = f"AskText {{ {_FRAME} }}"

    def __init__(self, title: str, about: str = "", value: str = "") -> None:
        super().__init__()
        self._title, self._about, self._value = title, about, value

    def compose(self) -> ComposeResult:
        """Lay out."""
        with Vertical() as frame:
            frame.border_title = Content(self._title)
            frame.border_subtitle = "ctrl+s ok · esc cancel"
            if self._about:
                yield Static(Content(self._about), classes="about")
            area = TextArea(self._value, show_line_numbers=False)
            area.cursor_blink = False
            yield area

    def action_give(self) -> None:
        """Return the text."""
        self.dismiss(self.query_one(TextArea).text)


class Choose(ModalScreen[str | None]):
    """Choose one of several. Returns its key."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Cancel", id="dialog.cancel")]
    DEFAULT_CSS = f"Choose {{ {_FRAME} }}"

    def __init__(self, title: str, choices: Sequence[Choice], about: str = "", start: str = "") -> None:
        super().__init__()
        self._title, self._choices, self._about, self._start = title, choices, about, start

    def compose(self) -> ComposeResult:
        """Lay out."""
        with Vertical() as frame:
            frame.border_title = Content(self._title)
            frame.border_subtitle = "enter choose · esc cancel"
            if self._about:
                yield Static(Content(self._about), classes="about")
            yield Options(*(Option(_line(choice)) for choice in self._choices))

    def on_mount(self) -> None:
        """Start on the given choice."""
        keys = [choice.key for choice in self._choices]
        self.query_one(OptionList).highlighted = keys.index(self._start) if self._start in keys else 0

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._choices[event.option_index].key)


class ShowText(ModalScreen[None]):
    """Show a text to read; terminal colours are kept, all else is made harmless."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "dismiss(None)", "Close", id="dialog.close")]
    DEFAULT_CSS = f"""ShowText {{ {_FRAME}
        & > Vertical {{ width: 94%; max-width: 140; height: 90%; padding: 0 1; }} & LogView {{ background: $raised; }}
    }}"""

    def __init__(self, title: str, text: bytes | str) -> None:
        super().__init__()
        self._title, self._text = title, text

    def compose(self) -> ComposeResult:
        """Lay out."""
        with Vertical() as frame:
            frame.border_title = Content(self._title)
            frame.border_subtitle = "esc close"
            yield LogView(empty="It is empty.")

    def on_mount(self) -> None:
        """Fill in the text."""
        view = self.query_one(LogView)
        view.show(self._text)
        view.focus()


class ConfirmPatch(ModalScreen[bool | None]):
    """Show a patch and ask whether it may be written. Only `y` says yes: enter alone never writes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "dismiss(True)", "Yes", id="dialog.yes"),
        Binding("escape,n,q", "dismiss(None)", "No", id="dialog.no"),
    ]
    DEFAULT_CSS = f"""ConfirmPatch {{ {_FRAME}
        & > Vertical {{ width: 94%; max-width: 140; height: 80%; padding: 0 1; }} & LogView {{ background: $raised; }}
    }}"""

    def __init__(self, title: str, about: str, patch: str) -> None:
        super().__init__()
        self._title, self._about, self._patch = title, about, patch

    def compose(self) -> ComposeResult:
        """Lay out."""
        with Vertical() as frame:
            frame.border_title = Content(self._title)
            frame.border_subtitle = "y yes · n no"
            yield Static(Content(self._about), classes="about")
            yield LogView(empty="It changes nothing.")

    def on_mount(self) -> None:
        """Fill in the patch."""
        view = self.query_one(LogView)
        view.show_patch(self._patch)
        view.focus()


def _line(choice: Choice) -> Content:
    title = Content(visible(choice.title))
    return title + Content("  ") + Content(visible(choice.detail)).stylize("$ink-soft") if choice.detail else title
