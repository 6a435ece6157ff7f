"""What the studio remembers, with provenance and state."""

from __future__ import annotations

from enum import StrEnum

from studio.domain.value import Value

__all__ = ["Collection", "ContextFile", "ContextPack", "MemoryItem", "MemoryState", "Recalled"]


class Collection(StrEnum):
    """The collections."""

    CODE = "code"
    DECISIONS = "decisions"
    FAILURES = "failures"
    BRIEFS = "briefs"
    FACTS = "facts"


class MemoryState(StrEnum):
    """Whether an item may be recalled: retracted ones may not."""

    PROPOSED = "proposed"
    ACCEPTED = "accepted"
    RETRACTED = "retracted"


class MemoryItem(Value, frozen=True):
    """One remembered thing."""

    id: str
    collection: Collection
    text: str
    project: str
    source: str
    """Where it came from: `run r-…`, `landing l-…`, `person NAME`, `file PATH`."""
    state: MemoryState = MemoryState.ACCEPTED
    created: float = 0.0
    """Unix seconds."""
    expires: float = 0.0
    """Unix seconds; 0 never."""
    tags: tuple[str, ...] = ()


class Recalled(Value, frozen=True):
    """An item found, and why."""

    item: MemoryItem
    score: float
    why: str
    """For people: matched words, or the nearest vector, and the rank of each."""


class ContextFile(Value, frozen=True):
    """A file, or the slice of it, offered to a model."""

    path: str
    text: str
    start_line: int = 1
    reason: str = ""


class ContextPack(Value, frozen=True):
    """What recall gives the agents."""

    repo_map: str = ""
    files: tuple[ContextFile, ...] = ()
    memories: tuple[Recalled, ...] = ()
    tokens: int = 0
    """Estimated."""
    read: tuple[tuple[str, str], ...] = ()
    """The read set: (path, blob id; empty blob for a path looked for and absent)."""
