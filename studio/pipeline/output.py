"""Live output of one step: to the host at once, to the stream table in batches, to an artifact at the end."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from studio.domain.ids import ArtifactId, RunId
from studio.pipeline.services import Services

__all__ = ["OutputStream"]

_FLUSH_SECONDS = 0.1


class OutputStream:
    """Bytes of one stream, in order. Use on one event loop."""

    def __init__(self, services: Services, run: RunId, stream: str) -> None:
        self._services = services
        self._run = run
        self._stream = stream
        self._offset = 0
        self._pending = bytearray()
        self._flusher: asyncio.Task[None] | None = None
        self._stored = False
        self._closing = asyncio.Event()

    def write(self, data: bytes) -> None:
        """Take bytes as they come."""
        if not data:
            return
        self._services.relay.streamed(self._stream, self._offset, data, self._run)
        self._offset += len(data)
        self._pending += data
        if self._flusher is None or self._flusher.done():
            self._flusher = asyncio.create_task(self._flush())

    async def _flush(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), _FLUSH_SECONDS)
        while self._pending and not self._closing.is_set():
            await self._store()

    async def _store(self) -> None:
        data = bytes(self._pending)
        self._pending.clear()
        if not self._stored:
            # A step that runs again after a crash finds the rows of its first try.
            await asyncio.to_thread(self._services.streams.drop, self._stream)
            self._stored = True
        await asyncio.to_thread(self._services.streams.append, self._stream, data)

    async def finish(self) -> ArtifactId:
        """Return the artifact of all of it, empty if nothing was written; the stream's rows are dropped."""
        self._closing.set()
        if self._flusher is not None:
            await self._flusher
        if not self._stored:
            return await self._services.keep(bytes(self._pending)) if self._pending else ArtifactId("")
        if self._pending:
            await self._store()
        return await asyncio.to_thread(self._services.streams.finish, self._stream)
