"""The folded state: what everybody attached to a repository sees. Plain data; `studio.domain.fold` makes it.

State is mutable and owned by whoever folds it; it travels as a versioned snapshot (`STATE_VERSION`).
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from studio.domain.changes import Decision, Landing, Remark
from studio.domain.checks import CheckResult, Outcome, SubsetVerdict
from studio.domain.ids import ArtifactId, BriefName, GateId, HunkId, RunId
from studio.domain.plan import Plan, Question, Requirement
from studio.domain.runs import Confidence, Gate, RunOptions, RunStatus
from studio.domain.stages import Depth

__all__ = [
    "STATE_VERSION",
    "BriefState",
    "CheckPoint",
    "DecisionState",
    "Participant",
    "Row",
    "RowKind",
    "RowStatus",
    "RunState",
    "Spend",
    "StudioState",
    "WorkerState",
]

STATE_VERSION = 1
"""Raised whenever a snapshot of an older version could not be read as this one."""


class State(msgspec.Struct, omit_defaults=True):
    """A mutable piece of the state."""


class RowKind(StrEnum):
    """What a timeline row is about."""

    STAGE = "stage"
    TASK = "task"
    CALL = "call"
    TOOL = "tool"
    EDITS = "edits"
    COMMAND = "command"
    CHECK = "check"
    GATE = "gate"
    NOTE = "note"


class RowStatus(StrEnum):
    """How a row stands."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    REUSED = "reused"
    SKIPPED = "skipped"
    WAITING = "waiting"


class Row(State):
    """A timeline row. Rows are in the order their events came; `parent` is a row's `key` or empty."""

    key: str
    kind: RowKind
    title: str
    status: RowStatus
    parent: str = ""
    detail: str = ""
    started: float = 0.0
    finished: float = 0.0
    tokens: int = 0
    cost_usd: float = 0.0
    actor: str = ""
    """The agent's role, or who."""
    artifact: ArtifactId = ArtifactId("")
    """What it gave: a reply, an output."""
    request: ArtifactId = ArtifactId("")
    stream: str = ""
    """The live stream to show while it runs."""
    seq: int = 0
    """Sequence number of its first event."""


class Spend(State):
    """Money and tokens."""

    cost_usd: float = 0.0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    calls: int = 0
    saved_usd: float = 0.0
    unpriced_calls: int = 0

    @property
    def tokens(self) -> int:
        """Tokens in and out."""
        return self.prompt_tokens + self.completion_tokens


class CheckPoint(State):
    """A check's verdict in one repair round: the trend."""

    round: int
    check: str
    outcome: Outcome
    findings: int = 0


class DecisionState(State):
    """A decision, by whom and when."""

    decision: Decision
    by: str
    at: float


class RunState(State):
    """A run."""

    id: RunId
    brief: BriefName
    revision: str
    options: RunOptions
    title: str = ""
    text: ArtifactId = ArtifactId("")
    status: RunStatus = RunStatus.QUEUED
    requested_by: str = ""
    requested: float = 0.0
    finished: float = 0.0
    summary: str = ""
    exit_code: int = 0
    depth: Depth | None = None
    model: str = ""
    sandbox: str = ""
    sandbox_detail: str = ""
    worker: str = ""
    base: str = ""
    base_tree: str = ""
    head: str = ""
    branch: str = ""
    left_out: tuple[str, ...] = ()
    stage: str = ""
    """The stage under way."""
    requirements: tuple[Requirement, ...] = ()
    questions: tuple[Question, ...] = ()
    plan: Plan | None = None
    rows: list[Row] = []
    row_index: dict[str, int] = {}
    """Row key to position in `rows`."""
    spend: Spend = msgspec.field(default_factory=Spend)
    spend_by_model: dict[str, Spend] = {}
    spend_by_stage: dict[str, Spend] = {}
    checks: dict[str, CheckResult] = {}
    """Latest result by check."""
    trend: list[CheckPoint] = []
    waived: dict[str, str] = {}
    gates: dict[GateId, Gate] = {}
    """Open gates."""
    told: list[str] = []
    remarks: list[Remark] = []
    changeset: ArtifactId = ArtifactId("")
    changed_tree: str = ""
    changed_head: str = ""
    files: int = 0
    hunks: int = 0
    added: int = 0
    removed: int = 0
    confidence: Confidence | None = None
    decisions: dict[HunkId, DecisionState] = {}
    subset: SubsetVerdict | None = None
    landings: list[Landing] = []
    cancel_requested: bool = False


class Participant(State):
    """A person attached now."""

    id: str
    name: str
    role: str
    joined: float


class WorkerState(State):
    """A worker."""

    id: str
    pid: int = 0
    alive: bool = False
    restarts: int = 0
    exit_code: int = 0
    restart_in_s: float = -1.0


class BriefState(State):
    """A brief and its revisions, oldest first: (revision, artifact, who, when)."""

    name: BriefName
    title: str = ""
    revisions: list[tuple[str, ArtifactId, str, float]] = []


class StudioState(State):
    """Everything, as of record `seq`."""

    seq: int = 0
    at: float = 0.0
    runs: dict[RunId, RunState] = {}
    briefs: dict[BriefName, BriefState] = {}
    participants: dict[str, Participant] = {}
    workers: dict[str, WorkerState] = {}
    unknown: int = 0
    """Events of kinds this version does not know."""
