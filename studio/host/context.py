"""What command handlers work with, and who is asking."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from studio.domain.changes import ChangeSet, Decision, LandingTarget
from studio.domain.checks import SubsetVerdict
from studio.domain.config import Config
from studio.domain.errors import InternalError, UsageError
from studio.domain.events import Draft, Event, Record
from studio.domain.ids import ArtifactId, RunId
from studio.domain.places import Places
from studio.domain.state import RunState
from studio.domain.value import decode
from studio.host.control import Control
from studio.host.hub import Hub
from studio.host.parts import HostParts
from studio.host.shared import SharedBriefs
from studio.ports.workspace import Workspace
from studio.protocol.messages import BriefUpdate

__all__ = ["Caller", "Context", "SubsetChecker"]

_CHANGE_SETS = 8


@dataclass(frozen=True)
class Caller:
    """A client that asks."""

    name: str
    role: str
    client: str
    places: Places
    """With the working tree it was started in."""
    participant: str = ""


class SubsetChecker(Protocol):
    """The accepted-subset check, as handlers use it."""

    def changed(self, run: RunId, caller: Caller) -> None:
        """Check soon, because decisions changed."""
        ...

    async def check(self, run: RunId, caller: Caller, *, tests: bool) -> SubsetVerdict:
        """Check now and return the verdict."""
        ...

    async def verdict(
        self, run: RunState, changes: ChangeSet, caller: Caller, target: LandingTarget, *, tests: bool
    ) -> SubsetVerdict:
        """Return the verdict on what would land on `target`, recording nothing."""
        ...


@dataclass
class Context:
    """The host's shared parts."""

    parts: HostParts
    places: Places
    config: Config
    hub: Hub
    control: Control
    end: Callable[[], None]
    """Begin to end the host."""
    started: float
    clients: Callable[[], int]
    """How many people and commands are attached."""
    briefs: SharedBriefs
    relay: Callable[[BriefUpdate], None]
    """Pass an update of a shared brief on to those who joined it."""
    subset: SubsetChecker | None = None
    """Set once the context is made."""
    snapshotting: asyncio.Lock = field(default_factory=asyncio.Lock)
    landing: asyncio.Lock = field(default_factory=asyncio.Lock)
    _workspaces: dict[str, Workspace] = field(default_factory=dict[str, Workspace])
    _changes: OrderedDict[ArtifactId, ChangeSet] = field(default_factory=OrderedDict[ArtifactId, ChangeSet])

    def workspace(self, places: Places) -> Workspace:
        """Return the workspace of one of the repository's worktrees."""
        found = self._workspaces.get(places.worktree)
        if found is None:
            found = self._workspaces[places.worktree] = self.parts.workspace(places)
        return found

    async def append(self, actor: str, *events: Event, run: RunId | None = None) -> list[Record]:
        """Append events of `actor` and fold them, which wakes clients and workers."""
        return await self.hub.append(*(Draft(event, run or RunId(""), actor=actor) for event in events))

    def run(self, run: RunId) -> RunState:
        """Return a run's state.

        Raises:
            UsageError: there is none; the latest ones are named.

        """
        found = self.hub.state.runs.get(run)
        if found is None:
            latest = ", ".join(list(self.hub.state.runs)[-5:])
            known = f"The latest are {latest}; `studio runs` lists all." if latest else "There are no runs yet."
            raise UsageError(f"There is no run {run or '(empty)'}.", known)
        return found

    async def changes(self, run: RunState) -> ChangeSet:
        """Return a run's change set.

        Raises:
            UsageError: it has none.

        """
        if not run.changeset:
            raise UsageError(
                f"Run {run.id} has no change set: it is {run.status.replace('_', ' ')}.",
                "Wait until it has proposed one." if not run.status.final else "Run the brief again.",
            )
        found = self._changes.get(run.changeset)
        if found is None:
            data = await asyncio.to_thread(self.parts.artifacts.get, run.changeset)
            found = self._changes[run.changeset] = decode(data, ChangeSet)
            if len(self._changes) > _CHANGE_SETS:
                self._changes.popitem(last=False)
        return found

    async def text(self, artifact: ArtifactId) -> str:
        """Return an artifact as text."""
        return (await asyncio.to_thread(self.parts.artifacts.get, artifact)).decode("utf-8", "replace")

    @property
    def subsets(self) -> SubsetChecker:
        """The accepted-subset check."""
        if self.subset is None:
            raise InternalError("The host is not ready.", "Try again.")
        return self.subset

    @staticmethod
    def decisions(run: RunState) -> dict[str, Decision]:
        """Return what was decided last about each hunk."""
        return {str(hunk): state.decision for hunk, state in run.decisions.items()}
