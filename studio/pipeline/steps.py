"""Durable steps: each runs once, its outcome is recorded, and a cancel ends it promptly.

A step's expected failures are recorded as a `Problem` and raised again in the workflow body as `Stopped`, so that a
replay takes the same path.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, TypeVarTuple, Unpack

from dbos import DBOS

from studio.domain.errors import Cancelled, InternalError, Problem, StudioError
from studio.domain.ids import ArtifactId, RunId
from studio.domain.runs import RunOptions
from studio.domain.stages import Depth
from studio.domain.value import Value
from studio.pipeline.serial import register

__all__ = ["Cancels", "RunSpec", "Stopped", "cancels", "step"]

Arguments = TypeVarTuple("Arguments")
T = TypeVar("T")
log = logging.getLogger(__name__)


class RunSpec(Value, frozen=True):
    """What a workflow knows of its run; read from the journal by its first step."""

    run: RunId
    incarnation: int
    """1 for the first workflow of the run, more after each resume: part of every step's address."""
    brief: str
    text: ArtifactId
    """The brief's text."""
    options: RunOptions
    base: str
    base_tree: str
    depth: Depth = Depth.AUTO
    model: str = ""
    """The gateway's identity: part of reuse keys."""
    sandbox: str = ""

    def at(self, address: str) -> str:
        """Return the step address of this incarnation, as events carry it."""
        return address if self.incarnation == 1 else f"{address}#{self.incarnation}"


class Stopped(Exception):
    """A step ended with an expected problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.what)
        self.problem = problem


class Cancels:
    """Runs that people cancelled, and the tasks that work for them now."""

    def __init__(self) -> None:
        self._runs: set[RunId] = set()
        self._tasks: dict[RunId, set[asyncio.Task[Any]]] = defaultdict(set)

    def cancel(self, run: RunId) -> None:
        """Cancel a run: whatever it does now ends, and it starts nothing more. Call on the worker's loop."""
        self._runs.add(run)
        for task in tuple(self._tasks.get(run, ())):
            task.cancel()

    def revive(self, run: RunId) -> None:
        """Let a cancelled run be worked on again."""
        self._runs.discard(run)

    def cancelled(self, run: RunId) -> bool:
        """Return whether a run was cancelled."""
        return run in self._runs

    async def guard(self, run: RunId, work: Awaitable[T]) -> T:
        """Await `work` such that cancelling the run ends it.

        Raises:
            Cancelled: the run was cancelled before or while it ran.

        """
        task = asyncio.ensure_future(work)
        self._tasks[run].add(task)
        try:
            if run in self._runs:
                task.cancel()
            return await task
        except asyncio.CancelledError:
            if run in self._runs:
                raise Cancelled("The run was cancelled.", f"Take it up again with `studio resume {run}`.") from None
            raise
        finally:
            self._tasks[run].discard(task)
            if not self._tasks[run]:
                del self._tasks[run]


cancels = Cancels()


async def _outcome(run: RunId, work: Callable[..., Awaitable[Any]], arguments: tuple[Any, ...]) -> Any:
    try:
        return await cancels.guard(run, work(*arguments))
    except StudioError as error:
        return error.problem
    except Exception as error:
        log.exception("step of %s failed", run)
        return InternalError(
            f"A step failed: {type(error).__name__}: {error}.", "The traceback is in the worker's log; report it."
        ).problem


async def step(spec: RunSpec, name: str, work: Callable[[Unpack[Arguments]], Awaitable[T]], *args: *Arguments) -> T:
    """Run `work(*args)` as a durable step of the current workflow and return its recorded outcome.

    Raises:
        Stopped: it ended with an expected problem, or the run was cancelled.

    """
    outcome: Any = await DBOS.run_step_async({"name": name}, _outcome, spec.run, work, args)
    if isinstance(outcome, Problem):
        raise Stopped(outcome)
    return outcome


register(RunSpec, Problem, RunOptions)
