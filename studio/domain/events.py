"""Every event, in past tense: the one list. The journal is made of these and the state is folded from them.

An event's `kind` is its tag. A record is an event with its place in the log. Kinds from the future become `UnknownEvent`
and fields from the future are passed over; the stored payload keeps both.
"""

from __future__ import annotations

from typing import TypeAlias, get_args

import msgspec

from studio.domain.changes import Decision, Landing, Remark
from studio.domain.checks import CheckResult, SubsetVerdict
from studio.domain.edits import AppliedEdit, RefusedEdit
from studio.domain.ids import ArtifactId, BriefName, GateId, LandingId, RunId, TaskId
from studio.domain.memory import MemoryItem
from studio.domain.models import ReplySource, Usage
from studio.domain.plan import Plan, Question, Requirement
from studio.domain.runs import Confidence, Gate, RunOptions, RunStatus
from studio.domain.stages import Depth, Stage
from studio.domain.value import Value, encode


class ParticipantJoined(Value, frozen=True, tag="participant.joined", tag_field="kind"):
    """A person attached."""

    participant: str
    name: str
    role: str = "driver"


class ParticipantLeft(Value, frozen=True, tag="participant.left", tag_field="kind"):
    """A person detached."""

    participant: str


class BriefSaved(Value, frozen=True, tag="brief.saved", tag_field="kind"):
    """A revision of a brief."""

    brief: BriefName
    revision: str
    text: ArtifactId
    title: str = ""


class RunRequested(Value, frozen=True, tag="run.requested", tag_field="kind"):
    """Somebody asked for a run. Workers start every requested run they find without a workflow."""

    brief: BriefName
    revision: str
    text: ArtifactId
    options: RunOptions
    title: str = ""
    base: str = ""
    """Commit of the snapshot in the store repository."""
    base_tree: str = ""
    head: str = ""
    """The person's `HEAD` then."""
    branch: str = ""
    left_out: tuple[str, ...] = ()
    """Untracked files left out because they look like secrets or are too large."""


class RunStarted(Value, frozen=True, tag="run.started", tag_field="kind"):
    """A worker took the run up for the first time."""

    depth: Depth
    model: str
    """The model in force, resolved; a replay says `replay:FILE`."""
    sandbox: str
    """The sandbox level in force; empty when there is none."""
    sandbox_detail: str = ""
    worker: str = ""


class RunResumed(Value, frozen=True, tag="run.resumed", tag_field="kind"):
    """A worker took the run up again after its worker was gone."""

    worker: str


class StageStarted(Value, frozen=True, tag="stage.started", tag_field="kind"):
    """A stage began."""

    stage: Stage
    attempt: int = 1


class StageFinished(Value, frozen=True, tag="stage.finished", tag_field="kind"):
    """A stage ended."""

    stage: Stage
    key: str = ""
    reused: bool = False
    ok: bool = True
    summary: str = ""
    result: ArtifactId = ArtifactId("")
    saved_usd: float = 0.0
    """What the reused result had cost."""
    attempt: int = 1


class StageSkipped(Value, frozen=True, tag="stage.skipped", tag_field="kind"):
    """A stage did not run, and why."""

    stage: Stage
    reason: str


class RequirementsWritten(Value, frozen=True, tag="requirements.written", tag_field="kind"):
    """What the brief was understood to ask for."""

    requirements: tuple[Requirement, ...]
    questions: tuple[Question, ...] = ()


class PlanWritten(Value, frozen=True, tag="plan.written", tag_field="kind"):
    """The task graph."""

    plan: Plan


class TaskStarted(Value, frozen=True, tag="task.started", tag_field="kind"):
    """An agent began a task."""

    task: TaskId
    title: str
    role: str
    attempt: int = 1
    stage: Stage = Stage.BUILD


class TaskFinished(Value, frozen=True, tag="task.finished", tag_field="kind"):
    """An agent ended a task."""

    task: TaskId
    ok: bool
    summary: str = ""
    reused: bool = False
    saved_usd: float = 0.0
    commit: str = ""
    attempt: int = 1
    stage: Stage = Stage.BUILD


class ModelCalled(Value, frozen=True, tag="model.called", tag_field="kind"):
    """A request is about to be sent: the intent, recorded before it."""

    call: str
    model: str
    role: str
    stage: str
    task: TaskId = TaskId("")
    attempt: int = 1
    request: ArtifactId = ArtifactId("")
    digest: str = ""
    reserved_usd: float = 0.0
    reserved_tokens: int = 0
    repeated: bool = False
    """An earlier request for this call was in flight when its process died; it may have been paid for."""


class ModelReplied(Value, frozen=True, tag="model.replied", tag_field="kind"):
    """A reply came."""

    call: str
    model: str
    source: ReplySource
    usage: Usage
    cost_usd: float
    duration_ms: int
    reply: ArtifactId = ArtifactId("")
    finish: str = "stop"
    mismatch: bool = False
    priced: bool = True


class ModelFailed(Value, frozen=True, tag="model.failed", tag_field="kind"):
    """An attempt failed."""

    call: str
    model: str
    error: str
    retry_in_s: float = -1.0
    """Seconds until the next attempt; negative when there is none."""
    cost_usd: float = 0.0


class ToolCalled(Value, frozen=True, tag="tool.called", tag_field="kind"):
    """An agent used a tool, and what it answered."""

    tool: str
    arguments: str
    ok: bool
    summary: str
    task: TaskId = TaskId("")
    output: ArtifactId = ArtifactId("")
    duration_ms: int = 0


class EditsApplied(Value, frozen=True, tag="edits.applied", tag_field="kind"):
    """All edits of a reply were written."""

    task: TaskId
    call: str
    applied: tuple[AppliedEdit, ...]


