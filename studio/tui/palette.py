"""The command palette's entries, made from the registry of keys."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from studio.tui.keys import KEYS, PANES, Key, key_label

if TYPE_CHECKING:
    from studio.tui.screens.main import MainScreen

__all__ = ["StudioCommands"]


class StudioCommands(Provider):
    """Everything a key does, by name."""

    async def discover(self) -> Hits:
        """Offer everything."""
        for key in KEYS:
            yield DiscoveryHit(title(key), partial(self._press, key.id), help=key.tooltip)

    async def search(self, query: str) -> Hits:
        """Offer what matches."""
        matcher = self.matcher(query)
        for key in KEYS:
            text = title(key)
            score = matcher.match(f"{text} {key.tooltip}")
            if score > 0:
                yield Hit(score, matcher.highlight(text), partial(self._press, key.id), help=key.tooltip)

    async def _press(self, id_: str) -> None:
        await cast("MainScreen", self.screen).press(id_)


def title(key: Key) -> str:
    """Return how the palette calls a binding: `Review: accept file  A`."""
    pane = next((pane.title for pane in PANES if pane.id == key.pane), "Studio")
    return f"{pane}: {key.label}  {key_label(key.keys)}"
