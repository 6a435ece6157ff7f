"""How a run is asked for and how it ends."""

from __future__ import annotations

from enum import StrEnum

from studio.domain.ids import GateId, RunId
from studio.domain.stages import Depth, Stage
from studio.domain.value import Value

__all__ = ["DEFAULT_BUDGET", "Budget", "Confidence", "Gate", "OnGate", "RunOptions", "RunStatus"]


class OnGate(StrEnum):
    """What a gate does when nobody may be there to answer."""

    WAIT = "wait"
    FAIL = "fail"
    DEFAULT = "default"


class RunStatus(StrEnum):
    """A run's state. The last five are final."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    """A gate is open."""
    READY = "ready"
    """A change set is proposed and its checks passed."""
    CHECKS_FAILED = "checks_failed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    NEEDS_ATTENTION = "needs_attention"

    @property
    def final(self) -> bool:
        """Whether the run is over."""
        return self not in {RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.WAITING}


class Budget(Value, frozen=True):
    """What a run may spend. 0 allows nothing of that kind that costs."""

    usd: float = 2.0
    tokens: int = 2_000_000
    """Bounds unpriced models."""
    seconds: float = 3600.0


DEFAULT_BUDGET = Budget()


class RunOptions(Value, frozen=True):
    """What a person chose for a run."""

    model: str
    """A model spec: a LiteLLM name, `auto`, `replay:FILE`, `manual:DIR`."""
    depth: Depth = Depth.AUTO
    budget: Budget = DEFAULT_BUDGET
    on_gate: OnGate = OnGate.WAIT
    record: str = ""
    """Absolute path of a replay file to record into."""
    fork_of: RunId = RunId("")
    fork_from: Stage | None = None
    """With `fork_of`: stages before this one are reused, this one and later ones run anew."""
    api_base: str = ""
    sandbox: str = "auto"
    """`auto`, `bubblewrap` or `docker`."""
    revise: str = ""
    """Extra instruction for a revision: rejected hunks with their comments, as text for the model."""


class Gate(Value, frozen=True):
    """A question the run cannot pass without an answer."""

    id: GateId
    kind: str
    """`plan`, `question`, `confidence`, `budget`, `conflict`."""
    text: str
    options: tuple[str, ...] = ()
    """Accepted answers; empty takes any text."""
    default: str = ""


class Confidence(Value, frozen=True):
    """The probability that the person accepts the change set, and why it is what it is."""

    value: float
    reasons: tuple[str, ...] = ()
    samples: int = 0
    """Decided change sets of this project it was calibrated on; 0 says so to people."""
