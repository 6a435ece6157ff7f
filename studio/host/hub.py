"""The log as everybody attached sees it: followed, folded once, and kept at hand for those who are a little behind."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence

import msgspec

from studio.domain.events import Draft, Record
from studio.domain.fold import apply, fold
from studio.domain.ids import RunId
from studio.domain.state import STATE_VERSION, RunState, StudioState
from studio.domain.value import encode
from studio.host.parts import Snapshots
from studio.ports.journal import Journal
from studio.protocol.messages import Snapshot, WireRecord, wire

__all__ = ["Hub"]

log = logging.getLogger(__name__)

PAGE = 500
RECENT_RECORDS = 5_000
RECENT_BYTES = 16 * 1024 * 1024
BATCH_BYTES = 4 * 1024 * 1024
SNAPSHOT_EVERY = 2_000
RUNS_WITH_ROWS = 30
"""Finished runs whose timeline rows stay in the state; `run` folds those of older ones from the log."""
_WAIT_SECONDS = 0.5


class Hub:
    """Follows the log. Everything here but the blocking calls happens on the event loop."""

    def __init__(self, journal: Journal, snapshots: Snapshots) -> None:
        self.state = StudioState()
        self._journal = journal
        self._snapshots = snapshots
        self._recent: deque[tuple[WireRecord, int]] = deque()
        self._recent_bytes = 0
        self._saved_seq = 0
        self._grown = asyncio.Event()
        self._folded = asyncio.Condition()
        self._listeners: list[Callable[[Sequence[Record]], None]] = []
        self._packed: tuple[int, Snapshot] | None = None
        self._stale = False
        self.generation = 0
        """Raised when the state was folded anew: clients that hold an older one get a snapshot."""

    @property
    def head(self) -> int:
        """The last record folded."""
        return self.state.seq

    def listen(self, listener: Callable[[Sequence[Record]], None]) -> None:
        """Call `listener` on the loop with records just folded."""
        self._listeners.append(listener)

    async def load(self) -> None:
        """Take up the latest snapshot and fold what came after it."""
        self.state = await asyncio.to_thread(self._load)
        self._saved_seq = self.state.seq
        self._trim()

    def _load(self) -> StudioState:
        state = self._snapshots.load() or StudioState()
        while records := self._journal.read(state.seq, PAGE):
            fold(records, state)
        return state

    async def append(self, *drafts: Draft) -> list[Record]:
        """Append drafts and return their records once they are folded into `state`."""
        records = await asyncio.to_thread(self._journal.append, drafts)
        self._grown.set()
        if records:
            last = max(record.seq for record in records)
            await self._reach(last)
        return records

    def poke(self) -> None:
        """Look at the log now: somebody said it has grown."""
        self._grown.set()

    async def run(self) -> None:
        """Follow the log until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch())
            while True:
                await self._grown.wait()
                self._grown.clear()
                if self._stale:
                    await self._fold_anew()
                while records := await asyncio.to_thread(self._journal.read, self.state.seq, PAGE):
                    await self._take(records)

    def forget(self) -> None:
        """Fold the log anew: payloads were erased from it, and nothing made of them may stay."""
        self._stale = True
        self._grown.set()

    async def _fold_anew(self) -> None:
        self._stale = False
        self.state = await asyncio.to_thread(self._fold_all)
        self._recent.clear()
        self._recent_bytes = 0
        self._packed = None
        self.generation += 1
        for listener in self._listeners:
            listener(())
        async with self._folded:
            self._folded.notify_all()

    def _fold_all(self) -> StudioState:
        state = StudioState()
        while records := self._journal.read(state.seq, PAGE):
            fold(records, state)
        return state

    async def _watch(self) -> None:
        while True:
            seq = self.state.seq
            if await asyncio.to_thread(self._journal.wait, seq, _WAIT_SECONDS) > seq:
                self._grown.set()
                await self._reach(seq + 1)

    async def _reach(self, seq: int) -> None:
        """Wait until record `seq` is folded."""
        async with self._folded:
            await self._folded.wait_for(lambda: self.state.seq >= seq)

    async def _take(self, records: Sequence[Record]) -> None:
        for record in records:
            apply(self.state, record)
            wired = wire(record)
            size = len(bytes(wired.payload))
            self._recent.append((wired, size))
            self._recent_bytes += size
        while len(self._recent) > RECENT_RECORDS or self._recent_bytes > RECENT_BYTES:
            self._recent_bytes -= self._recent.popleft()[1]
        for listener in self._listeners:
            listener(records)
        async with self._folded:
            self._folded.notify_all()
        if self.state.seq - self._saved_seq >= SNAPSHOT_EVERY:
            await self.save()

    async def save(self) -> None:
        """Keep the state as it is now, so that the next host starts from it."""
        if self.state.seq == self._saved_seq:
            return
        self._trim()
        self._saved_seq = self.state.seq
        copy = msgspec.json.decode(encode(self.state), type=StudioState)
        try:
            await asyncio.to_thread(self._snapshots.save, copy)
        except Exception:
            log.exception("the snapshot at %d could not be kept", copy.seq)

    def _trim(self) -> None:
        for run in self._trimmed():
            run.rows, run.row_index = [], {}

    def _trimmed(self) -> list[RunState]:
        finished = [run for run in self.state.runs.values() if run.status.final]
        return finished[:-RUNS_WITH_ROWS]

    async def full_run(self, run: RunState) -> RunState:
        """Return a run with all its rows."""
        if all(run is not trimmed for trimmed in self._trimmed()):
            return run
        return (await asyncio.to_thread(self._fold_run, run.id)) or run

    def _fold_run(self, run: RunId) -> RunState | None:
        state = StudioState()
        while records := self._journal.read(state.seq, PAGE, run):
            fold(records, state)
        return state.runs.get(run)

    def snapshot(self, *, resync: bool) -> Snapshot:
        """Return the state for a client; encoded once for all who ask at the same record."""
        if self._packed is None or self._packed[0] != self.state.seq:
            self._trim()
            whole = Snapshot(self.state.seq, STATE_VERSION, msgspec.Raw(encode(self.state)))
            self._packed = (self.state.seq, whole)
        snapshot = self._packed[1]
        return msgspec.structs.replace(snapshot, resync=True) if resync else snapshot

    def recent(self, after: int) -> tuple[WireRecord, ...] | None:
        """Return some records after `after`, empty at the head, None if they are not at hand any more."""
        if after >= self.state.seq:
            return ()
        if not self._recent or self._recent[0][0].seq > after + 1:
            return None
        start = after + 1 - self._recent[0][0].seq
        found: list[WireRecord] = []
        size = 0
        for place in range(start, min(start + PAGE, len(self._recent))):
            record, length = self._recent[place]
            size += length
            if found and size > BATCH_BYTES:
                break
            found.append(record)
        return tuple(found)

    async def read(self, after: int) -> tuple[WireRecord, ...]:
        """Return some records after `after`, from the log itself."""
        records = await asyncio.to_thread(self._journal.read, after, PAGE)
        found: list[WireRecord] = []
        size = 0
        for wired in map(wire, records):
            size += len(bytes(wired.payload))
            if found and size > BATCH_BYTES:
                break
            found.append(wired)
        return tuple(found)
