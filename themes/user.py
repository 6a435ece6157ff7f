"""User themes: TOML files in a directory. Every value is parsed before use; broken files are reported and skipped.

A file names a base palette and the tokens it changes:

    base = "studio-dark"
    [tokens]
    accent = "#ffcc00"
    added_ground = "rgb(10, 40, 20)"
"""

from __future__ import annotations

from pathlib import Path

import msgspec
from textual.color import Color, ColorParseError

from themes.palettes import PALETTES
from themes.tokens import Palette, Tokens

__all__ = ["LoadedThemes", "ThemeFault", "load_user_themes"]

MAX_THEME_BYTES = 64 * 1024


class ThemeFault(msgspec.Struct, frozen=True):
    """A theme file that cannot be used, and why, in one line."""

    path: str
    why: str


class LoadedThemes(msgspec.Struct, frozen=True):
    """What a directory held."""

    palettes: tuple[Palette, ...] = ()
    faults: tuple[ThemeFault, ...] = ()


class _BrokenThemeError(Exception):
    """A theme file that cannot be used."""


def load_user_themes(directory: Path) -> LoadedThemes:
    """Return the themes of `*.toml` in `directory`, and those that are broken. An absent directory holds none."""
    import tomllib

    palettes: list[Palette] = []
    faults: list[ThemeFault] = []
    try:
        paths = sorted(directory.glob("*.toml"))
    except OSError as error:
        return LoadedThemes(faults=(ThemeFault(str(directory), str(error)),))
    for path in paths:
        try:
            palettes.append(_read(path))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, _BrokenThemeError) as error:
            faults.append(ThemeFault(str(path), str(error)))
    return LoadedThemes(tuple(palettes), tuple(faults))


def _read(path: Path) -> Palette:
    import tomllib

    if path.stat().st_size > MAX_THEME_BYTES:
        raise _BrokenThemeError(f"larger than {MAX_THEME_BYTES // 1024} KiB")
    document: dict[str, object] = tomllib.loads(path.read_text("utf-8"))
    unknown = set(document) - {"base", "tokens", "dark"}
    if unknown:
        raise _BrokenThemeError(f"unknown key {min(unknown)!r}; the keys are base, dark, tokens")
    base = _base(document.get("base", "studio-dark"))
    dark = document.get("dark", base.dark)
    if not isinstance(dark, bool):
        raise _BrokenThemeError("dark is not true or false")
    tokens = document.get("tokens", {})
    if not isinstance(tokens, dict):
        raise _BrokenThemeError("tokens is not a table")
    changes = {str(name): _colour(str(name), value) for name, value in tokens.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] TOML values
    return Palette(path.stem, dark, msgspec.structs.replace(base.tokens, **changes))


def _base(name: object) -> Palette:
    for palette in PALETTES:
        if palette.name == name:
            return palette
    raise _BrokenThemeError(f"unknown base {name!r}; the bases are {', '.join(palette.name for palette in PALETTES)}")


def _colour(name: str, value: object) -> str:
    if name not in Tokens.__struct_fields__:
        raise _BrokenThemeError(f"unknown token {name!r}")
    if not isinstance(value, str):
        raise _BrokenThemeError(f"token {name!r} is not a string")
    try:
        Color.parse(value)
    except ColorParseError as error:
        raise _BrokenThemeError(f"token {name!r}: {str(error).splitlines()[0]}") from None
    return value
