"""The app mixin that makes the tokens known to a Textual app."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from themes.palettes import PALETTES, STUDIO_DARK
from themes.user import LoadedThemes, ThemeFault, load_user_themes

if TYPE_CHECKING:
    from textual.app import App

    Base = App[object]
else:
    Base = object

__all__ = ["Themed"]


class Themed(Base):
    """Mix in before `App`: tokens exist in CSS under every theme, Textual's own included."""

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Return the tokens that a theme without them falls back to."""
        return STUDIO_DARK.tokens.variables()

    def use_themes(self, name: str, directory: Path | None = None) -> tuple[ThemeFault, ...]:
        """Register the built-in themes and those of `directory`, apply `name` if it exists, and return the faults."""
        loaded = load_user_themes(directory) if directory is not None else LoadedThemes()
        for palette in (*PALETTES, *loaded.palettes):
            self.register_theme(palette.theme())
        if name in self.available_themes:
            self.theme = name
            return loaded.faults
        self.theme = STUDIO_DARK.name
        return (*loaded.faults, ThemeFault(name, "no theme of that name"))
