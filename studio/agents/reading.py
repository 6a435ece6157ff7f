"""Understanding a reply: which actions it asks for, whether it ends the work, what to tell the model about the rest."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from studio.agents.actions import Action, Finish, GiveUp, Outcome, UseTool, WriteEdits
from studio.agents.edits.formats import EditFormat, ParsedReply, parse_reply
from studio.agents.tools import BadCall, EditCall, read_call
from studio.domain.edits import Edit
from studio.domain.models import Message, ModelReply, ToolCall
from studio.domain.value import Value

__all__ = ["Understood", "understand"]

_CUT = (
    "Your reply was cut off at its length limit, so nothing of it was applied. Send less at once: fewer or smaller edits, "
    "then go on in the next reply."
)
_EMPTY = "Your reply was empty. Go on with the task."
_NO_EDITS = (
    "Your reply holds no edit and no request that could be read. Write edits in the format described, or READ what you need, or "
    "GIVE UP with the reason."
)
_MAX_CALLS = 32


class Understood(Value, frozen=True):
    """A reply, as the conversation takes it."""

    message: Message = Message("assistant", "")
    """The reply as it goes into the history: every tool call with an id of its own."""
    actions: tuple[Action, ...] = ()
    problems: tuple[str, ...] = ()
    """For the model; a reply with problems counts as leading nowhere."""
    answers: tuple[tuple[str, str], ...] = ()
    """(call id, text) of calls that are answered without being done."""
    routes: dict[str, str] = {}
    """Call id of the reply → the action that does it, where they differ: edits are done together."""
    finish: Finish | None = None
    """The outcome, if the actions succeed."""
    outcome: Outcome | None = None
    """The outcome, at once."""


class _Calls(NamedTuple):
    edits: list[tuple[str, Edit]]
    uses: list[Action]
    answers: list[tuple[str, str]]
    done: bool


def understand(
    reply: ModelReply, turn: int, tools: tuple[str, ...], form: EditFormat, *, calls_tools: bool, written: bool
) -> Understood:
    """Read the `turn`-th reply. `written` says whether edits were applied before."""
    message = _with_ids(reply.message, turn)
    if reply.finish == "length":
        return _unusable(message, _CUT)
    if message.calls:
        return _by_calls(message, turn, tools)
    if not message.content.strip():
        return _unusable(message, _EMPTY)
    parsed = parse_reply(message.content, form)
    if parsed.problems:
        return Understood(message, problems=parsed.problems)
    if parsed.give_up:
        return Understood(message, outcome=GiveUp(parsed.give_up[:1000]))
    return _by_text(message, turn, tools, parsed, ends=calls_tools or written)


def _unusable(message: Message, problem: str) -> Understood:
    return Understood(message, problems=(problem,), answers=tuple((call.id, problem) for call in message.calls))


def _with_ids(message: Message, turn: int) -> Message:
    """Return the message as an assistant's, its calls with ids that are unique within the conversation."""
    seen: set[str] = set()
    calls: list[ToolCall] = []
    for number, call in enumerate(message.calls[:_MAX_CALLS], 1):
        name = call.id if call.id and call.id not in seen else f"call-{turn}-{number}"
        seen.add(name)
        calls.append(msgspec.structs.replace(call, id=name))
    return Message("assistant", message.content, tuple(calls))


def _by_text(message: Message, turn: int, tools: tuple[str, ...], parsed: ParsedReply, *, ends: bool) -> Understood:
    actions: list[Action] = []
    problems: list[str] = []
    if parsed.edits:
        actions.append(WriteEdits(f"edits-{turn}", parsed.edits))
    for number, request in enumerate(parsed.requests[:_MAX_CALLS], 1):
        name = request.name if request.name != "edit" else "edit (write edits in your reply instead)"
        arguments = read_call(name, request.arguments, tuple(tool for tool in tools if tool != "edit"))
        if isinstance(arguments, BadCall):
            problems.append(arguments.message)
        elif not isinstance(arguments, EditCall):
            actions.append(UseTool(f"call-{turn}-{number}", name, arguments))
    if problems:
        return Understood(message, problems=tuple(problems))
    if not actions:
        if parsed.done or ends:
            return Understood(message, outcome=Finish(parsed.summary or message.content.strip()[:1000]))
        return Understood(message, problems=(_NO_EDITS,))
    finish = None if parsed.requests else Finish(parsed.summary)
    return Understood(message, tuple(actions), finish=finish)


def _by_calls(message: Message, turn: int, tools: tuple[str, ...]) -> Understood:
    calls = _read_calls(message.calls, tools)
    actions: list[Action] = list(calls.uses)
    routes: dict[str, str] = {}
    if calls.edits and calls.answers:
        broken = "Not applied: another call of the same reply could not be understood. Send it again with the others."
        calls.answers.extend((call, broken) for call, _ in calls.edits)
    elif calls.edits:
        write = WriteEdits(f"edits-{turn}", tuple(edit for _, edit in calls.edits))
        routes = dict.fromkeys((call for call, _ in calls.edits), write.call)
        actions.insert(0, write)
    problems = tuple(text for _, text in calls.answers)
    finish = Finish(message.content.strip()[:1000]) if calls.done and not calls.uses and not problems else None
    return Understood(message, tuple(actions), problems, tuple(calls.answers), routes, finish)


def _read_calls(given: tuple[ToolCall, ...], tools: tuple[str, ...]) -> _Calls:
    calls = _Calls([], [], [], done=False)
    done = False
    for call in given:
        arguments = read_call(call.name, call.arguments, tools)
        if isinstance(arguments, BadCall):
            calls.answers.append((call.id, arguments.message))
        elif isinstance(arguments, EditCall):
            calls.edits.append((call.id, arguments.edit))
            done = done or arguments.done
        else:
            calls.uses.append(UseTool(call.id, call.name, arguments))
    return calls._replace(done=done)
