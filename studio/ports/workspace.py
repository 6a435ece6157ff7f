"""Git: bases, worktrees, change sets and landing. All synchronous: call them off the event loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from studio.domain.changes import ChangeSet, Decision, Landing, LandingTarget, Provenance
from studio.domain.edits import MatchKind
from studio.domain.ids import LandingId, RunId
from studio.domain.value import Value

__all__ = ["Base", "LineOrigin", "MergeResult", "TouchedRange", "Workspace"]


class Base(Value, frozen=True):
    """A snapshot of what the person sees: HEAD plus uncommitted changes, untracked files included."""

    commit: str
    """In the store repository."""
    tree: str
    head: str
    """The person's HEAD commit; empty before the first commit."""
    branch: str
    """Checked-out branch; empty when HEAD is detached."""
    worktree: str
    """Absolute path of the working tree."""
    left_out: tuple[str, ...] = ()
    """Untracked files left out: `path: reason`."""


class MergeResult(Value, frozen=True):
    """A three-way merge of trees."""

    tree: str
    """Empty when there are conflicts."""
    conflicts: tuple[str, ...] = ()
    """Paths."""


class TouchedRange(Value, frozen=True):
    """Lines of the head tree an edit wrote: 1-based, inclusive. Gives hunks their match kind and provenance."""

    path: str
    start: int
    end: int
    match: MatchKind
    provenance: Provenance


class LineOrigin(Value, frozen=True):
    """The landing and hunk that wrote a line."""

    landing: LandingId
    run: RunId
    hunk: str
    text: str


class Workspace(Protocol):
    """One repository and its store."""

    def snapshot(self) -> Base:
        """Record the base, touching nothing the person sees.

        Raises:
            RepositoryError: unmerged index, changed LFS path, too large, bare, no git …

        """
        ...

    def checkout(self, run: RunId, name: str, commit_or_tree: str) -> Path:
        """Make (or reset to that tree) the run's worktree `name` and return its directory. No `.git` inside."""
        ...

    def write_tree(self, run: RunId, name: str) -> str:
        """Return the tree id of the run's worktree `name` as it is now; ignored files are left out."""
        ...

    def commit(self, run: RunId, tree: str, parents: Sequence[str], message: str) -> str:
        """Make a commit in the store and move the run's ref to it."""
        ...

    def merge_trees(self, base: str, ours: str, theirs: str) -> MergeResult:
        """Merge two trees three ways."""
        ...

    def read_blob(self, tree: str, path: str) -> bytes | None:
        """Return a file of a tree, None if absent."""
        ...

    def list_tree(self, tree: str) -> list[tuple[str, str, str]]:
        """Return (path, mode, blob) of every file of a tree, sorted by path."""
        ...

    def drop_worktrees(self, run: RunId) -> None:
        """Remove the run's worktrees."""
        ...

    def change_set(self, run: RunId, base: str, head: str, touched: Sequence[TouchedRange]) -> ChangeSet:
        """Return the change set between two commits; hunk ids depend on path, content and ordinal alone."""
        ...

    def patch(self, changes: ChangeSet, decisions: Mapping[str, Decision] | None = None) -> bytes:
        """Return a patch `git apply` agrees with: of all, or of what the decisions accept."""
        ...

    def subset_tree(self, changes: ChangeSet, decisions: Mapping[str, Decision]) -> str:
        """Return the base tree plus what is accepted, as a tree of the store."""
        ...

    def landing_tree(self, changes: ChangeSet, decisions: Mapping[str, Decision], target: LandingTarget) -> MergeResult:
        """Return the tree that would land now: the target's content as it is now plus what is accepted."""
        ...

    def land(
        self,
        changes: ChangeSet,
        decisions: Mapping[str, Decision],
        target: LandingTarget,
        landing: LandingId,
        message: str,
        trailers: Sequence[tuple[str, str]],
        protect: Sequence[str],
        *,
        elsewhere: bool,
    ) -> Landing:
        """Write what is accepted to the target, all or nothing.

        Raises:
            LandingConflict: it does not merge, or a file changed under it; nothing was written.
            UsageError: a protected, ignored or outside path; nothing accepted; another branch without `elsewhere`.

        """
        ...

    def preview_undo(self, landing: Landing) -> bytes:
        """Return the patch an undo would write.

        Raises:
            LandingConflict: later edits overlap.

        """
        ...

    def undo(self, landing: Landing, undo: LandingId) -> Landing:
        """Revert exactly what `landing` wrote, three ways.

        Raises:
            LandingConflict: later edits overlap; nothing was written.

        """
        ...

    def recover(self) -> list[LandingId]:
        """Finish or revert landings a crash cut short; return the reverted ones."""
        ...

    def landed(self, landing: LandingId) -> Landing | None:
        """Return a landing that was carried out, should its caller have died before recording it."""
        ...

    def origin(self, path: str, line: int, landings: Sequence[Landing]) -> LineOrigin | None:
        """Return which landing wrote a line of the working tree, through blame; None for a person's own."""
        ...
