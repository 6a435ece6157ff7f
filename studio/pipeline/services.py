"""What a worker's steps work with. DBOS runs module-level functions, so a process has one set, installed at its start."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from studio.domain.brief import Brief
from studio.domain.config import Config, Environment
from studio.domain.events import Draft, Event, ModelReplied
from studio.domain.ids import ArtifactId, RunId
from studio.domain.memory import MemoryItem
from studio.domain.places import Places
from studio.domain.runs import RunOptions
from studio.domain.sandbox import Probe
from studio.ports.engine import Checks, ContextIndex, Memory, SyntaxGate
from studio.ports.journal import Artifacts, Journal, Ledger, Replies, Reuse, Streams
from studio.ports.models import ModelGateway
from studio.ports.sandbox import Sandbox
from studio.ports.workspace import Workspace

__all__ = ["Relay", "Services", "current", "install"]


class Relay:
    """What goes to the host at once, over the control socket; all of it is also in the database."""

    def advanced(self, seq: int) -> None:
        """Tell that the log has grown."""

    def streamed(self, stream: str, offset: int, data: bytes, run: RunId) -> None:
        """Pass on live bytes."""


@dataclass(slots=True)
class Services:
    """The parts, picked in `studio.wiring`."""

    worker: str
    places: Places
    config: Config
    read_environment: Callable[[], Environment]
    """Read `.studio/environment.toml` as it is now."""
    journal: Journal
    artifacts: Artifacts
    streams: Streams
    reuse: Reuse
    replies: Replies
    ledger: Ledger
    workspace: Workspace
    checks: Checks
    syntax: SyntaxGate
    index: ContextIndex
    memory: Memory
    open_gateway: Callable[[RunOptions, Brief], Awaitable[ModelGateway]]
    choose_sandbox: Callable[[str], Awaitable[tuple[Sandbox | None, list[Probe]]]]
    relay: Relay = field(default_factory=Relay)
    _sandboxes: dict[str, tuple[Sandbox | None, str]] = field(default_factory=dict[str, tuple[Sandbox | None, str]])
    _choosing: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def log(self, run: RunId, step: str, *events: Event, n: int = 0, actor: str = "") -> int:
        """Append events of a step, numbered from `n`, and tell the host. Returns the last sequence number."""
        drafts = [Draft(event, run, step, n + at, actor or self.worker) for at, event in enumerate(events)]
        records = await asyncio.to_thread(self.journal.append, drafts)
        seq = records[-1].seq if records else 0
        self.relay.advanced(seq)
        return seq

    async def keep(self, data: bytes) -> ArtifactId:
        """Keep bytes as an artifact."""
        return await asyncio.to_thread(self.artifacts.put, data)

    async def load(self, artifact: ArtifactId) -> bytes:
        """Return an artifact's bytes."""
        return await asyncio.to_thread(self.artifacts.get, artifact)

    async def spent_at(self, run: RunId, prefix: str) -> float:
        """Return what the replies of a run's steps below `prefix` have cost, in US dollars."""
        records = await asyncio.to_thread(self.journal.read, 0, 1_000_000, run, ("model.replied",))
        return sum(
            record.event.cost_usd
            for record in records
            if isinstance(record.event, ModelReplied) and record.step.startswith(prefix)
        )

    async def sandbox(self, level: str) -> tuple[Sandbox | None, str]:
        """Return the sandbox for a wanted level, chosen once a process, and one line on why it is that one or none."""
        async with self._choosing:
            if level not in self._sandboxes:
                chosen, probes = await self.choose_sandbox(level)
                self._sandboxes[level] = (chosen, "; ".join(f"{p.backend}: {p.detail}" for p in probes))
            return self._sandboxes[level]

    async def remember(self, items: list[MemoryItem]) -> None:
        """Add items to memory."""
        if items:
            await asyncio.to_thread(self.memory.remember, items)

    def worktree(self, run: RunId, name: str) -> Path:
        """Return the directory of a run's worktree."""
        return self.places.worktrees / run / name


_installed: list[Services] = []


def install(services: Services) -> None:
    """Make `services` those of this process."""
    _installed[:] = [services]


def current() -> Services:
    """Return this process's services."""
    return _installed[0]
