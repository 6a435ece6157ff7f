"""What the screens need of the app. `studio.tui.app.StudioApp` is one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from studio.domain.runs import RunOptions
    from studio.tui.remembered import Remembered
    from studio.tui.session import SessionFactory

__all__ = ["Shell"]


class Shell(Protocol):
    """The app, to its screens."""

    session_factory: SessionFactory
    remembered: Remembered

    @property
    def model(self) -> str:
        """The model the next run asks; empty if none was ever chosen."""
        ...

    def run_options(self, model: str) -> RunOptions:
        """Return the options of the next run."""
        ...

    def remember(self) -> None:
        """Write down the choices made here."""
        ...

    def next_theme(self) -> None:
        """Use the next theme."""
        ...
