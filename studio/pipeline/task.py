"""One agent on one tree: the conversation, driven a durable step at a time."""

from __future__ import annotations

import asyncio

import msgspec
from dbos import DBOS

from studio.agents.actions import Finish
from studio.agents.build import BuildConversation, BuildInputs, start_build
from studio.agents.roles import find_role, role_prompt_version
from studio.domain.brief import Brief, Sentence
from studio.domain.changes import Provenance
from studio.domain.errors import Problem
from studio.domain.events import RunTold, TaskFinished, TaskStarted
from studio.domain.ids import ArtifactId, content_digest
from studio.domain.memory import ContextPack
from studio.domain.plan import Requirement, Task
from studio.domain.stages import Stage
from studio.domain.value import Value, decode, encode
from studio.pipeline.acting import Acted, Results, Worksite, act
from studio.pipeline.asking import Asked, ask
from studio.pipeline.packing import pack_of_tree
from studio.pipeline.provenance import Transition
from studio.pipeline.results import AgentWork, Recall, TaskOrder, TaskResult, Understanding
from studio.pipeline.reusing import find_work, keep_work
from studio.pipeline.scope import scope_of
from studio.pipeline.serial import register
from studio.pipeline.services import current
from studio.pipeline.stage import forks_after, stage_cost
from studio.pipeline.steps import RunSpec, Stopped, step, timed_step

__all__ = ["order_of", "task_workflow", "work_on"]


class Inputs(Value, frozen=True):
    """What a task's first step found: its conversation's inputs and its key, or its result from an earlier run."""

    inputs: ArtifactId
    """`BuildInputs`."""
    key: str
    kept: AgentWork | None = None
    saved_usd: float = 0.0


async def order_of(
    stage: Stage,
    task: Task,
    tree: str,
    recalled: Recall,
    understood: Understanding,
    *,
    role: str = "",
    attempt: int = 1,
    upstream: tuple[str, ...] = (),
    failures: str = "",
) -> TaskOrder:
    """Return a task's order; what is large in it becomes artifacts. Bodies may await this: it is content-addressed."""
    services = current()
    return TaskOrder(
        stage,
        await services.keep(encode(task)),
        task.id,
        task.title,
        role or task.role,
        tree,
        recalled.pack,
        await services.keep(encode(understood)),
        attempt,
        upstream,
        failures,
    )


@DBOS.workflow(name="task")
async def task_workflow(spec: RunSpec, order: TaskOrder) -> TaskResult | Problem:
    """Do a task as a child workflow, so that independent tasks run in parallel."""
    try:
        return TaskResult(order.id, await work_on(spec, order))
    except Stopped as stopped:
        return stopped.problem


async def work_on(spec: RunSpec, order: TaskOrder) -> AgentWork:
    """Do a task in a workflow body: reuse its result, or converse until the agent is done.

    Raises:
        Stopped: no model answered, the budget is spent, or the run was cancelled.

    """
    at = f"{order.stage}/{order.id}/{order.attempt}"
    began = await step(spec, f"{at}/begin", _begin, spec, order)
    if began.kept is not None:
        await step(spec, f"{at}/end", _end, spec, order, began, began.kept)
        return began.kept
    talk = start_build(decode(await current().load(began.inputs), BuildInputs))
    tree = order.tree
    transitions: list[Transition] = []
    read: set[str] = set()
    while talk.outcome is None:
        asked, reply = await ask(spec, talk.next_request())
        talk = talk.feed(reply)
        if talk.pending:
            acted = await _do(spec, order, talk, asked, tree)
            results = decode(await current().load(acted.results), Results).results
            talk, tree = talk.feed_results(results), acted.tree
            transitions += acted.transitions
            read |= set(acted.read)
        if talk.outcome is None:
            talk = talk.tell(await step(spec, f"{at}/told-{talk.turn}", _told, spec))
    summary = talk.outcome.summary if isinstance(talk.outcome, Finish) else talk.outcome.reason
    ended = AgentWork(
        isinstance(talk.outcome, Finish),
        summary[:2000],
        order.tree,
        tree,
        tuple(transitions),
        tuple((path, "") for path in sorted(read)),
    )
    return await step(spec, f"{at}/end", _end, spec, order, began, ended)


async def _do(spec: RunSpec, order: TaskOrder, talk: BuildConversation, asked: Asked, tree: str) -> Acted:
    task_requirements = talk.inputs.task.requirements
    provenance = Provenance(task_requirements, order.id, order.role, asked.model, asked.call, asked.cost_usd)
    address = f"{order.stage}/{order.id}/{order.attempt}/act-{talk.turn}"
    site = Worksite(_worktree(order), order.id, address, provenance)
    return await timed_step(spec, address, act, spec, site, tree, talk.pending)


