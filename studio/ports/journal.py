"""The event log, artifacts, streams, reuse and the ledger, as the engine sees them.

All are synchronous, thread-safe, and block for a few milliseconds at most: call them off the event loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from studio.domain.events import Draft, Record
from studio.domain.ids import ArtifactId, RunId
from studio.domain.models import ModelReply
from studio.domain.runs import Budget
from studio.domain.value import Value

__all__ = ["Artifacts", "Audit", "Journal", "Ledger", "Replies", "Reserved", "Reuse", "Reused", "Streams"]


class Audit(Value, frozen=True):
    """Whether the chain holds."""

    records: int
    ok: bool
    first_broken: int = 0
    """Sequence number of the first record that does not verify."""
    erased: tuple[int, ...] = ()
    detail: str = ""


class Journal(Protocol):
    """The one ordered log."""

    def append(self, drafts: Sequence[Draft]) -> list[Record]:
        """Append in one transaction and return the records, in order.

        A draft whose (run, step, n) is already in the log adds nothing; the record that is there is returned.

        Raises:
            InternalError: the disk is full or the database is broken; nothing was appended.

        """
        ...

    def read(
        self, after: int = 0, limit: int = 1000, run: RunId | None = None, kinds: Sequence[str] = ()
    ) -> list[Record]:
        """Return records after `after`, oldest first; of these kinds only, if any are named."""
        ...

    def head(self) -> int:
        """Return the last sequence number, 0 when empty."""
        ...

    def wait(self, after: int, timeout: float) -> int:
        """Block until the log has grown past `after` or `timeout` seconds passed; return the head."""
        ...

    def poke(self) -> None:
        """Wake those that wait: the log may have grown."""
        ...

    def erase(self, records: Sequence[int], reason: str, actor: str) -> None:
        """Erase payloads and append `payload.erased`."""
        ...

    def audit(self) -> Audit:
        """Verify the chain."""
        ...

    def close(self) -> None:
        """Release connections."""
        ...


class Artifacts(Protocol):
    """Bytes kept by content in the store repository."""

    def put(self, data: bytes) -> ArtifactId:
        """Keep `data` and return its id."""
        ...

    def get(self, artifact: ArtifactId) -> bytes:
        """Return the bytes.

        Raises:
            UsageError: no such artifact.

        """
        ...


class Streams(Protocol):
    """Live bytes in a bounded table beside the log, until the step ends and they become one artifact."""

    def append(self, stream: str, data: bytes) -> None:
        """Add bytes; what exceeds the stream's bound is counted, not kept."""
        ...

    def read(self, stream: str, offset: int = 0) -> bytes:
        """Return the bytes kept, from `offset`."""
        ...

    def drop(self, stream: str) -> None:
        """Drop the stream's rows: what a step that runs again does with those of its first try."""
        ...

    def finish(self, stream: str) -> ArtifactId:
        """Make the stream an artifact, drop its rows, return the artifact's id."""
        ...


class Reused(Value, frozen=True):
    """A result found by its key."""

    artifact: ArtifactId
    cost_usd: float
    run: RunId


class Reuse(Protocol):
    """Results by the digest of what they read."""

    def find(self, key: str) -> Reused | None:
        """Return the result kept under `key`."""
        ...

    def keep(self, key: str, artifact: ArtifactId, cost_usd: float, run: RunId) -> None:
        """Keep a result; the first one kept under a key stays."""
        ...


class Replies(Protocol):
    """Model replies, committed on their last byte under (run, call), and the exact cache by request digest."""

    def begin(self, run: RunId, call: str) -> bool:
        """Record the intent to send `call`; return True if an earlier intent had no reply: it may be paid twice."""
        ...

    def commit(self, run: RunId, call: str, digest: str, reply: ModelReply) -> None:
        """Commit the reply of `call`, and cache it under the request's digest."""
        ...

    def find(self, run: RunId, call: str) -> ModelReply | None:
        """Return the committed reply of `call`."""
        ...

    def cached(self, digest: str) -> ModelReply | None:
        """Return a reply to the same request, from any run."""
        ...


class Reserved(Value, frozen=True):
    """What is set aside for an attempt."""

    id: int
    usd: float
    tokens: int


class Ledger(Protocol):
    """What was reserved and spent, across all workers."""

    def reserve(self, run: RunId, budget: Budget, usd: float, tokens: int, step: str, lease_seconds: float) -> Reserved:
        """Set aside the most an attempt may cost.

        Raises:
            BudgetSpent: what is spent and reserved leaves less than that.

        """
        ...

    def settle(self, reserved: Reserved, usd: float, tokens: int) -> None:
        """Replace a reservation by what the attempt cost."""
        ...

    def spent(self, run: RunId) -> tuple[float, int]:
        """Return US dollars and tokens spent by a run, reservations not counted."""
        ...
