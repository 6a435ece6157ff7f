"""A run, as one durable workflow that reads like the table of stages.

The body is deterministic: it awaits steps and branches on what they recorded. Everything that looks at the clock, git,
settings or the network happens inside a step.
"""

from __future__ import annotations

import asyncio
import logging
import time

import msgspec
from dbos import DBOS

from studio.domain.errors import (
    BudgetSpent,
    Cancelled,
    ChecksFailed,
    GateWaiting,
    InternalError,
    Problem,
    SandboxUnavailable,
    UsageError,
)
from studio.domain.events import RunFinished, RunRequested
from studio.domain.fold import fold
from studio.domain.ids import RunId
from studio.domain.runs import RunStatus
from studio.domain.stages import Stage
from studio.pipeline.acting import forget_worktrees
from studio.pipeline.results import (
    CheckRound,
    Integrated,
    Proposal,
    Ran,
    Recall,
    Repaired,
)
from studio.pipeline.scope import close_scope
from studio.pipeline.services import current
from studio.pipeline.stage import runs_at, staged
from studio.pipeline.stages import build, check, intake, planning, recall, repair, review, run, testing
from studio.pipeline.steps import SPENT, RunSpec, Stopped, step, timed_step

__all__ = ["run_workflow"]

log = logging.getLogger(__name__)


@DBOS.workflow(name="run")
async def run_workflow(run_id: RunId, incarnation: int) -> str:
    """Do a run, from brief to change set; return its final status."""
    spec = await DBOS.run_step_async({"name": "begin"}, _begin, run_id, incarnation)
    try:
        spec = await intake.take_in(spec)
        ended = await _stages(spec)
    except Stopped as stopped:
        ended = _ending(stopped.problem)
    except Exception as error:  # a run never stays open because of a bug in its body
        if type(error).__module__.startswith("dbos"):
            raise  # the engine's own: it ends or repeats the workflow
        log.exception("the body of %s failed", run_id)
        what = f"The run failed: {type(error).__name__}: {error}."
        ended = _ending(InternalError(what, "The traceback is in the worker's log; report it.").problem)
    return await DBOS.run_step_async({"name": "finish"}, _finish, spec, ended)


async def _stages(spec: RunSpec) -> RunFinished:
    recalled = await staged(
        spec,
        Stage.RECALL,
        Recall,
        None,
        lambda: step(spec, "recall", recall.recall, spec),
        lambda done: (True, recall.summary(done)),
    )
    understood = await planning.understand(spec, recalled)
    plan = await planning.plan(spec, recalled, understood)
    built = await build.build(spec, recalled, understood, plan)
    merged = await build.integrate(spec, recalled, understood, built)
    tested = await testing.write_tests(spec, recalled, understood, merged)
    first = await staged(
        spec, Stage.CHECK, CheckRound, None, lambda: timed_step(spec, "check", check.check_tree, spec, tested.tree, 0),
        lambda checked: (checked.clean, check.summary(checked)),
    )  # fmt: skip
    repaired = await repair.repair(spec, recalled, understood, first)
    ran = await _run_program(spec, repaired)
    proposal = await review.review(spec, understood, merged, tested, repaired, ran)
    return _verdict(spec, built, repaired, ran, proposal)


async def _run_program(spec: RunSpec, repaired: Repaired) -> Ran:
    if not runs_at(spec, Stage.RUN):
        return Ran("not-run", f"not at depth {spec.depth}")
    return await staged(
        spec, Stage.RUN, Ran, None, lambda: timed_step(spec, "run", run.start_program, spec, repaired.tree),
        lambda ran: (ran.outcome != "failed", f"{ran.outcome}: {ran.detail}"),
    )  # fmt: skip


def _verdict(spec: RunSpec, built: Integrated, repaired: Repaired, ran: Ran, proposal: Proposal) -> RunFinished:
    checked = repaired.round
    if not proposal.hunks:
        return RunFinished(RunStatus.FAILED, "The agents changed nothing: " + "; ".join(built.summaries), 1)
    if not checked.clean or ran.outcome == "failed":
        failed = ", ".join(checked.failed) or f"run ({ran.detail})"
        code = BudgetSpent.exit_code if repaired.why == "budget" else ChecksFailed.exit_code
        return RunFinished(
            RunStatus.CHECKS_FAILED,
            f"Checks failed: {failed} (repair ended: {repaired.why}). The best tree is shown.",
            code,
        )
    size = f"{proposal.hunks} hunks in {proposal.files} files"
    if not built.ok:
        return RunFinished(RunStatus.NEEDS_ATTENTION, f"{size}; tasks were given up: {'; '.join(built.summaries)}", 1)
    if not spec.sandbox:
        what = f"{size}; nothing was checked: no sandbox works here. `studio doctor` says what would help."
        return RunFinished(RunStatus.NEEDS_ATTENTION, what, SandboxUnavailable.exit_code)
    unrun = f"; not run: {', '.join(checked.not_run)}" if checked.not_run else ""
    return RunFinished(RunStatus.READY, f"{size}{unrun}", 0)


def _ending(problem: Problem) -> RunFinished:
    what = f"{problem.what} {problem.do}".strip()
    if problem.code == Cancelled.__name__:
        return RunFinished(RunStatus.CANCELLED, what, problem.exit_code)
    attention = problem.code in SPENT or problem.code == GateWaiting.__name__
    status = RunStatus.NEEDS_ATTENTION if attention else RunStatus.FAILED
    return RunFinished(status, what, problem.exit_code)


async def _begin(run_id: RunId, incarnation: int) -> RunSpec:
    records = await asyncio.to_thread(current().journal.read, 0, 1, run_id, ("run.requested",))
    requested = next((record.event for record in records if isinstance(record.event, RunRequested)), None)
    if requested is None:
        raise UsageError(f"There is no run {run_id} in the log.", "`studio runs` lists them.")
    return RunSpec(
        run_id,
        incarnation,
        requested.brief,
        requested.text,
        requested.options,
        requested.base,
        requested.base_tree,
        started=time.time(),
    )


async def _finish(spec: RunSpec, ended: RunFinished) -> str:
    services = current()
    records = await asyncio.to_thread(services.journal.read, 0, 1_000_000, spec.run)
    spend = fold(records).runs[spec.run].spend
    finished = msgspec.structs.replace(
        ended, cost_usd=round(spend.cost_usd, 6), tokens=spend.tokens, saved_usd=round(spend.saved_usd, 6)
    )
    await services.log(spec.run, spec.at("finish/run"), finished)
    forget_worktrees(spec.run)
    await asyncio.to_thread(services.workspace.drop_worktrees, spec.run)
    await close_scope(spec.run)
    return finished.status
