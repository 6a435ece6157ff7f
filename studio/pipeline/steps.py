"""Durable steps: each runs once, its outcome is recorded, and a cancel ends it promptly.

A step's expected failures are recorded as a `Problem` and raised again in the workflow body as `Stopped`, so that a
replay takes the same path.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, TypeVarTuple, Unpack, cast

from dbos import DBOS

from studio.domain.config import Environment
from studio.domain.errors import BudgetSpent, Cancelled, InternalError, Problem, StudioError
from studio.domain.events import GateAnswered, GateOpened
from studio.domain.ids import ArtifactId, GateId, RunId
from studio.domain.runs import RunOptions
from studio.domain.stages import Depth
from studio.domain.value import Value
from studio.pipeline.serial import register
from studio.pipeline.services import current

__all__ = ["SPENT", "Cancels", "RunSpec", "Stopped", "TimeSpent", "cancels", "step", "timed_step"]

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
    environment: Environment = Environment()
    """As it was when the run began."""
    started: float = 0.0
    """When this incarnation began: seconds since the epoch."""

    def at(self, address: str) -> str:
        """Return the step address of this incarnation, as events carry it."""
        return address if self.incarnation == 1 else f"{address}#{self.incarnation}"


class TimeSpent(BudgetSpent):
    """The run took longer than its budget of wall time."""


SPENT = frozenset({BudgetSpent.__name__, TimeSpent.__name__})
"""Codes of problems that say that the budget, in money, tokens or time, is spent."""


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


async def timed_step(
    spec: RunSpec, name: str, work: Callable[[Unpack[Arguments]], Awaitable[T]], *args: *Arguments
) -> T:
    """Run a step that may take long: as `step`, within what is left of the run's wall time.

    Raises:
        Stopped: also when the time is over; the work is cancelled then.

    """
    return cast("T", await step(spec, name, _within, spec, work, args))


async def _within(spec: RunSpec, work: Callable[..., Awaitable[Any]], arguments: tuple[Any, ...]) -> Any:
    seconds = spec.options.budget.seconds
    waited = await asyncio.to_thread(_waited, spec)
    left = spec.started + waited + seconds - time.time()
    over = TimeSpent(
        f"The run has taken its {seconds:.0f} s of working time.",
        f"`studio resume {spec.run}` gives it as much again; `budget.seconds` in the configuration is the default.",
    )
    if left <= 0:
        raise over
    timeout = asyncio.timeout(left)
    try:
        async with timeout:
            return await work(*arguments)
    except TimeoutError:
        if timeout.expired():
            raise over from None
        raise


def _waited(spec: RunSpec) -> float:
    """Return the seconds this incarnation waited for people."""
    records = current().journal.read(0, 100_000, spec.run, ("gate.opened", "gate.answered"))
    opened: dict[GateId, float] = {}
    waited = 0.0
    for record in records:
        match record.event:
            case GateOpened(gate) if record.at >= spec.started:
                opened.setdefault(gate.id, record.at)
            case GateAnswered(gate=gate) if gate in opened:
                waited += record.at - opened.pop(gate)
            case _:
                pass
    return waited


register(RunSpec, Environment, Problem, RunOptions)
