"""The command palette's entries, made from the registry of keys."""

from __future__ import annotations

from functools import partial
from typing import Protocol, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from studio.tui.keys import KEYS, PANES, Key, key_label

__all__ = ["StudioCommands"]


class Presses(Protocol):
    """A screen that does what a binding does."""

    async def press(self, id_: str) -> None:
        """Do what the binding of that id does."""
        ...


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
        await cast("Presses", self.screen).press(id_)


def title(key: Key) -> str:
    """Return how the palette calls a binding: `Review: accept file  A`."""
    pane = next((pane.title for pane in PANES if pane.id == key.pane), "Studio")
    return f"{pane}: {key.label}  {key_label(key.keys)}"
