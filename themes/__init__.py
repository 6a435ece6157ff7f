"""Looks: semantic tokens, the built-in palettes, and the loader of user themes. Knows Textual, nothing above it."""

from __future__ import annotations

from themes.apply import Themed
from themes.palettes import PALETTES, STUDIO_DARK, STUDIO_LIGHT
from themes.tokens import Palette, Tokens
from themes.user import LoadedThemes, ThemeFault, load_user_themes

__all__ = [
    "PALETTES",
    "STUDIO_DARK",
    "STUDIO_LIGHT",
    "LoadedThemes",
    "Palette",
    "ThemeFault",
    "Themed",
    "Tokens",
    "load_user_themes",
]
