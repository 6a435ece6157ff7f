"""Asking for requirements, a plan or remarks: one answer in text, one chance to repair it. Same surface as a conversation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from studio.agents.actions import Action, GiveUp
from studio.agents.answers import (
    MAX_TASKS,
    Misread,
    PlanAnswer,
    RemarksAnswer,
    RequirementsAnswer,
    parse_plan,
    parse_remarks,
    parse_requirements,
)
from studio.agents.material import bounded, brief_part, context_part, data, requirements_part
from studio.agents.patterns import fragments
from studio.agents.prompts import prompt_version, render_prompt
from studio.agents.roles import BUILD_ROLES, find_role
from studio.domain.brief import Brief
from studio.domain.changes import ChangeSet, Hunk
from studio.domain.memory import ContextPack
from studio.domain.models import CallAddress, Message, ModelReply, ModelRequest
from studio.domain.plan import Requirement
from studio.domain.value import Value

__all__ = ["Answered", "StructuredTask", "ask_plan", "ask_remarks", "ask_requirements"]

MAX_REPAIRS = 1
MAX_HUNK_CHARS = 6000
MAX_DIFF_CHARS = 120_000

Answer: TypeAlias = RequirementsAnswer | PlanAnswer | RemarksAnswer


class _ForRequirements(Value, frozen=True, tag="requirements"):
    brief: Brief


class _ForPlan(Value, frozen=True, tag="plan"):
    requirements: tuple[Requirement, ...]
    protect: tuple[str, ...]
    limit: int


class _ForRemarks(Value, frozen=True, tag="remarks"):
    hunks: tuple[Hunk, ...]
    author: str


class Answered(Value, frozen=True, tag="answered"):
    """The answer."""

    value: Answer


class StructuredTask(Value, frozen=True):
    """A question that wants a structured answer."""

    goal: _ForRequirements | _ForPlan | _ForRemarks
    messages: tuple[Message, ...]
    role: str
    stage: str
    version: str
    tier: str = ""
    attempt: int = 1
    model: str = ""
    turn: int = 0
    outcome: Answered | GiveUp | None = None

    @property
    def pending(self) -> tuple[Action, ...]:
        """Nothing, ever: there are no tools."""
        return ()

    def next_request(self) -> ModelRequest:
        """Return the request for the model.

        Raises:
            ValueError: there is an outcome already: a bug of the caller.

        """
        if self.outcome is not None:
            raise ValueError("no request is due: the question is answered")
        role = find_role(self.role)
        return ModelRequest(
            self.messages,
            CallAddress(self.stage, "", self.attempt, self.turn + 1),
            role.name,
            self.tier or role.tier,
            self.model,
            max_tokens=role.max_tokens,
            prompt_version=self.version,
        )

    def feed(self, reply: ModelReply) -> StructuredTask:
        """Return the task after a reply: answered, given up, or ready to ask for a repair."""
        text = reply.message.content
        answer = (
            Misread("Your reply was cut off; answer more briefly.") if reply.finish == "length" else self._parse(text)
        )
        task = msgspec.structs.replace(self, turn=self.turn + 1)
        if not isinstance(answer, Misread):
            return msgspec.structs.replace(task, outcome=Answered(answer))
        if task.turn > MAX_REPAIRS:
            return msgspec.structs.replace(
                task, outcome=GiveUp(f"the {self.role}'s answer cannot be used: {answer.message}")
            )
        said = Message("assistant", text or "(nothing)")
        return msgspec.structs.replace(task, messages=(*self.messages, said, Message("user", answer.message)))

    def tell(self, remarks: Sequence[str]) -> StructuredTask:
        """Return the task as it is: people's remarks are part of its material from the start."""
        del remarks
        return self

    def _parse(self, text: str) -> Answer | Misread:
        match self.goal:
            case _ForRequirements(brief):
                return parse_requirements(text, brief)
            case _ForPlan(requirements, protect, limit):
                return parse_plan(text, requirements, protect, limit)
            case _ForRemarks(hunks, author):
                return parse_remarks(text, hunks, author)


