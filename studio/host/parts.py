"""What the host is made of: concrete parts, given to it, behind ports."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from studio.domain.places import Places
from studio.domain.state import StudioState
from studio.ports.journal import Artifacts, Journal, Streams
from studio.ports.workspace import Workspace

__all__ = ["HostParts", "Snapshots", "nothing"]


class Snapshots(Protocol):
    """Folded states kept beside the log. Synchronous; called off the event loop."""

    def save(self, state: StudioState) -> None:
        """Keep `state` as of its `seq`; the caller holds it still."""
        ...

    def load(self) -> StudioState | None:
        """Return the latest state this version can read."""
        ...


def nothing() -> None:
    """Do nothing: the `close` of parts that hold nothing open."""


@dataclass(frozen=True)
class HostParts:
    """The parts, and how to make those that are needed more than once."""

    journal: Journal
    artifacts: Artifacts
    streams: Streams
    snapshots: Snapshots
    workspace: Callable[[Places], Workspace]
    """Opens the workspace of one of the repository's worktrees."""
    worker_command: Callable[[str, int], Sequence[str]] | None = None
    """(worker id, life descriptor) → command. The worker ends when the descriptor, a pipe's reading end, reads EOF. None
    starts no workers: they are started elsewhere."""
    collect_garbage: Callable[[float], str] | None = None
    """Drops what is older than so many days and tells, in one line, what went."""
    close: Callable[[], None] = nothing
