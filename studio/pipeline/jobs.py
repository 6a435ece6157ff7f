"""Jobs the host asks of a worker over the control socket: a command, a check, a subset, memory."""

from __future__ import annotations

import asyncio
import time
import uuid

from studio.domain.brief import parse_brief
from studio.domain.checks import CheckResult, SubsetVerdict
from studio.domain.errors import SandboxUnavailable, UsageError
from studio.domain.events import CheckFinished, CommandFinished, CommandStarted, MemoryForgotten, MemoryLearned
from studio.domain.fold import fold
from studio.domain.ids import RunId, short_digest
from studio.domain.memory import Collection, MemoryItem, MemoryState
from studio.domain.sandbox import Command, CommandResult, Limits
from studio.domain.state import RunState
from studio.domain.value import Value
from studio.pipeline.environment import noted, prepare
from studio.pipeline.hidden import Hidden, checkout_shown
from studio.pipeline.output import OutputStream
from studio.pipeline.services import Services
from studio.pipeline.trees import changed_paths
from studio.ports.engine import CheckJob
from studio.protocol.commands import Done, Execute, Memories, RunCheck, SearchMemory
from studio.protocol.messages import Job, MemoryChange, MemoryGet, SubsetJob

__all__ = ["Jobs"]


class CheckJobParts(Value, frozen=True):
    """What differs between the jobs that check a tree."""

    accept: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    tier: str = "all"
    only: tuple[str, ...] = ()
    private: tuple[str, ...] = ()
    """Globs of what is left out, where a later round of the run may be told of the failures."""


class Jobs:
    """Does jobs; a newer subset job of a run ends an older one."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._subsets: dict[RunId, asyncio.Task[SubsetVerdict]] = {}

    async def do(self, job: Job) -> Value:
        """Do a job and return its result.

        Raises:
            StudioError: as a job of its kind may.

        """
        match job:
            case Execute():
                return await self._execute(job)
            case RunCheck():
                return await self._check(job)
            case SubsetJob():
                return await self._subset(job)
            case SearchMemory():
                return await self._search(job)
            case MemoryChange():
                return await self._change(job)
            case MemoryGet():
                return await self._item(job.item)

    async def _run(self, run: RunId) -> RunState:
        records = await asyncio.to_thread(self._services.journal.read, 0, 1_000_000, run)
        state = fold(records).runs.get(run)
        if state is None:
            raise UsageError(f"There is no run {run}.", "`studio runs` lists them.")
        return state

    async def _execute(self, job: Execute) -> CommandResult:
        services = self._services
        if job.run:
            state = await self._run(job.run)
            base, level = state.base_tree, state.options.sandbox
            tree = state.changed_tree or base
        else:
            base, level = (await asyncio.to_thread(services.workspace.snapshot)).tree, services.config.sandbox
            tree = base
        folder = RunId(job.run or "console")
        ready = await prepare(services, folder, level, services.read_environment(), base)
        sandbox = ready.sandbox
        if sandbox is None:
            raise SandboxUnavailable(f"No sandbox works here: {ready.detail}.", "`studio doctor` says what would help.")
        name = f"console-{short_digest('c', job.command, length=6)}"
        path = await asyncio.to_thread(services.workspace.checkout, folder, name, tree)
        step = f"console/{job.command}"
        await services.log(job.run, step, CommandStarted(job.command, job.argv, sandbox.level))
        output = OutputStream(services, job.run, job.command)
        command = Command(job.argv, limits=Limits(seconds=job.seconds))
        result = await sandbox.run(path, command, output.write)
        artifact = await output.finish()
        finished = CommandFinished(
            job.command,
            result.exit_code,
            result.ending,
            result.duration_ms,
            artifact,
            result.dropped_bytes,
            result.level,
        )
        await services.log(job.run, step, finished, n=1)
        return result

    async def _check(self, job: RunCheck) -> CheckResult:
        state = await self._run(job.run)
        tree = state.changed_tree or state.base_tree
        front = parse_brief(state.brief, (await self._services.load(state.text)).decode()).front
        parts = CheckJobParts(accept=front.accept, only=(job.check,), private=front.private)
        results = await self._checks(state, tree, "recheck", parts)
        if not results:
            raise UsageError(f"There is no check {job.check} for this tree.", "`studio show RUN` lists the checks.")
        event = CheckFinished(results[0], max((point.round for point in state.trend), default=0))
        await self._services.log(job.run, f"check/again/{uuid.uuid4().hex}", event)
        return results[0]

    async def _subset(self, job: SubsetJob) -> SubsetVerdict:
        older = self._subsets.pop(job.run, None)
        if older is not None:
            older.cancel()
        task = asyncio.ensure_future(self._subset_verdict(job))
        self._subsets[job.run] = task
        return await task

    async def _subset_verdict(self, job: SubsetJob) -> SubsetVerdict:
        state = await self._run(job.run)
        changed = await asyncio.to_thread(changed_paths, self._services.workspace, job.base_tree, job.tree)
        parts = CheckJobParts(accept=job.accept, changed=changed, tier="all" if job.tests else "fast")
        name = f"subset-{uuid.uuid4().hex[:8]}"
        results = await self._checks(state, job.tree, name, parts)
        return SubsetVerdict(job.tree, tuple(results), tier="tests" if job.tests else "fast")

    async def _checks(self, state: RunState, tree: str, name: str, parts: CheckJobParts) -> list[CheckResult]:
        services = self._services
        environment = services.read_environment()
        hidden = Hidden(parts.private)
        ready = await prepare(services, state.id, state.options.sandbox, environment, state.base_tree, hidden)
        path, _ = await checkout_shown(services, state.id, name, tree, hidden)
        job = CheckJob(
            path, tree, parts.changed, (), parts.accept, parts.tier, parts.only, environment.test, environment.services
        )
        results = await services.checks.run(job, ready.sandbox)
        return [noted(result, ready.notes) for result in results]

    async def _search(self, job: SearchMemory) -> Memories:
        collections = (job.collection,) if job.collection else tuple(Collection)
        memory = self._services.memory
        found = await asyncio.to_thread(memory.recall, job.query, collections, job.limit)
        return Memories(tuple(found), memory.ranking)

    async def _item(self, item: str) -> MemoryItem:
        found = await asyncio.to_thread(self._services.memory.get, item)
        if found is None:
            raise UsageError(f"There is no memory {item}.", "`studio memory search TEXT` lists ids.")
        return found

    async def _change(self, job: MemoryChange) -> Value:
        services = self._services
        if job.item and not job.text:
            await self._item(job.item)
            await services.log(RunId(""), "", MemoryForgotten(job.item), actor=job.by)
            await asyncio.to_thread(services.memory.forget, job.item)
            return Done()
        if job.item:
            old = await self._item(job.item)
            item = MemoryItem(
                old.id, old.collection, job.text, old.project, f"person {job.by}", MemoryState.ACCEPTED, time.time(),
                0.0, old.tags,
            )  # fmt: skip
        else:
            text = job.text.strip()
            if not text:
                raise UsageError("There is nothing to remember.", "Give the fact as text.")
            project = services.places.common
            key = short_digest("m", "facts", text)
            item = MemoryItem(
                key, Collection.FACTS, text, project, f"person {job.by}", created=time.time(), tags=job.tags
            )
        await services.log(RunId(""), "", MemoryLearned(item), actor=job.by)
        await services.remember([item])
        return item
