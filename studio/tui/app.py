"""The app: themes, what is remembered, the main screen. Everything else is below it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import App

from studio.tui.remembered import Remembered
from studio.tui.screens.main import MainScreen
from studio.tui.store import Store
from studio.tui.terminal import is_remote, terminal_problem
from themes import Themed
from widgets._textual_hacks import CellDiff
from widgets.harmless import Harmless

if TYPE_CHECKING:
    from textual.command import Provider

    from studio.domain.places import Places
    from studio.domain.runs import RunOptions
    from studio.tui.session import SessionFactory

__all__ = ["StudioApp", "run_studio", "terminal_problem"]


def _palette() -> type[Provider]:
    from studio.tui.palette import StudioCommands

    return StudioCommands


class StudioApp(Themed, CellDiff, Harmless, App[None]):  # pyright: ignore[reportGeneralTypeIssues] mixins of an app of any result
    """The studio. Give it a factory of sessions; it paints first and connects then."""

    CSS_PATH = "screens/main.tcss"  # Textual does not read the stylesheet of a default screen
    TITLE = "QuantumLayer Studio"
    COMMANDS: ClassVar[set[Any]] = {_palette}
    ENABLE_COMMAND_PALETTE = True

    def __init__(
        self,
        session_factory: SessionFactory,
        places: Places,
        *,
        name: str = "",
        theme: str = "",
        themes_dir: Path | None = None,
        options: RunOptions | None = None,
        brief: str = "",
        run: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Make the app.

        Args:
            session_factory: opens the connection to the host.
            places: of the repository.
            name: the person's.
            theme: a theme's name; the one used last if empty.
            themes_dir: where the user's themes are.
            options: of the runs started here; their model, if not empty, is the default one.
            brief: the brief to open; the one open last if empty.
            run: the run to put in view; the latest if empty.
            clock: Unix seconds now.

        """
        super().__init__()
        self.session_factory = session_factory
        self._memory = places.state / "tui.json"
        self.remembered = Remembered.load(self._memory)
        self._options = options
        self.store = Store(
            Path(places.worktree).name, name, brief=brief or self.remembered.brief, run_id=run, clock=clock
        )
        self._theme_faults = self.use_themes(theme or self.remembered.theme or "studio-dark", themes_dir)
        if is_remote(os.environ):
            self.animation_level = "none"

    def get_default_screen(self) -> MainScreen:
        """Return the studio: the one screen there is."""
        return MainScreen(self.store)

    def on_mount(self) -> None:
        """Tell which themes are not used."""
        for fault in self._theme_faults:
            self.notify(fault.why, title=f"Theme {Path(fault.path).name} is not used", severity="warning", markup=False)

    @property
    def model(self) -> str:
        """The model the next run asks; empty if none was ever chosen."""
        return self.remembered.model or (self._options.model if self._options is not None else "")

    def run_options(self, model: str) -> RunOptions:
        """Return the options of the next run."""
        import msgspec

        from studio.domain.runs import RunOptions

        base = self._options or RunOptions(model)
        return msgspec.structs.replace(base, model=model)

    def remember(self) -> None:
        """Write down the choices made here."""
        self.remembered.brief = self.store.brief
        self.remembered.save(self._memory)

    def next_theme(self) -> None:
        """Use the next of the studio's and the user's themes."""
        names = sorted(name for name in self.available_themes if not name.startswith("textual-"))
        own = [name for name in names if name.startswith("studio-")] or names
        at = own.index(self.theme) if self.theme in own else -1
        self.theme = self.remembered.theme = own[(at + 1) % len(own)]
        self.remember()

    async def on_unmount(self) -> None:
        """Close the connection; what runs goes on."""
        if self.store.session is not None:
            await self.store.session.close()


def run_studio(session_factory: SessionFactory, places: Places, **options: Any) -> None:
    """Show the studio until the person leaves. Takes what `StudioApp` takes.

    Raises:
        StudioError: the terminal cannot show it.

    """
    problem = terminal_problem(os.environ)
    if problem is not None:
        from studio.domain.errors import error_of

        raise error_of(problem)
    app = StudioApp(session_factory, places, **options)
    app.run()
    if app.fault is not None:
        raise app.fault
