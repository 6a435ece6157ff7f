"""What the host answers to commands; `commands` gives these names too."""

from __future__ import annotations

from studio.domain.changes import Landing
from studio.domain.checks import SubsetVerdict
from studio.domain.events import Record
from studio.domain.ids import LandingId, RunId
from studio.domain.memory import Recalled
from studio.domain.value import Value


class Done(Value, frozen=True):
    """An answer without content."""


class RunStarting(Value, frozen=True):
    """The run that was requested."""

    run: RunId
    left_out: tuple[str, ...] = ()


class Records(Value, frozen=True):
    """Records, oldest first."""

    records: tuple[Record, ...]
    head: int = 0


class Blob(Value, frozen=True):
    """Bytes, and how many there are in all."""

    data: bytes
    size: int


class Landed(Value, frozen=True):
    """A landing, with the verdict it was landed under."""

    landing: Landing
    verdict: SubsetVerdict | None = None


class Text(Value, frozen=True):
    """A text."""

    text: str


class Origin(Value, frozen=True):
    """Where a line came from."""

    found: bool
    text: str = ""
    """The line."""
    landing: LandingId = LandingId("")
    run: RunId = RunId("")
    brief: str = ""
    title: str = ""
    requirements: tuple[str, ...] = ()
    """`R1 text`."""
    task: str = ""
    role: str = ""
    model: str = ""
    call: str = ""
    cost_usd: float = 0.0
    match: str = ""
    tests: tuple[str, ...] = ()
    accepted_by: str = ""
    at: float = 0.0
    detail: str = ""
    """Why nothing was found."""


class BriefFile(Value, frozen=True):
    """A brief on disk."""

    name: str
    text: str
    revision: str = ""


class BriefFiles(Value, frozen=True):
    """Briefs on disk."""

    briefs: tuple[BriefFile, ...]


class FileEntry(Value, frozen=True):
    """A path; `mark` is `A`, `M`, `D`, `R`, `?` or empty."""

    path: str
    mark: str = ""
    added: int = 0
    removed: int = 0


class FileEntries(Value, frozen=True):
    """Paths, sorted."""

    files: tuple[FileEntry, ...]


class Memories(Value, frozen=True):
    """What was found, best first."""

    found: tuple[Recalled, ...]
    ranking: str = ""
    """How it was ranked: `lexical`, or `lexical + MODEL`."""


class HostStatus(Value, frozen=True):
    """How the host is."""

    pid: int
    version: str
    repository: str
    started: float
    clients: int
    workers: tuple[str, ...]
    """`worker-1 (pid 123)` of those attached."""
    head: int
    database: str
