"""The workspace port on git."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from studio.domain.changes import ChangeSet, Decision
from studio.domain.ids import RunId
from studio.domain.places import Places
from studio.ports.workspace import Base, MergeResult, TouchedRange
from studio.workspace.choose import all_accepted, subset_tree
from studio.workspace.diff import change_set
from studio.workspace.person import Person, find_person
from studio.workspace.snapshot import Limits, Recorder, is_text_name
from studio.workspace.store import Store
from studio.workspace.trees import TreeLimits, Worktrees

__all__ = ["GitWorkspace"]


class GitWorkspace:
    """One repository and its store; implements `studio.ports.workspace.Workspace`."""

    def __init__(self, places: Places, limits: Limits | None = None, tree_limits: TreeLimits | None = None) -> None:
        self._places = places
        self._limits = limits or Limits()
        self._tree_limits = tree_limits or TreeLimits()

    @cached_property
    def _person(self) -> Person:
        return find_person(Path(self._places.worktree))

    @cached_property
    def _store(self) -> Store:
        _ = self._person
        store = Store(self._places)
        store.ensure()
        return store

    @property
    def _recorder(self) -> Recorder:
        return Recorder(self._store, self._person, self._limits)

    @property
    def _worktrees(self) -> Worktrees:
        return Worktrees(self._store, self._tree_limits)

    def snapshot(self) -> Base:
        """Record the base, touching nothing the person sees."""
        return self._recorder.snapshot()

    def checkout(self, run: RunId, name: str, commit_or_tree: str) -> Path:
        """Make (or reset to that tree) the run's worktree `name` and return its directory."""
        return self._worktrees.checkout(run, name, self._store.tree_of(commit_or_tree))

    def write_tree(self, run: RunId, name: str) -> str:
        """Return the tree id of the run's worktree `name` as it is now."""
        return self._worktrees.write_tree(run, name)

    def commit(self, run: RunId, tree: str, parents: Sequence[str], message: str) -> str:
        """Make a commit in the store and move the run's ref to it."""
        if parents:
            self._store.own(tree, self._store.tree_of(parents[0]))
        commit = self._store.commit(tree, parents, message)
        self._store.set_ref(f"refs/studio/runs/{run}", commit)
        return commit

    def merge_trees(self, base: str, ours: str, theirs: str) -> MergeResult:
        """Merge two trees three ways."""
        return MergeResult(*self._store.merge(*(self._store.tree_of(name) for name in (base, ours, theirs))))

    def read_blob(self, tree: str, path: str) -> bytes | None:
        """Return a file of a tree, None if absent."""
        done = self._store.git.call("cat-file", "blob", f"{tree}:{path}")
        return done.stdout if done.returncode == 0 else None

    def list_tree(self, tree: str) -> list[tuple[str, str, str]]:
        """Return (path, mode, blob) of every file of a tree whose name is UTF-8, sorted by path."""
        return sorted(entry for entry in self._store.files(tree) if is_text_name(entry[0]))

    def drop_worktrees(self, run: RunId) -> None:
        """Remove the run's worktrees."""
        self._worktrees.drop(run)

    def change_set(self, run: RunId, base: str, head: str, touched: Sequence[TouchedRange]) -> ChangeSet:
        """Return the change set between two commits."""
        return change_set(self._store, run, base, head, touched)

    def patch(self, changes: ChangeSet, decisions: Mapping[str, Decision] | None = None) -> bytes:
        """Return a patch `git apply` agrees with: of all, or of what the decisions accept."""
        chosen = all_accepted(changes) if decisions is None else decisions
        return self._store.patch(changes.base_tree, subset_tree(self._store, changes, chosen))

    def subset_tree(self, changes: ChangeSet, decisions: Mapping[str, Decision]) -> str:
        """Return the base tree plus what is accepted, as a tree of the store."""
        return subset_tree(self._store, changes, decisions)
