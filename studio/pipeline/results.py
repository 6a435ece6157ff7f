"""What stages give each other. Small structs; anything large is an artifact."""

from __future__ import annotations

from studio.domain.changes import Remark
from studio.domain.checks import CheckResult
from studio.domain.ids import ArtifactId, TaskId
from studio.domain.plan import Question, Requirement
from studio.domain.runs import Confidence
from studio.domain.stages import Depth, Stage
from studio.domain.value import Value
from studio.pipeline.provenance import Transition
from studio.pipeline.serial import register

__all__ = [
    "AgentWork",
    "CheckRound",
    "Intake",
    "Integrated",
    "Proposal",
    "Ran",
    "Recall",
    "Repaired",
    "TaskOrder",
    "TaskResult",
    "Tested",
    "Understanding",
]


class Intake(Value, frozen=True):
    """Stage 1."""

    depth: Depth
    reason: str
    """Why this depth."""
    files: int
    """Files in the base tree."""


class Recall(Value, frozen=True):
    """Stage 2."""

    pack: ArtifactId
    """A `ContextPack`."""
    files: int
    memories: int
    tokens: int


class Understanding(Value, frozen=True):
    """Stage 3."""

    requirements: tuple[Requirement, ...]
    questions: tuple[Question, ...] = ()


class TaskOrder(Value, frozen=True):
    """What a task's workflow is told: one agent, one worktree, one starting tree."""

    stage: Stage
    task: ArtifactId
    """A `Task`."""
    id: TaskId
    title: str
    role: str
    tree: str
    """Where it starts."""
    pack: ArtifactId
    understanding: ArtifactId
    """An `Understanding`."""
    attempt: int = 1
    upstream: tuple[str, ...] = ()
    """Summaries of the tasks it builds on."""
    failures: str = ""
    """What failed, as text for a repair."""


class AgentWork(Value, frozen=True):
    """What one agent did to a tree."""

    ok: bool
    summary: str
    before: str
    after: str
    transitions: tuple[Transition, ...] = ()
    read: tuple[tuple[str, str], ...] = ()
    """The read set: (path, blob; empty for absent) in the tree it started from."""


class TaskResult(Value, frozen=True):
    """A finished task."""

    task: TaskId
    work: AgentWork
    reused: bool = False


class Integrated(Value, frozen=True):
    """Stages 5 and 6: one tree, and how it came about."""

    tree: str
    transitions: tuple[Transition, ...]
    summaries: tuple[str, ...]
    conflicts: tuple[str, ...] = ()
    ok: bool = True


class Tested(Value, frozen=True):
    """Stage 7."""

    tree: str
    transitions: tuple[Transition, ...] = ()
    paths: tuple[str, ...] = ()
    shown_to_fail: int = -1
    """How many new tests fail on the base; -1 where that could not be shown."""
    detail: str = ""
    ok: bool = True


class CheckRound(Value, frozen=True):
    """Stage 8: the checks on one tree. `results` are in the artifact, an array of `CheckResult`."""

    tree: str
    results: ArtifactId
    failed: tuple[str, ...]
    not_run: tuple[str, ...]
    passed: tuple[str, ...]
    failures: int
    """Findings and failed tests."""
    signature: str
    """The normalised failure; empty when clean."""
    text: str
    """What failed, for a model."""

    @property
    def clean(self) -> bool:
        """Whether nothing failed."""
        return not self.failed


class Repaired(Value, frozen=True):
    """Stage 9."""

    tree: str
    round: CheckRound
    rounds: int
    why: str
    transitions: tuple[Transition, ...] = ()


class Ran(Value, frozen=True):
    """Stage 10."""

    outcome: str
    detail: str
    argv: tuple[str, ...] = ()


class Proposal(Value, frozen=True):
    """Stage 11."""

    changeset: ArtifactId
    files: int
    hunks: int
    tree: str
    remarks: tuple[Remark, ...] = ()
    confidence: Confidence | None = None


class Results(Value, frozen=True):
    """Check results as an artifact."""

    results: tuple[CheckResult, ...]


register(
    Intake,
    Recall,
    Understanding,
    TaskOrder,
    AgentWork,
    TaskResult,
    Integrated,
    Tested,
    CheckRound,
    Repaired,
    Ran,
    Proposal,
)
