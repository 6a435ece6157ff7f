"""Commands a client sends to the host, each with the type of its result.

`RESULTS` maps each command to what its answer decodes to. A command that fails answers with a `Problem`.
"""

from __future__ import annotations

from typing import TypeAlias

from studio.domain.changes import ChangeSet, Decision, LandingTarget, Remark
from studio.domain.checks import CheckResult, SubsetVerdict
from studio.domain.ids import ArtifactId, GateId, LandingId, RunId
from studio.domain.memory import Collection, MemoryItem
from studio.domain.runs import RunOptions
from studio.domain.sandbox import CommandResult
from studio.domain.stages import Stage
from studio.domain.state import RunState
from studio.domain.value import Value
from studio.protocol.answers import (
    Blob,
    BriefFile,
    BriefFiles,
    Done,
    FileEntries,
    HostStatus,
    Landed,
    Memories,
    Origin,
    Records,
    RunStarting,
    Text,
)
from studio.protocol.answers import (
    FileEntry as FileEntry,  # noqa: PLC0414  # given on: part of `FileEntries`
)


class StartRun(Value, frozen=True, tag=True):
    """Save the brief's text as a revision, snapshot the base, request a run. Answers its id."""

    brief: str
    """Name; the file is `.studio/briefs/NAME.md`, or any path given to `studio run`."""
    text: str
    options: RunOptions


class CancelRun(Value, frozen=True, tag=True):
    """Cancel a run, promptly."""

    run: RunId


class ResumeRun(Value, frozen=True, tag=True):
    """Let a cancelled, failed or waiting run go on from its last finished step."""

    run: RunId


class ForkRun(Value, frozen=True, tag=True):
    """Start a new run that reuses an old one's stages before `stage`."""

    run: RunId
    stage: Stage
    options: RunOptions | None = None
    """The old run's options if None."""


class ReviseRun(Value, frozen=True, tag=True):
    """Start a new run that tells the model what was rejected or edited, and why."""

    run: RunId
    note: str = ""


class TellRun(Value, frozen=True, tag=True):
    """Add a remark the task agents read between turns."""

    run: RunId
    text: str


class AnswerGate(Value, frozen=True, tag=True):
    """Answer an open gate."""

    run: RunId
    gate: GateId
    answer: str


class GetRun(Value, frozen=True, tag=True):
    """The whole folded state of a run; the snapshot may hold a finished run without its rows."""

    run: RunId


class ReadEvents(Value, frozen=True, tag=True):
    """Records after `after`, at most `limit`, of one run or of all."""

    run: RunId = RunId("")
    after: int = 0
    limit: int = 1000


class GetChangeSet(Value, frozen=True, tag=True):
    """A run's change set."""

    run: RunId


class GetPatch(Value, frozen=True, tag=True):
    """A run's change set as a patch that `git apply` takes: all of it, or what is accepted."""

    run: RunId
    accepted: bool = False


class GetArtifact(Value, frozen=True, tag=True):
    """An artifact's bytes, base64 on the wire."""

    artifact: ArtifactId
    offset: int = 0
    limit: int = 1 << 20


class Decide(Value, frozen=True, tag=True):
    """Record decisions; starts the accepted-subset check in the background."""

    run: RunId
    decisions: tuple[Decision, ...]


class MakeRemark(Value, frozen=True, tag=True):
    """Remark on a hunk."""

    run: RunId
    remark: Remark


class CheckSubset(Value, frozen=True, tag=True):
    """Build and check exactly what would land now, and answer when done."""

    run: RunId
    tests: bool = True


class Land(Value, frozen=True, tag=True):
    """Land what is accepted."""

    run: RunId
    target: LandingTarget = LandingTarget()
    message: str = ""
    unchecked: bool = False
    """Land although the subset's checks failed or did not run."""
    elsewhere: bool = False
    """Land although another branch or worktree than the base's is checked out."""


class PreviewUndo(Value, frozen=True, tag=True):
    """The diff an undo would write."""

    landing: LandingId = LandingId("")
    """The latest if empty."""


class Undo(Value, frozen=True, tag=True):
    """Revert exactly the bytes a landing wrote."""

    landing: LandingId = LandingId("")


class Why(Value, frozen=True, tag=True):
    """Where a line came from."""

    path: str
    line: int


