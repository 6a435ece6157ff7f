"""What came for a subscriber and was not taken yet: bounded, in order, without gaps or repeats."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TypeAlias

import msgspec

from studio.domain.errors import StudioError
from studio.protocol.messages import BriefUpdate, Happened, Snapshot, Streamed

__all__ = ["Forgotten", "Inbox"]

Incoming: TypeAlias = Snapshot | Happened | Streamed | BriefUpdate

MAX_RECORDS = 20_000
MAX_STREAM_BYTES = 4 * 1024 * 1024


class Forgotten:
    """Records were not kept: subscribe again after the last one given."""


class Inbox:
    """A queue that forgets rather than grows: records can be had again from the log, live bytes may have gaps.

    The reader must never wait for the consumer, who may itself be waiting for an answer on the same connection.
    """

    def __init__(self) -> None:
        self.seq = 0
        """The last record or snapshot given to the consumer."""
        self._waiting: deque[Incoming] = deque()
        self._records = 0
        self._stream_bytes = 0
        self._overflowed = False
        self._any = asyncio.Event()
        self._ended = False
        self._why: StudioError | None = None
        self._await_snapshot = False

    def begin(self, after: int) -> None:
        """Start over: the subscription to come gives records after `after`, or a snapshot first if that is -1."""
        self._waiting.clear()
        self._records = self._stream_bytes = 0
        self._overflowed = self._ended = False
        self._why = None
        self._await_snapshot = after < 0
        self.seq = max(after, 0)

    def put(self, message: Incoming) -> None:
        """Take in a message."""
        if isinstance(message, Happened):
            if self._overflowed or self._records + len(message.records) > MAX_RECORDS:
                self._overflowed = True
                self._any.set()
                return
            self._records += len(message.records)
        elif isinstance(message, Streamed):
            if self._stream_bytes + len(message.data) > MAX_STREAM_BYTES:
                return
            self._stream_bytes += len(message.data)
        self._waiting.append(message)
        self._any.set()

    def end(self, why: StudioError | None) -> None:
        """No more will come; the consumer gets what waits, then `why` is raised to it, or the end if None."""
        if not self._ended:
            self._ended, self._why = True, why
        self._any.set()

    async def get(self) -> Incoming | Forgotten | None:
        """Return the next message; `Forgotten` once all that was kept is taken but records were not; None at the end.

        Raises:
            StudioError: why the connection ended, if it was not closed on this side.

        """
        while True:
            while not self._waiting:
                if self._ended:
                    if self._why is not None:
                        raise self._why
                    return None
                if self._overflowed:
                    self._overflowed = False
                    return Forgotten()
                self._any.clear()
                await self._any.wait()
            message = self._in_order(self._waiting.popleft())
            if message is not None:
                return message

    def _in_order(self, message: Incoming) -> Incoming | None:
        """Return what of `message` continues what was given: after subscribing again, older messages may be under way."""
        if isinstance(message, Streamed):
            self._stream_bytes -= len(message.data)
        elif isinstance(message, Snapshot):
            self._await_snapshot = False
            self.seq = message.seq
        elif isinstance(message, Happened):
            self._records -= len(message.records)
            records = message.records
            if self._await_snapshot or not records or records[0].seq > self.seq + 1 or records[-1].seq <= self.seq:
                return None
            fresh = tuple(record for record in records if record.seq > self.seq)
            self.seq = fresh[-1].seq
            return message if len(fresh) == len(records) else msgspec.structs.replace(message, records=fresh)
        return message
