"""The conversation of an agent that writes files: builder, test writer, integrator, doc writer, and their repairs.

A pure state machine (see `studio.agents`): the same inputs and replies give the same requests, byte for byte.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from studio.agents.actions import Action, EditsResult, GiveUp, Outcome, Result, ToolResult, UseTool, WriteEdits
from studio.agents.edits.formats import EditFormat
from studio.agents.history import elide
from studio.agents.material import bounded, brief_part, context_part, data, requirements_part, task_part
from studio.agents.reading import Understood, understand
from studio.agents.roles import find_role, role_prompt_version, system_prompt
from studio.agents.tools import tool_specs
from studio.domain.brief import Sentence
from studio.domain.edits import EditReport
from studio.domain.memory import ContextPack
from studio.domain.models import CallAddress, Message, ModelReply, ModelRequest
from studio.domain.plan import Requirement, Task
from studio.domain.value import Value

__all__ = ["BuildConversation", "BuildInputs", "TalkLimits", "describe_report", "start_build"]


class TalkLimits(Value, frozen=True):
    """Bounds of a conversation."""

    turns: int = 24
    """Model calls."""
    refusals: int = 4
    """Replies in a row that led nowhere: refused edits, malformed or empty replies."""
    history_chars: int = 160_000
    """Beyond this, old tool results are left out of requests."""
    result_chars: int = 16_000
    """Kept of each tool result."""


class BuildInputs(Value, frozen=True):
    """All that an agent is given. It decides the first request completely."""

    task: Task
    stage: str = "build"
    attempt: int = 1
    role: str = ""
    """Empty: the task's."""
    sentences: tuple[Sentence, ...] = ()
    requirements: tuple[Requirement, ...] = ()
    context: ContextPack = ContextPack()
    upstream: tuple[str, ...] = ()
    """Summaries of the tasks this one builds on."""
    failures: str = ""
    """For a repair: normalised findings and failing tests."""
    rejected: str = ""
    """For a revision: rejected hunks with the person's comments."""
    conflict: str = ""
    """For the integrator: paths in conflict, with both sides."""
    remarks: tuple[str, ...] = ()
    """What people on the run have said so far."""
    protect: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    """Empty: the task's."""
    calls_tools: bool = False
    """Whether the model calls tools; else the text protocol is spoken."""
    form: EditFormat | None = None
    """None: the role's."""
    tier: str = ""
    """Empty: the task's."""
    model: str = ""
    limits: TalkLimits = TalkLimits()


class BuildConversation(Value, frozen=True):
    """The state of a conversation."""

    inputs: BuildInputs
    messages: tuple[Message, ...]
    turn: int = 0
    """Replies fed."""
    stuck: int = 0
    """Replies in a row that led nowhere."""
    written: int = 0
    """Replies whose edits were applied."""
    told: int = 0
    """Remarks of people the model has been shown or is about to be."""
    waiting: tuple[str, ...] = ()
    """Remarks to be shown after the pending results."""
    understood: Understood = Understood()
    """The last reply, while its actions are pending."""
    outcome: Outcome | None = None

    @property
    def pending(self) -> tuple[Action, ...]:
        """What is to be done before the next request, in order."""
        return self.understood.actions

    def next_request(self) -> ModelRequest:
        """Return the request for the model.

        Raises:
            ValueError: actions are pending, or the conversation is over: a bug of the caller.

        """
        if self.pending or self.outcome is not None:
            raise ValueError("no request is due: actions are pending or the conversation is over")
        role, form = find_role(self.inputs.role or self.inputs.task.role), _form(self.inputs)
        tools = self.inputs.calls_tools
        return ModelRequest(
            self.messages,
            CallAddress(self.inputs.stage, self.inputs.task.id, self.inputs.attempt, self.turn + 1),
            role.name,
            self.inputs.tier or self.inputs.task.tier or role.tier,
            self.inputs.model,
            tool_specs(role.tools) if tools else (),
            role.max_tokens,
            prompt_version=role_prompt_version(role, calls_tools=tools, form=form),
        )

    def feed(self, reply: ModelReply) -> BuildConversation:
        """Return the conversation after a reply: with actions pending, with an outcome, or ready to ask again."""
        if self.pending or self.outcome is not None:
            raise ValueError("no reply is due: actions are pending or the conversation is over")
        role = find_role(self.inputs.role or self.inputs.task.role)
        understood = understand(
            reply,
            self.turn + 1,
            role.tools,
            _form(self.inputs),
            calls_tools=self.inputs.calls_tools,
            written=bool(self.written),
        )
        talk = msgspec.structs.replace(self, turn=self.turn + 1, messages=(*self.messages, understood.message))
        if understood.outcome is not None:
            return msgspec.structs.replace(talk, outcome=understood.outcome)
        talk = msgspec.structs.replace(talk, understood=understood)
        return talk if understood.actions else talk.feed_results(())

    def feed_results(self, results: Sequence[Result]) -> BuildConversation:
        """Return the conversation after its pending actions were done; results in the actions' order.

        Raises:
            ValueError: the results are not those of the pending actions: a bug of the caller.

        """
        done = self.understood
        if [result.call for result in results] != [action.call for action in done.actions]:
            raise ValueError("results do not belong to the pending actions")
        report = next((result.report for result in results if isinstance(result, EditsResult)), None)
        refused = bool(report and report.refused)
        talk = msgspec.structs.replace(
            self, understood=Understood(), written=self.written + bool(report and not refused)
        )
        if done.finish is not None and not refused and not done.problems:
            return msgspec.structs.replace(talk, outcome=done.finish)
        stuck = self.stuck + 1 if refused or done.problems else 0
        over = _over(talk, stuck, report, done)
        if over is not None:
            return msgspec.structs.replace(talk, outcome=over)
        answers = _answers(talk, done, results)
        messages = elide((*talk.messages, *answers), self.inputs.limits.history_chars)
        talk = msgspec.structs.replace(talk, messages=messages, stuck=stuck, waiting=())
        return _remark(talk, self.waiting)

    def tell(self, remarks: Sequence[str]) -> BuildConversation:
        """Return the conversation with people's remarks added; `remarks` is all of the run's, those told before included."""
        new = tuple(remarks[self.told :])
        if not new or self.outcome is not None:
            return self
        talk = msgspec.structs.replace(self, told=self.told + len(new))
        if self.pending:
            return msgspec.structs.replace(talk, waiting=(*self.waiting, *new))
        return _remark(talk, new)


