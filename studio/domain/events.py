"""Every event, in past tense: the one list. The journal is made of these and the state is folded from them.

An event's `kind` is its tag. A record is an event with its place in the log. Kinds from the future become `UnknownEvent`
and fields from the future are passed over; the stored payload keeps both. The classes are declared by subject in
`run_events`, `work_events` and `shared_events`; everybody imports them from here.
"""

from __future__ import annotations

from typing import TypeAlias, get_args

import msgspec

from studio.domain.ids import RunId
from studio.domain.run_events import (
    ChangeSetProposed,
    GateAnswered,
    GateOpened,
    PlanWritten,
    RemarkMade,
    RequirementsWritten,
    RunCancelRequested,
    RunFinished,
    RunRequested,
    RunResumed,
    RunResumeRequested,
    RunStarted,
    RunTold,
    StageFinished,
    StageSkipped,
    StageStarted,
)
from studio.domain.shared_events import (
    BriefSaved,
    ChangesLanded,
    HunkDecided,
    LandingFailed,
    MemoryForgotten,
    MemoryLearned,
    ParticipantJoined,
    ParticipantLeft,
    PayloadErased,
    SubsetChecked,
    UnknownEvent,
    WorkerStarted,
    WorkerStopped,
)
from studio.domain.value import Value, encode
from studio.domain.work_events import (
    CheckFinished,
    CheckStarted,
    CheckWaived,
    CommandFinished,
    CommandStarted,
    EditsApplied,
    EditsRefused,
    ModelCalled,
    ModelFailed,
    ModelReplied,
    ProgramRan,
    RepairStopped,
    TaskFinished,
    TaskStarted,
    ToolCalled,
)

__all__ = [
    "EVENT_KINDS",
    "BriefSaved",
    "ChangeSetProposed",
    "ChangesLanded",
    "CheckFinished",
    "CheckStarted",
    "CheckWaived",
    "CommandFinished",
    "CommandStarted",
    "Draft",
    "EditsApplied",
    "EditsRefused",
    "Event",
    "GateAnswered",
    "GateOpened",
    "HunkDecided",
    "LandingFailed",
    "MemoryForgotten",
    "MemoryLearned",
    "ModelCalled",
    "ModelFailed",
    "ModelReplied",
    "ParticipantJoined",
    "ParticipantLeft",
    "PayloadErased",
    "PlanWritten",
    "ProgramRan",
    "Record",
    "RemarkMade",
    "RepairStopped",
    "RequirementsWritten",
    "RunCancelRequested",
    "RunFinished",
    "RunRequested",
    "RunResumeRequested",
    "RunResumed",
    "RunStarted",
    "RunTold",
    "StageFinished",
    "StageSkipped",
    "StageStarted",
    "SubsetChecked",
    "TaskFinished",
    "TaskStarted",
    "ToolCalled",
    "UnknownEvent",
    "WorkerStarted",
    "WorkerStopped",
    "decode_event",
    "encode_event",
    "kind_of",
]

Event: TypeAlias = (
    ParticipantJoined
    | ParticipantLeft
    | BriefSaved
    | RunRequested
    | RunStarted
    | RunResumed
    | StageStarted
    | StageFinished
    | StageSkipped
    | RequirementsWritten
    | PlanWritten
    | TaskStarted
    | TaskFinished
    | ModelCalled
    | ModelReplied
    | ModelFailed
    | ToolCalled
    | EditsApplied
    | EditsRefused
    | CommandStarted
    | CommandFinished
    | CheckStarted
    | CheckFinished
    | CheckWaived
    | RepairStopped
    | ProgramRan
    | GateOpened
    | GateAnswered
    | RemarkMade
    | RunTold
    | ChangeSetProposed
    | RunCancelRequested
    | RunResumeRequested
    | RunFinished
    | HunkDecided
    | SubsetChecked
    | ChangesLanded
    | LandingFailed
    | MemoryLearned
    | MemoryForgotten
    | PayloadErased
    | WorkerStarted
    | WorkerStopped
    | UnknownEvent
)

EVENT_KINDS: dict[str, type[Value]] = {
    str(kind.__struct_config__.tag): kind for kind in get_args(Event) if kind is not UnknownEvent
}
"""Tag to class, of every event this version can write."""


class Draft(Value, frozen=True):
    """An event about to be appended. (run, step, n) is unique: appending it again adds nothing."""

    event: Event
    run: RunId = RunId("")
    step: str = ""
    """Where in the run: `build/T1/1`, `check/0/ruff`. Empty for events outside a step, which are never deduplicated."""
    n: int = 0
    """The event's number within the step."""
    actor: str = ""
    """Who: a participant's name, `worker-1`, `host`."""


class Record(Value, frozen=True):
    """An event in the log."""

    seq: int
    """1-based, without gaps."""
    at: float
    """Unix seconds, UTC."""
    event: Event
    run: RunId = RunId("")
    step: str = ""
    n: int = 0
    actor: str = ""


def encode_event(event: Event) -> bytes:
    """Return the event's payload as stored: JSON whose `kind` is its tag."""
    return encode(event)


_decoder = msgspec.json.Decoder(Event)


def decode_event(payload: bytes | None, kind: str) -> Event:
    """Return the event of a payload; an `UnknownEvent` for a kind or shape from the future, or an erased payload.

    A damaged payload is unknown too: the rest of the log stays readable, and the audit names the record.
    """
    if payload is None:
        return UnknownEvent(kind, erased=True)
    if kind not in EVENT_KINDS:
        return UnknownEvent(kind)
    try:
        return _decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return UnknownEvent(kind)


def kind_of(event: Event) -> str:
    """Return the event's kind, as stored."""
    return event.name if isinstance(event, UnknownEvent) else str(event.__struct_config__.tag)
