"""What waits to be sent to one client. Bounded in every kind, so that a slow client is never a memory leak.

Records are not queued at all: a client has a place in the log, and is sent what lies between there and the head. One
that falls out of the hub's recent records gets a snapshot instead, or, if it asked for every record, reads on from the log.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from studio.domain.value import Value
from studio.host.hub import Hub
from studio.protocol.frames import Channel, pack
from studio.protocol.messages import BriefUpdate, Happened, Streamed, Subscribe, ToHost

__all__ = ["MAX_PENDING_ASKS", "Outbox"]

MAX_STREAM_BYTES = 1024 * 1024
MAX_BRIEF_BYTES = 256 * 1024
MAX_PENDING_ASKS = 32
"""Commands one client may have under way; further ones are not read until an answer has gone out."""


class Outbox:
    """The sending side of a client's connection."""

    def __init__(self, channel: Channel[ToHost], hub: Hub, whole_brief: Callable[[str], bytes]) -> None:
        self.may_ask = asyncio.Semaphore(MAX_PENDING_ASKS)
        self._channel = channel
        self._hub = hub
        self._whole_brief = whole_brief
        self._wake = asyncio.Event()
        self._answers: deque[bytes] = deque()
        self._notices: deque[Value] = deque()
        self._cursor: int | None = None
        self._every_record = False
        self._needs_snapshot = False
        self._generation = hub.generation
        self._wants_streams = False
        self._streams: deque[Streamed] = deque()
        self._stream_bytes = 0
        self._briefs: dict[str, list[bytes] | None] = {}
        """Updates by brief; None: too many, the whole document is sent in their place."""

    def answer(self, message: Value) -> None:
        """Send an answer; it gives back the place in `may_ask` that its command took."""
        self._answers.append(pack(message))
        self.wake()

    def notice(self, message: Value) -> None:
        """Send what answers no command."""
        if len(self._notices) < MAX_PENDING_ASKS:
            self._notices.append(message)
        self.wake()

    def subscribe(self, wish: Subscribe) -> None:
        """Send what happens from now on, instead of what was subscribed before."""
        self._every_record = wish.after >= 0
        self._needs_snapshot = wish.after < 0
        self._cursor = max(wish.after, 0)
        self._wants_streams = wish.streams
        self.wake()

    def stream(self, message: Streamed) -> None:
        """Send live bytes; the oldest give way, and their offsets show the gap."""
        if not self._wants_streams:
            return
        self._streams.append(message)
        self._stream_bytes += len(message.data)
        while self._stream_bytes > MAX_STREAM_BYTES:
            self._stream_bytes -= len(self._streams.popleft().data)
        self.wake()

    def brief(self, message: BriefUpdate) -> None:
        """Send an update of a brief document."""
        waiting = self._briefs.setdefault(message.brief, [])
        if waiting is not None:
            waiting.append(message.update)
            if sum(map(len, waiting)) > MAX_BRIEF_BYTES:
                self._briefs[message.brief] = None
        self.wake()

    def wake(self) -> None:
        """There may be something to send."""
        self._wake.set()

    async def run(self) -> None:
        """Send until cancelled.

        Raises:
            ConnectionLost: the client is gone.

        """
        while True:
            if self._answers:
                await self._channel.send_packed(self._answers.popleft())
                self.may_ask.release()
                continue
            message = self._next_notice() or await self._next_event() or self._next_brief() or self._next_stream()
            if message is not None:
                await self._channel.send(message)
                continue
            await self._wake.wait()
            self._wake.clear()

    def _next_notice(self) -> Value | None:
        return self._notices.popleft() if self._notices else None

    async def _next_event(self) -> Value | None:
        if self._cursor is None:
            return None
        if self._needs_snapshot:
            return self._snapshot(resync=False)
        if self._generation != self._hub.generation and not self._every_record:
            return self._snapshot(resync=True)
        cursor = self._cursor
        records = self._hub.recent(cursor)
        if records is None:
            if not self._every_record:
                return self._snapshot(resync=True)
            records = await self._hub.read(cursor)
        if not records or self._cursor != cursor:
            return None
        self._cursor = records[-1].seq
        return Happened(records)

    def _snapshot(self, *, resync: bool) -> Value:
        self._needs_snapshot = False
        self._generation = self._hub.generation
        snapshot = self._hub.snapshot(resync=resync)
        self._cursor = snapshot.seq
        return snapshot

    def _next_brief(self) -> BriefUpdate | None:
        for brief, updates in self._briefs.items():
            if updates is None:
                del self._briefs[brief]
                return BriefUpdate(brief, self._whole_brief(brief))
            update = updates.pop(0)
            if not updates:
                del self._briefs[brief]
            return BriefUpdate(brief, update)
        return None

    def _next_stream(self) -> Streamed | None:
        if not self._streams:
            return None
        message = self._streams.popleft()
        self._stream_bytes -= len(message.data)
        return message