def _remark(talk: BuildConversation, remarks: Sequence[str]) -> BuildConversation:
    if not remarks:
        return talk
    text = "\n".join(["People on this run say:", *(f"- {bounded(remark, 4000)}" for remark in remarks)])
    return msgspec.structs.replace(talk, messages=_with_user(talk.messages, text))


def _over(talk: BuildConversation, stuck: int, report: EditReport | None, done: Understood) -> GiveUp | None:
    limits = talk.inputs.limits
    if stuck > limits.refusals:
        last = describe_report(report) if report and report.refused else "\n".join(done.problems)
        return GiveUp(f"{stuck} replies in a row could not be used. The last: {bounded(last, 600)}")
    if talk.turn >= limits.turns:
        return GiveUp(f"not finished after {talk.turn} model calls")
    return None


def _answers(talk: BuildConversation, done: Understood, results: Sequence[Result]) -> list[Message]:
    limit = talk.inputs.limits.result_chars
    texts = {result.call: _result_text(result, limit) for result in results}
    hint = "This is your last reply: finish the task in it." if talk.turn + 1 >= talk.inputs.limits.turns else ""
    messages: list[Message] = []
    if done.message.calls:
        answered = dict(done.answers)
        for call in done.message.calls:
            text = answered.get(call.id) or texts.get(done.routes.get(call.id, call.id), "")
            if call.id in done.routes:
                texts[done.routes[call.id]] = "See the answer to the first edit of this reply."
            messages.append(Message("tool", text, call=call.id))
        loose = [*done.problems] if not answered else []
        parts = [*loose, *([hint] if hint else [])]
        return [*messages, Message("user", "\n\n".join(parts))] if parts else messages
    parts = [*(f"Nothing of your reply was applied. {problem}" for problem in done.problems)]
    for action in done.actions:
        title = action.name if isinstance(action, UseTool) else "edits"
        parts.append(data("result", _title(action, title), texts[action.call]))
    return [Message("user", "\n\n".join([*parts, *([hint] if hint else [])]) or "Go on.")]


def _title(action: Action, title: str) -> str:
    if isinstance(action, WriteEdits):
        return title
    return f"{title} {msgspec.json.encode(action.arguments).decode()[:200]}"


def _result_text(result: Result, limit: int) -> str:
    if isinstance(result, ToolResult):
        return bounded(result.text, limit) if result.ok else f"Failed: {bounded(result.text, limit)}"
    return describe_report(result.report)


def describe_report(report: EditReport) -> str:
    """Return what became of edits, for the model."""
    if report.refused:
        lines = ["Refused. None of the edits of this reply was applied; send all of them again, corrected."]
        lines.extend(f"- edit {each.index + 1}: {bounded(each.reason, 3000)}" for each in report.refused)
        return "\n".join(lines)
    lines = ["Applied."]
    for each in report.applied:
        where = f" lines {each.start}-{each.end}" if each.start else ""
        lines.append(f"- {each.path}{where}: {each.match.value}{f' ({each.note})' if each.note else ''}")
    return "\n".join(lines)


def _with_user(messages: tuple[Message, ...], text: str) -> tuple[Message, ...]:
    """Add text for the model, to the last message if that is the user's already."""
    last = messages[-1]
    if last.role == "user":
        return (*messages[:-1], msgspec.structs.replace(last, content=f"{last.content}\n\n{text}"))
    return (*messages, Message("user", text))


def _form(inputs: BuildInputs) -> EditFormat:
    return inputs.form or find_role(inputs.role or inputs.task.role).form


def start_build(inputs: BuildInputs) -> BuildConversation:
    """Return a new conversation.

    Raises:
        UsageError: there is no such role.

    """
    role, form = find_role(inputs.role or inputs.task.role), _form(inputs)
    system = system_prompt(role, inputs.patterns or inputs.task.patterns, calls_tools=inputs.calls_tools, form=form)
    parts = [
        brief_part(inputs.sentences) if inputs.sentences else "",
        requirements_part(inputs.requirements),
        context_part(inputs.context, numbered=form is EditFormat.LINES and not inputs.calls_tools),
        "\n".join(["## Done before", *(f"- {bounded(each, 2000)}" for each in inputs.upstream)])
        if inputs.upstream
        else "",
        task_part(inputs.task, inputs.protect),
        _section("Conflicts to resolve", inputs.conflict),
        _section("Failures to repair: change what causes them, not what reports them", inputs.failures),
        _section("A person rejected these changes; do it as they say", inputs.rejected),
    ]
    messages = (Message("system", system), Message("user", "\n\n".join(part for part in parts if part)))
    return BuildConversation(inputs, messages).tell(inputs.remarks)


def _section(title: str, text: str) -> str:
    return (
        f"## {title}\n{data('report', title.split(':', maxsplit=1)[0].lower(), bounded(text, 24_000))}"
        if text.strip()
        else ""
    )
