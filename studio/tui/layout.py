"""Which panes are shown where, for a size: pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

__all__ = ["Layout", "arrange"]

WIDE, MEDIUM = (160, 30), (100, 16)
"""Cells wide and high from which there are three columns, or two."""
ALL = ("brief", "timeline", "files", "review", "checks", "console")
GROUPS: dict[str, tuple[tuple[str, ...], ...]] = {
    "wide": (("files",), ("brief", "review"), ("timeline",), ("checks",), ("console",)),
    "medium": (("files", "brief", "review"), ("timeline", "checks", "console")),
    "narrow": (ALL,),
}


class Layout(msgspec.Struct, frozen=True):
    """A layout's name (`wide`, `medium`, `narrow`) and, by pane shown, the panes that share its place."""

    name: str
    places: dict[str, tuple[str, ...]]


def arrange(width: int, height: int, recent: Sequence[str], *, zoomed: bool) -> Layout:
    """Return the layout for a terminal's size; of panes sharing a place, the one latest in `recent` is shown."""
    name = "narrow"
    if not zoomed:
        name = next(
            (kind for kind, (w, h) in (("wide", WIDE), ("medium", MEDIUM)) if width >= w and height >= h), "narrow"
        )
    places: dict[str, tuple[str, ...]] = {}
    for group in GROUPS[name]:
        places[max(group, key=lambda pane: recent.index(pane) if pane in recent else -1)] = group
    return Layout(name, places)
