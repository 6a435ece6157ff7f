"""The accepted-subset check: exactly what would land is built and checked whenever decisions change."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from studio.domain.brief import parse_brief
from studio.domain.changes import ChangeSet, Decision, LandingTarget, Verdict
from studio.domain.checks import Outcome, SubsetVerdict, worst
from studio.domain.errors import StudioError
from studio.domain.events import SubsetChecked
from studio.domain.ids import HunkId, RunId
from studio.domain.state import RunState
from studio.host.context import Caller, Context
from studio.host.needs import find_needed
from studio.protocol.digest import decisions_digest
from studio.protocol.messages import SubsetJob

__all__ = ["SubsetChecks", "accepted_hunks"]

log = logging.getLogger(__name__)

DEBOUNCE_SECONDS = 0.3
JOB_SECONDS = 1_800.0
_TAKEN = {Verdict.ACCEPTED, Verdict.EDITED}


def accepted_hunks(decisions: dict[str, Decision]) -> tuple[HunkId, ...]:
    """Return the hunks of which something is taken."""
    return tuple(HunkId(hunk) for hunk, decision in decisions.items() if decision.verdict in _TAKEN)


@dataclass
class _Work:
    """The check under way for one run; the newest takes the older one's waiters and its tier."""

    task: asyncio.Task[None]
    waiters: list[asyncio.Future[SubsetVerdict]]
    tests: bool


class SubsetChecks:
    """One check at a time for each run; the newest decisions win."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._works: dict[RunId, _Work] = {}

    @property
    def busy(self) -> bool:
        """Whether a check is under way."""
        return bool(self._works)

    def changed(self, run: RunId, caller: Caller) -> None:
        """Check soon, because decisions changed: the fast tier."""
        self._begin(run, caller, DEBOUNCE_SECONDS, tests=False)

    async def check(self, run: RunId, caller: Caller, *, tests: bool) -> SubsetVerdict:
        """Check now and return the verdict on the decisions as they are when it is done.

        Raises:
            StudioError: it could not be checked.

        """
        future: asyncio.Future[SubsetVerdict] = asyncio.get_running_loop().create_future()
        self._begin(run, caller, 0.0, tests=tests).waiters.append(future)
        return await future

    async def close(self) -> None:
        """End what is under way."""
        works = list(self._works.values())
        for work in works:
            work.task.cancel()
        await asyncio.gather(*(work.task for work in works), return_exceptions=True)

    def _begin(self, run: RunId, caller: Caller, delay: float, *, tests: bool) -> _Work:
        older = self._works.pop(run, None)
        waiters = [future for future in older.waiters if not future.done()] if older else []
        if older is not None:
            older.task.cancel()
            tests = tests or (older.tests and bool(waiters))
        task = asyncio.create_task(self._work(run, caller, delay, tests=tests))
        work = self._works[run] = _Work(task, waiters, tests)
        return work

    async def _work(self, id_: RunId, caller: Caller, delay: float, *, tests: bool) -> None:
        try:
            await asyncio.sleep(delay)
            run = self._context.run(id_)
            changes = await self._context.changes(run)
            verdict = await self.verdict(run, changes, caller, LandingTarget(), tests=tests)
            await self._context.append(caller.name, SubsetChecked(verdict), run=id_)
            self._settle(id_, verdict)
        except asyncio.CancelledError:
            raise
        except StudioError as error:
            log.warning("subset check of %s: %s", id_, error)
            self._settle(id_, error)
        except Exception as error:
            log.exception("subset check of %s failed", id_)
            self._settle(id_, error)

    def _settle(self, run: RunId, result: SubsetVerdict | Exception) -> None:
        work = self._works.get(run)
        if work is None or work.task is not asyncio.current_task():
            return
        del self._works[run]
        for future in work.waiters:
            if future.done():
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)

    async def verdict(
        self, run: RunState, changes: ChangeSet, caller: Caller, target: LandingTarget, *, tests: bool
    ) -> SubsetVerdict:
        """Return the checks' verdict on what would land on `target` now; on failure, with the hunks it needs if found."""
        decisions = self._context.decisions(run)
        accepted = accepted_hunks(decisions)
        digest, tier = decisions_digest(decisions.values()), "tests" if tests else "fast"
        if not accepted:
            return SubsetVerdict("", (), (), tier=tier, decisions=digest, problem="nothing is accepted")
        workspace = self._context.workspace(caller.places)
        merged = await asyncio.to_thread(workspace.landing_tree, changes, decisions, target)
        if merged.conflicts:
            problem = f"what is accepted conflicts with what is there in {', '.join(merged.conflicts)}"
            return SubsetVerdict("", (), accepted, tier=tier, decisions=digest, problem=problem)
        accept = parse_brief(run.brief, await self._context.text(run.text)).front.accept
        job = SubsetJob(run.id, merged.tree, changes.base_tree, tests, accept)
        found = await self._run(job)
        needs: tuple[HunkId, ...] = ()
        if worst(found.results) is Outcome.FAILED:
            needs = await self._needs(job, changes, decisions, caller, target)
        return msgspec.structs.replace(found, accepted=accepted, needs=needs, tier=tier, decisions=digest)

    async def _run(self, job: SubsetJob) -> SubsetVerdict:
        return await self._context.control.assign(job, SubsetVerdict, JOB_SECONDS)

    async def _needs(
        self,
        job: SubsetJob,
        changes: ChangeSet,
        decisions: dict[str, Decision],
        caller: Caller,
        target: LandingTarget,
    ) -> tuple[HunkId, ...]:
        workspace = self._context.workspace(caller.places)
        left = [hunk.id for file in changes.files for hunk in file.hunks if hunk.id not in accepted_hunks(decisions)]

        async def passes(added: Sequence[HunkId]) -> bool:
            more = decisions | {str(hunk): Decision(hunk, Verdict.ACCEPTED) for hunk in added}
            merged = await asyncio.to_thread(workspace.landing_tree, changes, more, target)
            if merged.conflicts:
                return False
            found = await self._run(msgspec.structs.replace(job, tree=merged.tree))
            return worst(found.results) is Outcome.PASSED

        return await find_needed(left, passes)