class WaiveCheck(Value, frozen=True, tag=True):
    """Waive a failed check."""

    run: RunId
    check: str
    reason: str


class Execute(Value, frozen=True, tag=True):
    """Run a command in a run's tree, or in a copy of the working tree if `run` is empty; output is the stream `command`."""

    argv: tuple[str, ...]
    command: str
    """Id chosen by the client."""
    run: RunId = RunId("")
    seconds: float = 120.0


class StopExecute(Value, frozen=True, tag=True):
    """Stop a command."""

    command: str


class RunCheck(Value, frozen=True, tag=True):
    """Run one check again on a run's tree."""

    run: RunId
    check: str


class SaveBrief(Value, frozen=True, tag=True):
    """Write a brief's file and record the revision."""

    brief: str
    text: str


class ListBriefs(Value, frozen=True, tag=True):
    """The briefs in `.studio/briefs`."""


class ListFiles(Value, frozen=True, tag=True):
    """Paths of a run's head tree, or of the working tree if `run` is empty."""

    run: RunId = RunId("")


class ReadFile(Value, frozen=True, tag=True):
    """A file of a run's head tree, or of the working tree if `run` is empty; bounded."""

    path: str
    run: RunId = RunId("")


class SearchMemory(Value, frozen=True, tag=True):
    """Search memory."""

    query: str
    collection: Collection | None = None
    limit: int = 20


class AddMemory(Value, frozen=True, tag=True):
    """Remember a fact."""

    text: str
    tags: tuple[str, ...] = ()


class CorrectMemory(Value, frozen=True, tag=True):
    """Replace an item's text."""

    item: str
    text: str


class ForgetMemory(Value, frozen=True, tag=True):
    """Forget an item."""

    item: str


class ShowMemory(Value, frozen=True, tag=True):
    """One item."""

    item: str


class EraseRecords(Value, frozen=True, tag=True):
    """Erase payloads from the log; the chain still verifies and says so."""

    records: tuple[int, ...]
    reason: str


class CollectGarbage(Value, frozen=True, tag=True):
    """Drop what retention no longer keeps from the store."""

    keep_days: float = 30.0


class GetStatus(Value, frozen=True, tag=True):
    """How the host is."""


class Shutdown(Value, frozen=True, tag=True):
    """End the host and its workers; runs go on when a host starts again."""


Command: TypeAlias = (
    StartRun | CancelRun | ResumeRun | ForkRun | ReviseRun | TellRun | AnswerGate | GetRun | ReadEvents | GetChangeSet | GetPatch
    | GetArtifact | Decide | MakeRemark | CheckSubset | Land | PreviewUndo | Undo | Why | WaiveCheck | Execute
    | StopExecute | RunCheck | SaveBrief | ListBriefs | ListFiles | ReadFile | SearchMemory | AddMemory
    | CorrectMemory | ForgetMemory | ShowMemory | EraseRecords | CollectGarbage | GetStatus | Shutdown
)  # fmt: skip

RESULTS: dict[type[Value], type[object]] = {
    StartRun: RunStarting,
    CancelRun: Done,
    ResumeRun: Done,
    ForkRun: RunStarting,
    ReviseRun: RunStarting,
    TellRun: Done,
    AnswerGate: Done,
    GetRun: RunState,
    ReadEvents: Records,
    GetChangeSet: ChangeSet,
    GetPatch: Blob,
    GetArtifact: Blob,
    Decide: Done,
    MakeRemark: Done,
    CheckSubset: SubsetVerdict,
    Land: Landed,
    PreviewUndo: Text,
    Undo: Landed,
    Why: Origin,
    WaiveCheck: Done,
    Execute: CommandResult,
    StopExecute: Done,
    RunCheck: CheckResult,
    SaveBrief: BriefFile,
    ListBriefs: BriefFiles,
    ListFiles: FileEntries,
    ReadFile: Blob,
    SearchMemory: Memories,
    AddMemory: MemoryItem,
    CorrectMemory: MemoryItem,
    ForgetMemory: Done,
    ShowMemory: MemoryItem,
    EraseRecords: Done,
    CollectGarbage: Text,
    GetStatus: HostStatus,
    Shutdown: Done,
}
