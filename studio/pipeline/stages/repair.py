"""Stage 9: repair until clean, out of budget, or not converging; the best tree so far is what goes on."""

from __future__ import annotations

from studio.domain.events import RepairStopped
from studio.domain.ids import TaskId
from studio.domain.plan import Task
from studio.domain.stages import Stage
from studio.pipeline.convergence import best, verdict
from studio.pipeline.provenance import Transition
from studio.pipeline.results import CheckRound, Recall, Repaired, Understanding
from studio.pipeline.services import current
from studio.pipeline.stage import staged
from studio.pipeline.stages.check import check_tree, summary
from studio.pipeline.steps import SPENT, RunSpec, Stopped, step, timed_step
from studio.pipeline.task import order_of, work_on

__all__ = ["repair"]


async def repair(spec: RunSpec, recalled: Recall, understood: Understanding, first: CheckRound) -> Repaired:
    """Repair the tree of the first check."""
    if first.clean:
        return Repaired(first.tree, first, 0, "clean")

    async def loop() -> Repaired:
        return await _loop(spec, recalled, understood, first)

    return await staged(
        spec, Stage.REPAIR, Repaired, None, loop, lambda done: (done.round.clean, f"{done.why}; {summary(done.round)}")
    )


async def _loop(spec: RunSpec, recalled: Recall, understood: Understanding, first: CheckRound) -> Repaired:
    rounds = [first]
    transitions: list[Transition] = []
    kept = [0]  # how many transitions lead to the tree of each round
    while not (why := verdict(rounds)):
        number = len(rounds)
        task = Task(TaskId(f"F{number}"), f"repair {', '.join(rounds[-1].failed)}", "Make the failing checks pass.")
        order = await order_of(
Stage.REPAIR, task, rounds[-1].tree, recalled, understood, role="builder",
            attempt=number, failures=rounds[-1].text,
        )  # fmt: skip
        try:
            work = await work_on(spec, order)
        except Stopped as stopped:
            if stopped.problem.code not in SPENT:
                raise
            why = "budget"
            break
        if work.after == work.before:
            why = "no edits"
            break
        transitions += work.transitions
        try:
            checked = await timed_step(spec, f"repair/check/{number}", check_tree, spec, work.after, number)
        except Stopped as stopped:
            if stopped.problem.code not in SPENT:
                raise
            why = "budget"
            break
        rounds.append(checked)
        kept.append(len(transitions))
    at = best(rounds)
    done = Repaired(rounds[at].tree, rounds[at], len(rounds) - 1, why, tuple(transitions[: kept[at]]))
    await step(spec, "repair/stopped", _stopped, spec, RepairStopped(why, done.rounds, done.round.clean))
    return done


async def _stopped(spec: RunSpec, event: RepairStopped) -> None:
    await current().log(spec.run, spec.at("repair/stopped"), event)
