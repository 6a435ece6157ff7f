"""Briefs that several people type in at once: documents of pycrdt, which is loaded when the first one is opened."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from studio.domain.errors import StudioError, UsageError

if TYPE_CHECKING:
    from pycrdt import Doc, Text

__all__ = ["TEXT", "SharedBriefs"]

log = logging.getLogger(__name__)

TEXT = "text"
"""Name of the document's root that holds the brief's text."""
SAVE_SECONDS = 1.0
MAX_UPDATE_BYTES = 4 * 1024 * 1024


@dataclass
class _Shared:
    doc: Doc[Text]
    text: Text
    saved: str
    actor: str = ""
    saving: asyncio.Task[None] | None = field(default=None, repr=False)


def _document(saved: str) -> _Shared:
    from pycrdt import Doc, Text

    text = Text(saved)
    doc: Doc[Text] = Doc()
    doc[TEXT] = text
    return _Shared(doc, text, saved)


class SharedBriefs:
    """The open documents. `save` writes a brief's file and records the revision: (brief, text, actor)."""

    def __init__(self, load: Callable[[str], str], save: Callable[[str, str, str], Awaitable[None]]) -> None:
        self._load = load
        self._save = save
        self._open: dict[str, _Shared] = {}

    def whole(self, brief: str) -> bytes:
        """Return the whole of an open document."""
        return self._open[brief].doc.get_update()

    async def join(self, brief: str) -> bytes:
        """Return the whole document of a brief, opening it if need be.

        Raises:
            UsageError: the name cannot be a brief's, or the file cannot be read.

        """
        if brief not in self._open:
            saved = await asyncio.to_thread(self._load, brief)
            self._open.setdefault(brief, _document(saved))
        return self.whole(brief)

    async def update(self, brief: str, update: bytes, actor: str) -> None:
        """Merge an update and save soon.

        Raises:
            UsageError: it is no update of a document, or too large.

        """
        if len(update) > MAX_UPDATE_BYTES:
            raise UsageError(f"An update of {brief} is too large.", "Paste less at a time.")
        await self.join(brief)
        shared = self._open[brief]
        try:
            shared.doc.apply_update(update)
        except Exception as error:  # noqa: BLE001  # whatever pycrdt makes of bytes that are not its own
            raise UsageError(f"An update of {brief} could not be merged: {error}.", "Open the brief again.") from None
        shared.actor = actor
        if shared.saving is None or shared.saving.done():
            shared.saving = asyncio.create_task(self._save_soon(brief, shared))

    def replaced(self, brief: str, text: str) -> bytes | None:
        """Make an open document hold `text`, which was saved by other means; return the update, None if there is none."""
        shared = self._open.get(brief)
        if shared is None or str(shared.text) == text:
            return None
        before = shared.doc.get_state()
        with shared.doc.transaction():
            shared.text.clear()
            shared.text += text
        shared.saved = text
        return shared.doc.get_update(before)

    async def _save_soon(self, brief: str, shared: _Shared) -> None:
        await asyncio.sleep(SAVE_SECONDS)
        await self._save_now(brief, shared)

    async def _save_now(self, brief: str, shared: _Shared) -> None:
        text = str(shared.text)
        if text == shared.saved:
            return
        try:
            await self._save(brief, text, shared.actor)
            shared.saved = text
        except StudioError as error:
            log.warning("the brief %s could not be saved: %s", brief, error)

    async def close(self) -> None:
        """Save what is not saved yet."""
        for brief, shared in self._open.items():
            if shared.saving is not None:
                shared.saving.cancel()
            await self._save_now(brief, shared)
