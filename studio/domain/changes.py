"""Change sets: what a run proposes, hunk by hunk, what people decided, and what landed."""

from __future__ import annotations

from enum import StrEnum

from studio.domain.edits import MatchKind
from studio.domain.ids import ArtifactId, HunkId, LandingId, RunId, TaskId
from studio.domain.value import Value

__all__ = [
    "ChangeKind",
    "ChangeSet",
    "Decision",
    "FileChange",
    "Hunk",
    "HunkLine",
    "LandedFile",
    "Landing",
    "LandingTarget",
    "Provenance",
    "Remark",
    "TargetKind",
    "Verdict",
]


class ChangeKind(StrEnum):
    """What happened to a file."""

    ADDED = "added"
    MODIFIED = "modified"
    DELETED = "deleted"
    RENAMED = "renamed"
    MODE = "mode"
    BINARY = "binary"


class HunkLine(Value, frozen=True):
    """One line of a hunk."""

    op: str
    """' ' context, '-' removed, '+' added."""
    text: str
    """Without its newline; a carriage return before it is kept."""
    newline: bool = True
    """False for a last line that has no newline at the end of the file."""


class Provenance(Value, frozen=True):
    """Why a hunk is there."""

    requirements: tuple[str, ...] = ()
    task: TaskId = TaskId("")
    role: str = ""
    model: str = ""
    call: str = ""
    """Id of the model call whose reply wrote it."""
    cost_usd: float = 0.0
    """The cost of that call."""
    tests: tuple[str, ...] = ()
    """Ids of the tests that execute its added lines."""


class Hunk(Value, frozen=True):
    """A contiguous change. Line numbers are 1-based; `count` may be 0, then `start` is the line before it."""

    id: HunkId
    path: str
    old_start: int
    old_count: int
    new_start: int
    new_count: int
    lines: tuple[HunkLine, ...]
    """Empty for a change without text (binary, mode, rename): such a hunk is decided as a whole."""
    match: MatchKind = MatchKind.UNKNOWN
    provenance: Provenance = Provenance()


class FileChange(Value, frozen=True):
    """All changes of one file. `old_path` differs from `path` only for a rename."""

    path: str
    kind: ChangeKind
    hunks: tuple[Hunk, ...]
    """Never empty."""
    old_path: str = ""
    old_mode: str = ""
    """Git's octal mode, `100644`; empty when the file is new."""
    new_mode: str = ""
    old_blob: str = ""
    new_blob: str = ""
    encoding: str = "utf-8"
    """How line texts were decoded: `utf-8`, or `latin-1` where the bytes are not UTF-8 (both keep every byte)."""


class ChangeSet(Value, frozen=True):
    """What a run proposes: the difference between two trees of the store repository."""

    run: RunId
    base: str
    """Commit of the snapshot the run started from."""
    head: str
    """Commit of the proposed tree."""
    base_tree: str
    head_tree: str
    files: tuple[FileChange, ...] = ()


class Verdict(StrEnum):
    """What a person decided about a hunk."""

    UNDECIDED = "undecided"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    EDITED = "edited"


class Decision(Value, frozen=True):
    """A decision about one hunk."""

    hunk: HunkId
    verdict: Verdict
    lines: tuple[int, ...] = ()
    """With `accepted`: 0-based indices into the hunk's lines that are taken; empty takes all of it."""
    text: str = ""
    """With `edited`: the text that replaces the hunk's new side, newlines included."""
    comment: str = ""


class Remark(Value, frozen=True):
    """A remark about a hunk, or about the whole change set when `hunk` is empty."""

    author: str
    text: str
    hunk: HunkId = HunkId("")
    line: int = -1
    """0-based index into the hunk's lines; -1 for the hunk as a whole."""
    severity: str = "note"
    """note · warning · error."""


class TargetKind(StrEnum):
    """Where accepted changes land."""

    WORKTREE = "worktree"
    INDEX = "index"
    COMMIT = "commit"
    BRANCH = "branch"


class LandingTarget(Value, frozen=True):
    """A landing target; `branch` is named for a new branch only."""

    kind: TargetKind = TargetKind.WORKTREE
    branch: str = ""


class LandedFile(Value, frozen=True):
    """One path a landing wrote. Blob ids are of the store repository; empty means absent."""

    path: str
    before_blob: str
    after_blob: str
    before_mode: str = ""
    after_mode: str = ""
    hunks: tuple[HunkId, ...] = ()
    """The hunks landed in this path."""


class Landing(Value, frozen=True):
    """A finished landing or undo."""

    id: LandingId
    run: RunId
    target: LandingTarget
    files: tuple[LandedFile, ...]
    hunks: tuple[HunkId, ...] = ()
    commit: str = ""
    """Commit made in the person's repository, if the target makes one."""
    undoes: LandingId = LandingId("")
    """The landing this one undoes, if it is an undo."""
    tree: str = ""
    """Tree of the store repository that was checked and landed."""
    preview: ArtifactId = ArtifactId("")
    """The unified diff of what was written."""