class EditsRefused(Value, frozen=True, tag="edits.refused", tag_field="kind"):
    """A reply's edits were refused; nothing was written."""

    task: TaskId
    call: str
    refused: tuple[RefusedEdit, ...]


class CommandStarted(Value, frozen=True, tag="command.started", tag_field="kind"):
    """A command began in the sandbox; its output is the stream `command`."""

    command: str
    """Id, also the name of its stream."""
    argv: tuple[str, ...]
    level: str = ""
    by: str = ""


class CommandFinished(Value, frozen=True, tag="command.finished", tag_field="kind"):
    """A command ended."""

    command: str
    exit_code: int
    ending: str
    duration_ms: int
    output: ArtifactId = ArtifactId("")
    dropped_bytes: int = 0
    level: str = ""


class CheckStarted(Value, frozen=True, tag="check.started", tag_field="kind"):
    """A check began."""

    check: str
    round: int
    tree: str


class CheckFinished(Value, frozen=True, tag="check.finished", tag_field="kind"):
    """A check ended, or was found not to run."""

    result: CheckResult
    round: int
    """0 for the first, then the repair round it followed."""


class CheckWaived(Value, frozen=True, tag="check.waived", tag_field="kind"):
    """A person waived a failed check, with a reason."""

    check: str
    reason: str


class RepairStopped(Value, frozen=True, tag="repair.stopped", tag_field="kind"):
    """The repair loop ended."""

    why: str
    """`clean`, `same failure twice`, `oscillation`, `growing findings`, `budget`, `rounds`, `no edits`."""
    rounds: int
    ok: bool


class ProgramRan(Value, frozen=True, tag="program.ran", tag_field="kind"):
    """The program was started in the sandbox."""

    outcome: str
    """passed · failed · not-run."""
    detail: str
    argv: tuple[str, ...] = ()


class GateOpened(Value, frozen=True, tag="gate.opened", tag_field="kind"):
    """The run waits for a person."""

    gate: Gate


class GateAnswered(Value, frozen=True, tag="gate.answered", tag_field="kind"):
    """Somebody answered a gate, or its policy did."""

    gate: GateId
    answer: str
    by: str


class RemarkMade(Value, frozen=True, tag="remark.made", tag_field="kind"):
    """A critic or a person remarked on a hunk."""

    remark: Remark


class RunTold(Value, frozen=True, tag="run.told", tag_field="kind"):
    """Somebody steered the run; agents read it between turns."""

    text: str


class ChangeSetProposed(Value, frozen=True, tag="changeset.proposed", tag_field="kind"):
    """The run's result."""

    changeset: ArtifactId
    """A `ChangeSet` as JSON."""
    files: int
    hunks: int
    added: int
    removed: int
    tree: str
    base: str
    head: str
    confidence: Confidence | None = None


class RunCancelRequested(Value, frozen=True, tag="run.cancel_requested", tag_field="kind"):
    """Somebody cancelled the run."""


class RunResumeRequested(Value, frozen=True, tag="run.resume_requested", tag_field="kind"):
    """Somebody asked for a stopped run to go on."""


class RunFinished(Value, frozen=True, tag="run.finished", tag_field="kind"):
    """The run is over."""

    status: RunStatus
    summary: str = ""
    exit_code: int = 0
    cost_usd: float = 0.0
    tokens: int = 0
    saved_usd: float = 0.0


class HunkDecided(Value, frozen=True, tag="hunk.decided", tag_field="kind"):
    """A person decided about a hunk."""

    decision: Decision


class SubsetChecked(Value, frozen=True, tag="subset.checked", tag_field="kind"):
    """The checks on exactly what would land."""

    verdict: SubsetVerdict


class ChangesLanded(Value, frozen=True, tag="changeset.landed", tag_field="kind"):
    """Accepted hunks were written, or a landing was undone (`landing.undoes`)."""

    landing: Landing


class LandingFailed(Value, frozen=True, tag="landing.failed", tag_field="kind"):
    """A landing conflicted or was reverted by recovery; nothing was written."""

    landing: LandingId
    what: str
    paths: tuple[str, ...] = ()


class MemoryLearned(Value, frozen=True, tag="memory.learned", tag_field="kind"):
    """An item was remembered or changed; the store can be rebuilt from these."""

    item: MemoryItem


class MemoryForgotten(Value, frozen=True, tag="memory.forgotten", tag_field="kind"):
    """An item was forgotten."""

    item: str


class PayloadErased(Value, frozen=True, tag="payload.erased", tag_field="kind"):
    """Payloads were erased from the log on a person's request."""

    records: tuple[int, ...]
    reason: str


class WorkerStarted(Value, frozen=True, tag="worker.started", tag_field="kind"):
    """A worker attached to the host."""

    worker: str
    pid: int


class WorkerStopped(Value, frozen=True, tag="worker.stopped", tag_field="kind"):
    """A worker ended."""

    worker: str
    exit_code: int
    restart_in_s: float = -1.0
    """Seconds until it is started again; negative when it is not."""


class UnknownEvent(Value, frozen=True, tag="unknown", tag_field="kind"):
    """An event of a kind this version does not know, or whose payload was erased."""

    name: str = ""
    erased: bool = False


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
    """Return the event of a payload; an `UnknownEvent` for a kind or shape from the future, or an erased payload."""
    if payload is None:
        return UnknownEvent(kind, erased=True)
    if kind not in EVENT_KINDS:
        return UnknownEvent(kind)
    try:
        return _decoder.decode(payload)
    except msgspec.ValidationError:
        return UnknownEvent(kind)


def kind_of(event: Event) -> str:
    """Return the event's kind, as stored."""
    return event.name if isinstance(event, UnknownEvent) else str(event.__struct_config__.tag)
