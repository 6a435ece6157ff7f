"""Stages 3 and 4: what the brief requires, and the tasks that do it."""

from __future__ import annotations

import asyncio
from collections import defaultdict

import msgspec

from studio.agents.answers import PlanAnswer, RequirementsAnswer
from studio.agents.complexity import characteristics
from studio.agents.patterns import choose_patterns
from studio.agents.prompts import prompt_version
from studio.agents.structured import ask_plan, ask_requirements
from studio.domain.brief import Brief
from studio.domain.errors import Cancelled
from studio.domain.events import ModelReplied, PlanWritten, RequirementsWritten
from studio.domain.ids import GateId, RunId, TaskId
from studio.domain.memory import ContextPack
from studio.domain.plan import Plan, Question, Requirement, Task
from studio.domain.runs import Gate, OnGate
from studio.domain.stages import Depth, Stage
from studio.domain.value import decode, encode
from studio.pipeline.asks import answer_to
from studio.pipeline.gates import ask_person
from studio.pipeline.results import Recall, Understanding
from studio.pipeline.scope import brief_of
from studio.pipeline.serial import register
from studio.pipeline.services import current
from studio.pipeline.stage import runs_at, staged
from studio.pipeline.steps import RunSpec, Stopped, step

__all__ = ["pack_of", "plan", "understand"]


_LATELY = 20_000
"""Records a forecast looks back."""


async def pack_of(recalled: Recall) -> ContextPack:
    """Return the context pack. Bodies may await this: it is content-addressed."""
    return decode(await current().load(recalled.pack), ContextPack)


async def understand(spec: RunSpec, recalled: Recall) -> Understanding:
    """Return the brief's requirements, its open questions answered by people or by their defaults."""
    brief = await brief_of(spec)
    if not runs_at(spec, Stage.REQUIREMENTS):
        whole = Requirement("R1", brief.title, sentences=tuple(sentence.id for sentence in brief.sentences))
        understood = Understanding((whole,))
        await step(spec, "requirements/written", _written, spec, understood)
        return understood
    pack = await pack_of(recalled)
    patterns = _patterns(brief)

    async def ask_architect() -> Understanding:
        question = ask_requirements(brief, pack, patterns=patterns, remarks=_revision(spec))
        answer = await answer_to(spec, question)
        assert isinstance(answer.value, RequirementsAnswer)  # noqa: S101 -- the question's own kind of answer
        return Understanding(answer.value.requirements, await _settle(spec, answer.value.questions))

    reads = (brief.body, spec.options.revise, prompt_version("requirements"), *(item.item.id for item in pack.memories))
    understood = await staged(
        spec,
        Stage.REQUIREMENTS,
        Understanding,
        reads,
        ask_architect,
        lambda done: (True, f"{len(done.requirements)} requirements, {len(done.questions)} questions"),
    )
    await step(spec, "requirements/written", _written, spec, understood)
    return understood


def _revision(spec: RunSpec) -> tuple[str, ...]:
    return (spec.options.revise,) if spec.options.revise else ()


def _patterns(brief: Brief) -> tuple[str, ...]:
    return tuple(name for name, _ in choose_patterns(characteristics(brief)))


async def _settle(spec: RunSpec, questions: tuple[Question, ...]) -> tuple[Question, ...]:
    """Ask people what has no default; what has one is assumed and shown, and so is nothing where defaults must do."""
    settled: list[Question] = []
    for question in questions:
        answer = question.default
        if not answer and spec.options.on_gate is not OnGate.DEFAULT:
            gate = Gate(GateId(question.id), "question", question.text, question.options)
            answer = await ask_person(spec, gate, f"requirements/{question.id}")
        settled.append(Question(question.id, question.text, answer, question.options))
    return tuple(settled)


async def _written(spec: RunSpec, understood: Understanding) -> None:
    event = RequirementsWritten(understood.requirements, understood.questions)
    await current().log(spec.run, spec.at("requirements/written"), event)


async def plan(spec: RunSpec, recalled: Recall, understood: Understanding) -> Plan:
    """Return the task graph; at depth quick one task made from the brief."""
    brief = await brief_of(spec)
    if not runs_at(spec, Stage.PLAN):
        names = tuple(requirement.id for requirement in understood.requirements)
        made = Plan((Task(TaskId("T1"), brief.title, "Do what the brief asks.", requirements=names),))
        await step(spec, "plan/written", _planned, spec, made)
        return made
    pack = await pack_of(recalled)

    async def ask_planner() -> Plan:
        answers = tuple(f"{each.text} {each.default}" for each in understood.questions if each.default)
        question = ask_plan(brief, understood.requirements, pack, patterns=_patterns(brief), remarks=answers)
        answer = await answer_to(spec, question)
        assert isinstance(answer.value, PlanAnswer)  # noqa: S101 -- the question's own kind of answer
        return answer.value.plan

    planned = await staged(
        spec,
        Stage.PLAN,
        Plan,
        (encode(understood).decode(), prompt_version("plan"), *brief.front.protect),
        ask_planner,
        lambda done: (True, f"{len(done.tasks)} tasks"),
    )
    await step(spec, "plan/written", _planned, spec, planned)
    if spec.depth is Depth.DEEP:
        await _approve(spec, planned)
    return planned


async def _planned(spec: RunSpec, planned: Plan) -> None:
    forecast = await asyncio.to_thread(_forecast, len(planned.tasks))
    event = PlanWritten(msgspec.structs.replace(planned, forecast_usd=forecast))
    await current().log(spec.run, spec.at("plan/written"), event)


def _forecast(tasks: int) -> float:
    """Return what building so many tasks may cost: what tasks here cost lately, 0 where none did."""
    journal = current().journal
    after = max(journal.head() - _LATELY, 0)
    costs: dict[tuple[RunId, str], float] = defaultdict(float)
    for record in journal.read(after, _LATELY, None, ("model.replied",)):
        stage, _, rest = record.step.partition("/")
        if isinstance(record.event, ModelReplied) and stage == Stage.BUILD:
            costs[record.run, rest.partition("/")[0]] += record.event.cost_usd
    return round(tasks * sum(costs.values()) / len(costs), 6) if costs else 0.0


async def _approve(spec: RunSpec, planned: Plan) -> None:
    titles = "; ".join(f"{task.id} {task.title}" for task in planned.tasks)
    gate = Gate(GateId("plan"), "plan", f"Build this plan? {titles}", ("yes", "no"), "yes")
    if (await ask_person(spec, gate, "plan/approve")).casefold() != "yes":
        raise Stopped(Cancelled("The plan was not approved.", "Change the brief and run it again.").problem)


register(Plan, Requirement, Question, Task)
