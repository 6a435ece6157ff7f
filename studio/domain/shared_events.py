"""Events of people and of what they share: participants, briefs, decisions, landings, memory, workers, the log itself."""

from __future__ import annotations

from studio.domain.changes import Decision, Landing
from studio.domain.checks import SubsetVerdict
from studio.domain.ids import ArtifactId, BriefName, LandingId
from studio.domain.memory import MemoryItem
from studio.domain.value import Value

__all__ = [
    "BriefSaved",
    "ChangesLanded",
    "HunkDecided",
    "LandingFailed",
    "MemoryForgotten",
    "MemoryLearned",
    "ParticipantJoined",
    "ParticipantLeft",
    "PayloadErased",
    "SubsetChecked",
    "UnknownEvent",
    "WorkerStarted",
    "WorkerStopped",
]


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