def _worktree(order: TaskOrder) -> str:
    return f"{order.stage}-{order.id}-{order.attempt}"


async def _told(spec: RunSpec) -> tuple[str, ...]:
    records = await asyncio.to_thread(current().journal.read, 0, 1_000_000, spec.run, ("run.told",))
    return tuple(record.event.text for record in records if isinstance(record.event, RunTold))


async def _begin(spec: RunSpec, order: TaskOrder) -> Inputs:
    services = current()
    scope = await scope_of(spec)
    at = spec.at(f"{order.stage}/{order.id}/{order.attempt}/begin")
    await services.log(spec.run, at, TaskStarted(order.id, order.title, order.role, order.attempt, order.stage))
    task = decode(await services.load(order.task), Task)
    understood = decode(await services.load(order.understanding), Understanding)
    wanted = set(task.requirements)
    requirements = tuple(each for each in understood.requirements if not wanted or each.id in wanted)
    pack = decode(await services.load(order.pack), ContextPack)
    if order.tree != spec.base_tree:
        # What tasks before this one wrote is shown as it is now.
        pack = await pack_of_tree(spec, scope.brief, order.tree, _worktree(order), pack.memories)
    merging = order.stage is Stage.INTEGRATE
    inputs = BuildInputs(
        task,
        order.stage,
        order.attempt,
        order.role,
        _sentences(scope.brief, requirements),
        requirements,
        pack,
        order.upstream,
        "" if merging else order.failures,
        spec.options.revise if order.stage is Stage.BUILD else "",
        order.failures if merging else "",
        remarks=await _told(spec),
        protect=scope.brief.front.protect,
        calls_tools=scope.gateway.calls_tools(task.tier),
    )
    key = _key(spec, inputs)
    found = None if forks_after(spec, order.stage) else await find_work(key, order.tree)
    artifact = await services.keep(encode(inputs))
    return Inputs(artifact, key, found.work if found else None, found.cost_usd if found else 0.0)


def _sentences(brief: Brief, requirements: tuple[Requirement, ...]) -> tuple[Sentence, ...]:
    """Return the sentences the requirements are tied to, all of them where none is."""
    tied = {name for requirement in requirements for name in requirement.sentences}
    chosen = tuple(sentence for sentence in brief.sentences if sentence.id in tied)
    return chosen or brief.sentences


def _key(spec: RunSpec, inputs: BuildInputs) -> str:
    """Return what determines the work, but for the files it reads: its read set verifies those.

    The repo map and positions of sentences are left out: the one is a hint, the others move with any edit above.
    """
    role = find_role(inputs.role or inputs.task.role)
    plain = msgspec.structs.replace(
        inputs,
        sentences=tuple(msgspec.structs.replace(each, start=0, end=0) for each in inputs.sentences),
        context=ContextPack(memories=inputs.context.memories),
    )
    prompts = role_prompt_version(role, calls_tools=inputs.calls_tools, form=inputs.form or role.form)
    return content_digest("task", spec.model, spec.sandbox, encode(spec.environment), prompts, encode(plain))


async def _end(spec: RunSpec, order: TaskOrder, began: Inputs, work: AgentWork) -> AgentWork:
    services = current()
    at = f"{order.stage}/{order.id}/{order.attempt}"
    reused = began.kept is not None
    if not reused:
        work = msgspec.structs.replace(work, read=await asyncio.to_thread(_read_set, order, began, work))
        if work.ok:
            await keep_work(spec, began.key, work, await stage_cost(spec, at))
    finished = TaskFinished(
        order.id,
        work.ok,
        work.summary,
        reused,
        began.saved_usd if reused else 0.0,
        work.after,
        order.attempt,
        order.stage,
    )
    await services.log(spec.run, spec.at(f"{at}/end"), finished)
    return work


def _read_set(order: TaskOrder, began: Inputs, work: AgentWork) -> tuple[tuple[str, str], ...]:
    """Return the blobs, in the starting tree, of what was read or written and of what the prompt showed."""
    services = current()
    blobs = {path: blob for path, _, blob in services.workspace.list_tree(order.tree)}
    inputs = decode(services.artifacts.get(began.inputs), BuildInputs)
    paths = {path for path, _ in work.read} | {file.path for file in inputs.context.files}
    return tuple((path, blobs.get(path, "")) for path in sorted(paths))


register(Inputs)
