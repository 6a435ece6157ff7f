"""Stages 5 and 6: the tasks, independent ones in parallel, each on a tree of its own; then one tree."""

from __future__ import annotations

import asyncio

from dbos import DBOS, SetWorkflowID, WorkflowHandleAsync

from studio.domain.errors import Problem
from studio.domain.ids import GateId, TaskId
from studio.domain.plan import Plan, Task
from studio.domain.runs import Gate
from studio.domain.stages import Stage
from studio.pipeline.gates import ask_person
from studio.pipeline.provenance import Transition
from studio.pipeline.results import AgentWork, Integrated, Recall, TaskOrder, TaskResult, Understanding
from studio.pipeline.serial import register
from studio.pipeline.services import current
from studio.pipeline.stage import runs_at, staged
from studio.pipeline.steps import RunSpec, Stopped, step
from studio.pipeline.task import order_of, task_workflow, work_on
from studio.ports.workspace import MergeResult

__all__ = ["build", "integrate", "waves"]

_POLL_SECONDS = 0.1
"""How often a task that is done after a restart, and not by this body's own start, is looked for."""


class Built(Integrated, frozen=True):
    """Stage 5: every wave but the last is merged; `open` are the results of the last."""

    open: tuple[AgentWork, ...] = ()


def waves(plan: Plan) -> list[tuple[Task, ...]]:
    """Return the tasks in waves, each in plan order: those of a wave need only tasks of earlier ones."""
    done: set[TaskId] = set()
    left: list[Task] = list(plan.tasks)
    found: list[tuple[Task, ...]] = []
    while left:
        wave = tuple(task for task in left if set(task.needs) <= done) or (left[0],)
        done |= {task.id for task in wave}
        left = [task for task in left if task not in wave]
        found.append(wave)
    return found


async def build(spec: RunSpec, recalled: Recall, understood: Understanding, plan: Plan) -> Built:
    """Build the plan's tasks. The stage itself is never reused: its tasks are, one by one."""

    async def build_waves() -> Built:
        tree, transitions = spec.base_tree, tuple[Transition, ...]()
        summaries: dict[TaskId, str] = {}
        ok = True
        works: tuple[AgentWork, ...] = ()
        for number, wave in enumerate(waves(plan)):
            if number:
                merged = await _merge(spec, recalled, understood, tree, works, f"build/wave-{number}")
                tree, transitions = merged.tree, transitions + merged.transitions
            orders = [
                await order_of(
Stage.BUILD, task, tree, recalled, understood,
                    upstream=tuple(f"{need}: {summaries[need]}" for need in task.needs if need in summaries),
                )
                for task in wave
            ]  # fmt: skip
            works = await _wave(spec, orders)
            summaries |= {order.id: work.summary for order, work in zip(orders, works, strict=True)}
            ok = ok and all(work.ok for work in works)
        return Built(tree, transitions, tuple(summaries.values()), ok=ok, open=works)

    return await staged(
        spec, Stage.BUILD, Built, None, build_waves, lambda done: (done.ok, f"{len(done.summaries)} tasks")
    )


async def _wave(spec: RunSpec, orders: list[TaskOrder]) -> tuple[AgentWork, ...]:
    if len(orders) == 1:
        return (await work_on(spec, orders[0]),)
    handles: list[WorkflowHandleAsync[TaskResult | Problem]] = []
    for order in orders:  # started in plan order, so that a replay starts the same ones
        with SetWorkflowID(f"{spec.run}.{spec.incarnation}.{order.id}"):
            handles.append(await DBOS.start_workflow_async(task_workflow, spec, order))
    results: list[TaskResult | Problem] = [
        await handle.get_result(polling_interval_sec=_POLL_SECONDS) for handle in handles
    ]
    problems = [result for result in results if isinstance(result, Problem)]
    if problems:
        raise Stopped(problems[0])
    return tuple(result.work for result in results if isinstance(result, TaskResult))


async def integrate(spec: RunSpec, recalled: Recall, understood: Understanding, built: Built) -> Integrated:
    """Merge the last wave into one tree."""

    async def merge_last() -> Integrated:
        merged = await _merge(spec, recalled, understood, built.tree, built.open, "integrate/last")
        transitions = built.transitions + merged.transitions
        return Integrated(merged.tree, transitions, built.summaries, merged.conflicts, built.ok)

    if not runs_at(spec, Stage.INTEGRATE):
        return await merge_last()
    return await staged(
        spec, Stage.INTEGRATE, Integrated, None, merge_last,
        lambda done: (True, f"{len(done.conflicts)} conflicts resolved" if done.conflicts else "merged cleanly"),
    )  # fmt: skip


async def _merge(
    spec: RunSpec, recalled: Recall, understood: Understanding, base: str, works: tuple[AgentWork, ...], address: str
) -> Integrated:
    """Merge works that all started from `base`, in order; conflicts go to an agent, then to a person."""
    tree = base
    transitions: list[Transition] = []
    conflicts: list[str] = []
    for number, work in enumerate(works):
        transitions += work.transitions
        merged = await step(spec, f"{address}/merge-{number}", _merge_step, base, tree, work.after)
        if merged.tree:
            tree = merged.tree
            continue
        conflicts += merged.conflicts
        resolved = await _resolve(spec, recalled, understood, tree, work, merged, f"{address}/{number}", len(conflicts))
        tree, transitions = resolved.after, [*transitions, *resolved.transitions]
    return Integrated(tree, tuple(transitions), (), tuple(conflicts))


async def _merge_step(base: str, ours: str, theirs: str) -> MergeResult:
    if ours == base:
        return MergeResult(theirs)
    return await asyncio.to_thread(current().workspace.merge_trees, base, ours, theirs)


async def _resolve(
    spec: RunSpec,
    recalled: Recall,
    understood: Understanding,
    tree: str,
    work: AgentWork,
    merged: MergeResult,
    address: str,
    attempt: int,
) -> AgentWork:
    text = await step(spec, f"{address}/sides", _sides, work, merged.conflicts)
    goal = "Bring the other side's changes into these files such that both sides' intent holds."
    task = Task(TaskId(f"M{attempt}"), f"merge {', '.join(merged.conflicts)}", goal, files=merged.conflicts)
    order = await order_of(
        Stage.INTEGRATE, task, tree, recalled, understood, role="integrator", attempt=attempt, failures=text
    )
    done = await work_on(spec, order)
    if done.ok and done.after != done.before:
        return done
    gate = Gate(
        GateId(f"M{attempt}"),
        "conflict",
        f"Tasks conflict in {', '.join(merged.conflicts)}, and the agent left it at that: {done.summary}",
        ("keep ours", "take theirs"),
        "keep ours",
    )
    if await ask_person(spec, gate, f"{address}/gate") == "take theirs":
        return AgentWork(ok=True, summary="theirs was taken", before=tree, after=work.after)
    return AgentWork(ok=True, summary="ours was kept", before=tree, after=tree)


async def _sides(work: AgentWork, paths: tuple[str, ...]) -> str:
    """Return the other side's versions of the conflicting files, for the integrator."""
    workspace = current().workspace
    parts: list[str] = []
    for path in paths:
        data = await asyncio.to_thread(workspace.read_blob, work.after, path)
        text = "(deleted)" if data is None else data.decode("utf-8", "replace")
        parts.append(f"The other side's {path}:\n{text}")
    return "\n\n".join(parts)


register(Built, MergeResult)
