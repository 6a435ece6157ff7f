"""The worker process: DBOS, the follower that turns events into workflows, and the control socket.

A worker ends when its lifeline, a pipe held by the host that started it, closes; a worker started by hand has none.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import uuid
from collections.abc import Callable

from dbos import DBOS, SetWorkflowID

from studio.domain.events import (
    ChangesLanded,
    GateAnswered,
    GateOpened,
    HunkDecided,
    Record,
    RunCancelRequested,
    RunFinished,
    RunRequested,
    RunResumed,
    RunResumeRequested,
    RunStarted,
)
from studio.domain.ids import GateId, RunId
from studio.pipeline import services as process
from studio.pipeline.control import Control
from studio.pipeline.engine import QUEUE, adopt_runs, executor_lock, launch
from studio.pipeline.gates import CANCELLED, deliver_answer
from studio.pipeline.jobs import Jobs
from studio.pipeline.learn import learn
from studio.pipeline.scope import close_scope
from studio.pipeline.services import Services
from studio.pipeline.steps import cancels
from studio.pipeline.workflow import run_workflow

__all__ = ["work"]

log = logging.getLogger(__name__)
_BATCH = 2000
_WAIT_SECONDS = 5.0
_LESSON = "learn-"
"""What the ids of learning workflows begin with; the record's number follows."""


_KINDS = tuple(
    str(kind.__struct_config__.tag)
    for kind in (
        RunRequested, RunStarted, RunResumeRequested, RunFinished, RunCancelRequested, GateOpened, GateAnswered,
        ChangesLanded, HunkDecided,
    )
)  # fmt: skip
"""What the follower acts on; the rest of the log is never decoded here."""


class _Run:
    """What the follower knows of a run."""

    def __init__(self) -> None:
        self.incarnation = 1
        self.finished = False
        self.started_by = ""
        self.gates: set[GateId] = set()
        self.cancelled = False


