"""Events of a run as a whole: its life, its stages, what it understood and planned, its gates, what it proposes."""

from __future__ import annotations

from studio.domain.changes import Remark
from studio.domain.ids import ArtifactId, BriefName, GateId
from studio.domain.plan import Plan, Question, Requirement
from studio.domain.runs import Confidence, Gate, RunOptions, RunStatus
from studio.domain.stages import Depth, Stage
from studio.domain.value import Value

__all__ = [
    "ChangeSetProposed",
    "GateAnswered",
    "GateOpened",
    "PlanWritten",
    "RemarkMade",
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
]


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
