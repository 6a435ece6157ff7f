"""Semantic tokens: what a colour is for. Widgets name tokens in their CSS, never colours."""

from __future__ import annotations

import msgspec
from textual.theme import Theme

__all__ = ["Palette", "Tokens"]


class Tokens(msgspec.Struct, frozen=True):
    """One colour for each meaning, as any string `textual.color.Color.parse` reads. Token `a_b` is `$a-b` in CSS."""

    ground: str
    """Behind everything."""
    pane: str
    """Behind a pane's content."""
    raised: str
    """Dialogs, the header, the footer."""
    pane_border: str
    focus: str
    """The border and title of the pane that has the keys."""
    ink: str
    """Text."""
    ink_soft: str
    """Secondary text; at least 4.5:1 on `pane`."""
    ink_faint: str
    """Line numbers, guides; never the only carrier of a fact."""
    accent: str
    key: str
    """A key's name in the footer and the help."""
    selection: str
    """Behind the cursor's line in a focused pane."""
    selection_idle: str
    """Behind the cursor's line in a pane without focus."""
    gutter: str
    added: str
    added_ground: str
    removed: str
    removed_ground: str
    changed: str
    accepted: str
    rejected: str
    undecided: str
    edited: str
    running: str
    done: str
    failed: str
    waiting: str
    reused: str
    skipped: str
    warning_ink: str
    remark: str
    remark_ground: str
    match_exact: str
    match_loose: str
    brief_covered: str
    brief_open: str
    brief_failed: str
    syntax_keyword: str
    syntax_string: str
    syntax_number: str
    syntax_comment: str
    syntax_name: str

    def variables(self) -> dict[str, str]:
        """Return the tokens as CSS variables."""
        return {name.replace("_", "-"): str(getattr(self, name)) for name in self.__struct_fields__}


class Palette(msgspec.Struct, frozen=True):
    """A named set of tokens."""

    name: str
    dark: bool
    tokens: Tokens

    def theme(self) -> Theme:
        """Return the palette as a Textual theme; every colour must parse."""
        tokens = self.tokens
        variables = tokens.variables() | {
            "border": tokens.focus,
            "border-blurred": tokens.pane_border,
            "block-cursor-background": tokens.accent,
            "block-cursor-foreground": tokens.ground,
            "input-selection-background": tokens.selection,
            "input-cursor-background": tokens.ink,
            "scrollbar": tokens.pane_border,
            "scrollbar-hover": tokens.ink_faint,
            "scrollbar-active": tokens.ink_soft,
            "scrollbar-background": tokens.pane,
            "scrollbar-background-hover": tokens.pane,
            "scrollbar-background-active": tokens.pane,
            "scrollbar-corner-color": tokens.pane,
        }
        return Theme(
            name=self.name,
            dark=self.dark,
            primary=tokens.accent,
            secondary=tokens.ink_soft,
            accent=tokens.accent,
            foreground=tokens.ink,
            background=tokens.ground,
            surface=tokens.pane,
            panel=tokens.raised,
            boost=tokens.raised,
            warning=tokens.warning_ink,
            error=tokens.failed,
            success=tokens.done,
            variables=variables,
        )
