"""What all panes share."""

from __future__ import annotations

import logging
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from textual.message import Message
from textual.screen import ModalScreen
from textual.widget import Widget

from studio.tui.keys import PANES, bindings
from widgets.pane_frame import PaneFrame

if TYPE_CHECKING:
    from studio.tui.store import Store

__all__ = ["Pane", "answered", "guarded"]

R = TypeVar("R")


async def guarded(widget: Widget, work: Coroutine[Any, Any, object]) -> None:
    """Do `work`; a failure is told in place of being raised. One nobody expected goes to the log with its traceback."""
    from studio.domain.errors import StudioError

    try:
        await work
    except StudioError as error:
        widget.notify(error.do or " ", title=error.what, severity="error", markup=False, timeout=10)
    except Exception as error:
        logging.getLogger(__name__).exception("an action failed")
        what = f"An internal error: {type(error).__name__}"
        do = "Nothing was changed here. The traceback is in studio.log; `studio doctor` names the folder."
        widget.notify(do, title=what, severity="error", markup=False, timeout=10)


async def answered(widget: Widget, dialog: ModalScreen[R]) -> R | None:
    """Show a dialog and return its result, None if it was left. To be awaited in a worker."""
    return await widget.app.push_screen_wait(dialog)  # pyright: ignore[reportUnknownMemberType] the app's own type does not matter


class Pane(PaneFrame):
    """A pane of the studio: shows the store when told that it changed."""

    ID: ClassVar[str]

    @dataclass
    class Reveal(Message):
        """Asks for another pane to be shown, at a path and line if given."""

        pane: str
        path: str = ""
        line: int = 0

    @dataclass
    class RunWanted(Message):
        """Asks for another run to be put in view."""

        run: str

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Give the pane its keys."""
        cls.BINDINGS = list(bindings(cls.ID))
        super().__init_subclass__(**kwargs)

    def __init__(self, store: Store) -> None:
        super().__init__(id=self.ID)
        self.store = store

    @property
    def title_text(self) -> str:
        """The pane's title."""
        return next(pane.title for pane in PANES if pane.id == self.ID)

    def show(self) -> None:
        """Present the store."""
        raise NotImplementedError

    def enter(self) -> None:
        """Take the keys."""
        raise NotImplementedError

    def reveal(self, path: str, line: int) -> None:
        """Show a place; panes without places need not."""

    def act(self, work: Coroutine[Any, Any, None]) -> None:
        """Do `work` without blocking; a failure is shown as what it is and what to do."""
        self.run_worker(guarded(self, work), group=self.ID)

    def say(self, text: str) -> None:
        """Tell something that went well."""
        self.notify(text, markup=False, timeout=4)
