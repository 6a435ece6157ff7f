from __future__ import annotations

from pathlib import Path

import pytest
from textual.color import Color

from themes import PALETTES, Palette, Tokens, load_user_themes


@pytest.mark.parametrize("palette", PALETTES, ids=lambda palette: palette.name)
def test_every_colour_parses_and_text_can_be_read(palette: Palette) -> None:
    colours = {name: Color.parse(getattr(palette.tokens, name)) for name in Tokens.__struct_fields__}
    palette.theme()
    for ink in (
        "ink",
        "ink_soft",
        "accepted",
        "rejected",
        "undecided",
        "running",
        "done",
        "failed",
        "waiting",
        "reused",
    ):
        for ground in ("pane", "raised", "selection"):
            wanted = 4.5 if ground == "pane" else 3.0
            assert contrast(colours[ink], colours[ground]) >= wanted, (ink, ground)


def contrast(one: Color, other: Color) -> float:
    """The contrast ratio of WCAG 2."""

    def luminance(colour: Color) -> float:
        parts = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in colour.normalized]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_user_themes_are_loaded_and_broken_ones_reported(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('base = "studio-light"\n[tokens]\naccent = "#ff0000"\n')
    (tmp_path / "colour.toml").write_text('[tokens]\naccent = "no such colour"\n')
    (tmp_path / "token.toml").write_text('[tokens]\nglitter = "#fff"\n')
    (tmp_path / "syntax.toml").write_text("[tokens\n")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    (tmp_path / "base.toml").write_text('base = "nope"\n')
    loaded = load_user_themes(tmp_path)
    assert [palette.name for palette in loaded.palettes] == ["mine"]
    assert loaded.palettes[0].tokens.accent == "#ff0000"
    assert not loaded.palettes[0].dark
    assert {Path(fault.path).stem for fault in loaded.faults} == {"colour", "token", "syntax", "bytes", "base"}
    assert all(fault.why and "\n" not in fault.why for fault in loaded.faults)


def test_no_directory_no_themes(tmp_path: Path) -> None:
    assert load_user_themes(tmp_path / "absent").palettes == ()
