"""Whatever a widget is given to paint, the terminal is told nothing but text."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.content import Content
from textual.widgets import OptionList, Static, TextArea

from widgets.harmless import Harmless

EVIL = "a\x1b]52;c;aGk=\x07b\x9b31mc\u202ed\x1b[2J"


class Careless(Harmless, App[None]):
    """An app whose widgets forgot to clean what they show."""

    def compose(self) -> ComposeResult:
        yield Static(Content(EVIL))
        yield Static(EVIL, markup=False)
        yield OptionList(EVIL, markup=False)
        yield TextArea(EVIL)

    def on_mount(self) -> None:
        self.notify(EVIL, title=EVIL, markup=False)


async def test_no_widget_reaches_the_terminal_with_a_control_character() -> None:
    app = Careless()
    async with app.run_test(size=(80, 30)) as pilot:
        await pilot.pause()
        painted = "".join(
            segment.text for line in app.screen._compositor.render_strips() for segment in line if not segment.control
        )
    assert "]52;c;aGk=" in painted
    assert not set("\x1b\x07\x9b\u202e") & set(painted)