class Follower:
    """Reads the log and does what it asks of workers. Everything it does is idempotent, so reading twice is harmless."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._runs: dict[RunId, _Run] = {}
        self._seq = 0
        self._live = False
        self._answers: dict[tuple[RunId, GateId], str] = {}
        self._lessons: set[int] = set()
        """Records to learn from that came while no worker followed, and older ones."""

    def catch_up(self) -> None:
        """Read what is in the log so far; starts nothing yet."""
        head = self._services.journal.head()
        while records := self._services.journal.read(self._seq, _BATCH, None, _KINDS):
            for record in records:
                self._note(record)
            self._seq = records[-1].seq
        self._seq = max(self._seq, head)

    async def start(self) -> None:
        """Start what the log asks for and nobody has finished, and say which runs this worker takes up again."""
        for run, known in list(self._runs.items()):
            if known.finished:
                continue
            if known.started_by == self._services.worker:
                await self._services.log(run, f"resume/{uuid.uuid4().hex}", RunResumed(self._services.worker))
            await self._enqueue(run)
            if known.cancelled:
                await self._end_gates(run)
        for (run, gate), answer in self._answers.items():
            if not self._runs[run].finished:
                await deliver_answer(self._workflow(run), run, gate, answer)
        self._answers.clear()
        await self._learn_missed()
        self._live = True

    async def _learn_missed(self) -> None:
        """Learn from what was decided and landed while no worker was there."""
        begun = {flow.workflow_id for flow in await DBOS.list_workflows_async(
            workflow_id_prefix=_LESSON, load_input=False, load_output=False
        )}  # fmt: skip
        for seq in sorted(self._lessons):
            if f"{_LESSON}{seq}" not in begun:
                await self._learn(seq)
        self._lessons.clear()

    async def _learn(self, seq: int) -> None:
        with SetWorkflowID(f"{_LESSON}{seq}"):
            await DBOS.enqueue_workflow_async(QUEUE, learn, seq)

    async def _end_gates(self, run: RunId) -> None:
        for gate in self._runs[run].gates:
            await deliver_answer(self._workflow(run), run, gate, CANCELLED)

    async def follow(self) -> None:
        """Follow the log until cancelled."""
        journal = self._services.journal
        while True:
            head = await asyncio.to_thread(journal.wait, self._seq, _WAIT_SECONDS)
            records = await asyncio.to_thread(journal.read, self._seq, _BATCH, None, _KINDS)
            for record in records:
                self._note(record)
                await self._act(record)
            # All up to `head` was there when the records were read; a full batch may have left some.
            last = records[-1].seq if records else self._seq
            self._seq = last if len(records) == _BATCH else max(last, head)

    def _workflow(self, run: RunId) -> str:
        known = self._runs[run]
        return run if known.incarnation == 1 else f"{run}.{known.incarnation}"

    def _note(self, record: Record) -> None:
        run = record.run
        match record.event:
            case RunRequested():
                self._runs[run] = _Run()
            case RunStarted(worker=worker) if run in self._runs:
                self._runs[run].started_by = worker
            case RunResumeRequested() if run in self._runs:
                self._runs[run].incarnation += 1
                self._runs[run].finished = False
                self._runs[run].cancelled = False
                cancels.revive(run)
            case RunFinished() if run in self._runs:
                self._runs[run].finished = True
            case RunCancelRequested() if run in self._runs:
                self._runs[run].cancelled = True
                cancels.cancel(run)
            case GateOpened(gate) if run in self._runs:
                self._runs[run].gates.add(gate.id)
            case GateAnswered(gate, answer) if run in self._runs:
                self._runs[run].gates.discard(gate)
                if not self._live:
                    self._answers[run, gate] = answer
            case ChangesLanded() | HunkDecided() if not self._live:
                self._lessons.add(record.seq)
            case _:
                pass

    async def _act(self, record: Record) -> None:
        run = record.run
        match record.event:
            case RunRequested() | RunResumeRequested():
                await self._enqueue(run)
            case GateAnswered(gate, answer, by) if by != "policy":
                await deliver_answer(self._workflow(run), run, gate, answer)
            case RunCancelRequested() if run in self._runs:
                await self._end_gates(run)
            case RunFinished():
                await close_scope(run)
            case ChangesLanded() | HunkDecided():
                await self._learn(record.seq)
            case _:
                pass

    async def _enqueue(self, run: RunId) -> None:
        with SetWorkflowID(self._workflow(run)):
            await DBOS.enqueue_workflow_async(QUEUE, run_workflow, run, self._runs[run].incarnation)

    def poke(self) -> None:
        """Look at the log at once: the host says it has grown."""
        self._services.journal.poke()


def _watch_lifeline(descriptor: int) -> None:
    """End this process when the other end of the pipe closes, however the host ended."""

    def watch() -> None:
        while os.read(descriptor, 4096):
            pass
        os._exit(0)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()


async def work(
    services: Services,
    *,
    lifeline: int | None = None,
    warm: Callable[[], object] | None = None,
    adopt: str | None = None,
) -> None:
    """Be a worker until cancelled.

    Args:
        services: The parts.
        lifeline: A pipe's reading end; the process ends when it closes.
        warm: Starts to import what the first model call would wait for.
        adopt: The name of a worker that is gone for good, whose runs this one takes over.

    Raises:
        UsageError: another worker has this name.

    """
    if lifeline is not None:
        _watch_lifeline(lifeline)
    with executor_lock(services.places, services.worker):
        process.install(services)
        follower = Follower(services)
        await asyncio.to_thread(follower.catch_up)
        jobs = Jobs(services)
        control = Control(services.places, services.worker, jobs.do, follower.poke, cancels.cancel)
        services.relay = control
        await launch(services.places, services.config.database, services.worker)
        if adopt:
            with executor_lock(services.places, adopt):
                await asyncio.to_thread(adopt_runs, adopt)
        await follower.start()
        if warm is not None:
            warm()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(control.run())
            tasks.create_task(follower.follow())
