"""Events of the work inside a run: tasks, model calls, tools, edits, commands, checks."""

from __future__ import annotations

from studio.domain.checks import CheckResult
from studio.domain.edits import AppliedEdit, RefusedEdit
from studio.domain.ids import ArtifactId, TaskId
from studio.domain.models import ReplySource, Usage
from studio.domain.stages import Stage
from studio.domain.value import Value

__all__ = [
    "CheckFinished",
    "CheckStarted",
    "CheckWaived",
    "CommandFinished",
    "CommandStarted",
    "EditsApplied",
    "EditsRefused",
    "ModelCalled",
    "ModelFailed",
    "ModelReplied",
    "ProgramRan",
    "RepairStopped",
    "TaskFinished",
    "TaskStarted",
    "ToolCalled",
]


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