def _system(name: str, patterns: Sequence[str], **fields: str) -> str:
    return render_prompt(name, patterns=fragments(patterns), security=render_prompt("security").rstrip(), **fields)


def _user(*parts: str) -> Message:
    return Message("user", "\n\n".join(part for part in parts if part))


def _said(remarks: Sequence[str]) -> str:
    return (
        "\n".join(["## People on this run say", *(f"- {bounded(each, 4000)}" for each in remarks)]) if remarks else ""
    )


def ask_requirements(
    brief: Brief,
    context: ContextPack,
    *,
    patterns: Sequence[str] = (),
    remarks: Sequence[str] = (),
    answers: Sequence[tuple[str, str]] = (),
    attempt: int = 1,
    model: str = "",
) -> StructuredTask:
    """Ask the architect what a brief requires. `answers` are (question, answer) pairs people have given already."""
    settled = "\n".join(["## Answered questions", *(f"- {one} {other}" for one, other in answers)]) if answers else ""
    messages = (
        Message("system", _system("requirements", patterns)),
        _user(context_part(context), brief_part(brief.sentences), settled, _said(remarks)),
    )
    version = prompt_version("requirements", "security")
    return StructuredTask(_ForRequirements(brief), messages, "architect", "requirements", version, "", attempt, model)


def ask_plan(
    brief: Brief,
    requirements: Sequence[Requirement],
    context: ContextPack,
    *,
    patterns: Sequence[str] = (),
    remarks: Sequence[str] = (),
    limit: int = MAX_TASKS,
    attempt: int = 1,
    model: str = "",
) -> StructuredTask:
    """Ask the planner for a task graph."""
    protect = brief.front.protect
    guarded = f"Protected, never to be touched: {', '.join(protect)}." if protect else ""
    messages = (
        Message("system", _system("plan", patterns, limit=str(limit), roles=", ".join(BUILD_ROLES))),
        _user(
            context_part(context), brief_part(brief.sentences), requirements_part(requirements), guarded, _said(remarks)
        ),
    )
    goal = _ForPlan(tuple(requirements), protect, limit)
    return StructuredTask(goal, messages, "planner", "plan", prompt_version("plan", "security"), "", attempt, model)


def ask_remarks(
    changes: ChangeSet,
    requirements: Sequence[Requirement],
    checks: str,
    *,
    role: str = "critic",
    patterns: Sequence[str] = (),
    attempt: int = 1,
    model: str = "",
) -> StructuredTask:
    """Ask a reviewer for remarks on a change set. `checks` is what the checks said, for the model."""
    who = find_role(role)
    hunks = tuple(hunk for file in changes.files for hunk in file.hunks)
    messages = (
        Message("system", _system(who.prompt, patterns, title=who.title, focus=who.focus)),
        _user(
            requirements_part(requirements),
            f"## Checks\n{data('checks', 'verdicts', bounded(checks, 8000))}" if checks else "## Checks\nNone has run.",
            f"## Change\n{bounded(_diff(changes), MAX_DIFF_CHARS)}",
        ),
    )
    version = prompt_version(who.prompt, "security")
    return StructuredTask(_ForRemarks(hunks, role), messages, role, "review", version, "", attempt, model)


def _diff(changes: ChangeSet) -> str:
    """Return every hunk with its id, its lines numbered from 0."""
    parts: list[str] = []
    for file in changes.files:
        for hunk in file.hunks:
            lines = (
                "\n".join(f"{n:>4} {line.op}{line.text}" for n, line in enumerate(hunk.lines)) or f"({file.kind.value})"
            )
            moved = f", from {file.old_path}" if file.old_path and file.old_path != file.path else ""
            title = f"{hunk.id} {file.path}{moved}, line {hunk.new_start}"
            parts.append(data("hunk", title, bounded(lines, MAX_HUNK_CHARS)))
    return "\n".join(parts)
