"""Messages on the two sockets: client ↔ host, and worker ↔ host."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from studio.domain.errors import Problem
from studio.domain.events import Record, decode_event, encode_event, kind_of
from studio.domain.ids import RunId
from studio.domain.value import Value
from studio.protocol.commands import Command, Execute, RunCheck, SearchMemory

PROTOCOL_VERSION = 1
"""Raised when an older peer could not take part. Peers of other versions are refused with a clear problem."""


class WireRecord(Value, frozen=True):
    """A record as it crosses: its payload stays as stored, so that kinds from the future pass through older peers."""

    seq: int
    at: float
    kind: str
    payload: msgspec.Raw
    """As stored; `null` if it was erased. (A union of `Raw` and None would take null only.)"""
    run: RunId = RunId("")
    step: str = ""
    n: int = 0
    actor: str = ""

    def record(self) -> Record:
        """Return the record."""
        stored = bytes(self.payload)
        payload = None if stored == b"null" else stored
        return Record(self.seq, self.at, decode_event(payload, self.kind), self.run, self.step, self.n, self.actor)


def wire(record: Record) -> WireRecord:
    """Return a record as it crosses."""
    payload = msgspec.Raw(encode_event(record.event))
    return WireRecord(
        record.seq, record.at, kind_of(record.event), payload, record.run, record.step, record.n, record.actor
    )


# Client to host.


class Hello(Value, frozen=True, tag=True):
    """The first message of every connection."""

    version: int
    client: str
    """`tui`, `cli` or `worker`."""
    name: str
    """The person's name, or the worker's id."""
    pid: int
    role: str = "driver"
    """`driver`, `reviewer` or `watcher`: watchers decide and start nothing."""
    worktree: str = ""
    """The working tree the client was started in, one of the repository's; the host's own if empty."""


class Ask(Value, frozen=True, tag=True):
    """A command; the answer carries the same id."""

    id: int
    command: Command


class Subscribe(Value, frozen=True, tag=True):
    """Send what happens. `after` = -1: a snapshot first, then the tail; else the records after that sequence number."""

    after: int = -1
    streams: bool = True
    """Whether live bytes are wanted too."""


class BriefUpdate(Value, frozen=True, tag=True):
    """An update of the shared brief document (pycrdt), both ways."""

    brief: str
    update: bytes


class OpenBrief(Value, frozen=True, tag=True):
    """Join a shared brief document; the host answers with a `BriefUpdate` holding all of it."""

    brief: str


ToHost: TypeAlias = Hello | Ask | Subscribe | BriefUpdate | OpenBrief


# Host to client.


class Welcome(Value, frozen=True, tag=True):
    """The host's first message."""

    version: int
    pid: int
    participant: str
    repository: str
    seq: int


class Answer(Value, frozen=True, tag=True):
    """A command's result, decoded by `RESULTS`."""

    id: int
    result: msgspec.Raw


class Refused(Value, frozen=True, tag=True):
    """A command's failure; id 0 refuses the connection, -1 a message that is no command."""

    id: int
    problem: Problem


class Snapshot(Value, frozen=True, tag=True):
    """The folded state as of `seq`. Also how a client that fell behind is resynchronised."""

    seq: int
    version: int
    state: msgspec.Raw
    """A `StudioState`."""
    resync: bool = False


class Happened(Value, frozen=True, tag=True):
    """Records, in order, without gaps."""

    records: tuple[WireRecord, ...]


class Streamed(Value, frozen=True, tag=True):
    """Bytes of a live stream. `offset` is where they start in it; a gap means bytes were dropped for a slow client."""

    stream: str
    offset: int
    data: bytes
    run: RunId = RunId("")


ToClient: TypeAlias = Welcome | Answer | Refused | Snapshot | Happened | Streamed | BriefUpdate


# Host to worker, on the control socket.


class Advanced(Value, frozen=True, tag=True):
    """The log has grown to `seq`, both ways: saves the other side its next poll."""

    seq: int


class CancelNow(Value, frozen=True, tag=True):
    """Stop what the run is doing."""

    run: RunId


class StopCommand(Value, frozen=True, tag=True):
    """Stop a console command."""

    command: str


class SubsetJob(Value, frozen=True, tag=True):
    """Check the tree that would land. A newer job of the same run ends an older one."""

    run: RunId
    tree: str
    """In the store repository."""
    base_tree: str
    tests: bool
    accept: tuple[str, ...] = ()


class MemoryChange(Value, frozen=True, tag=True):
    """Add (`item` empty), correct (`text` given) or forget (`text` empty) an item."""

    item: str = ""
    text: str = ""
    tags: tuple[str, ...] = ()
    by: str = ""


class MemoryGet(Value, frozen=True, tag=True):
    """One item."""

    item: str


Job: TypeAlias = Execute | RunCheck | SubsetJob | SearchMemory | MemoryChange | MemoryGet


class Assign(Value, frozen=True, tag=True):
    """A request to the worker, answered by `Completed`."""

    id: int
    job: Job


class Secrets(Value, frozen=True, tag=True):
    """Environment variables with keys; they stay in memory."""

    values: dict[str, str]


ToWorker: TypeAlias = Welcome | Refused | Advanced | CancelNow | StopCommand | Assign | Secrets


# Worker to host.


class Completed(Value, frozen=True, tag=True):
    """A job's result or problem."""

    id: int
    result: msgspec.Raw = msgspec.Raw(b"null")
    problem: Problem | None = None


FromWorker: TypeAlias = Hello | Advanced | Streamed | Completed
