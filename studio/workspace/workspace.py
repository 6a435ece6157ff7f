"""The workspace port on git."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from studio.domain.changes import ChangeSet, Decision, Landing, LandingTarget
from studio.domain.errors import UsageError
from studio.domain.ids import ArtifactId, LandingId, RunId
from studio.domain.places import Places
from studio.ports.workspace import Base, LineOrigin, MergeResult, TouchedRange
from studio.workspace.choose import all_accepted, subset_tree
from studio.workspace.diff import change_set
from studio.workspace.gc import keep
from studio.workspace.goals import Parts, parts_of
from studio.workspace.intent import Intents, Phase
from studio.workspace.landing import Lander, Order
from studio.workspace.lines import split_lines
from studio.workspace.orders import Request, check_place, landing_order, undo_order
from studio.workspace.origin import origin
from studio.workspace.person import Person, find_person
from studio.workspace.snapshot import Limits, Recorder, is_text_name
from studio.workspace.store import Store, locked
from studio.workspace.transaction import Moved, Observer, recover
from studio.workspace.trees import TreeLimits, Worktrees

__all__ = ["GitWorkspace"]

_ATTEMPTS = 3


class GitWorkspace:
    """One repository and its store; implements `studio.ports.workspace.Workspace`."""

    def __init__(
        self,
        places: Places,
        limits: Limits | None = None,
        tree_limits: TreeLimits | None = None,
        observe: Observer = lambda _: None,
    ) -> None:
        self._places = places
        self._limits = limits or Limits()
        self._observe = observe
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

    def landing_tree(self, changes: ChangeSet, decisions: Mapping[str, Decision], target: LandingTarget) -> MergeResult:
        """Return the tree that would land now: the target's content as it is now plus what is accepted."""
        subset = subset_tree(self._store, changes, decisions)
        main = self._parts().goals(parts_of(target.kind)[:1], lambda _: (changes.base_tree, subset))[0]
        return MergeResult(main.after, main.conflicts)

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
        """Write what is accepted to the target, all or nothing; an id that has landed is not landed twice."""
        request = Request(changes, decisions, target, message, trailers, protect)

        def order() -> Order:
            parts = self._parts()
            if not elsewhere:
                check_place(self._store, self._person, parts, changes)
            return landing_order(self._store, parts, request, landing)

        return self._carry_out(landing, order)

    def preview_undo(self, landing: Landing) -> bytes:
        """Return the patch an undo would write."""
        goal = self._undo_order(landing, LandingId("l-preview")).goals[0]
        return self._store.patch(goal.before, goal.after)

    def undo(self, landing: Landing, undo: LandingId) -> Landing:
        """Revert exactly what `landing` wrote, three ways."""
        return self._carry_out(undo, lambda: self._undo_order(landing, undo))

    def recover(self) -> list[LandingId]:
        """Finish or revert landings a crash cut short; return the reverted ones."""
        with locked(self._intents.lock):
            return recover(self._intents)

    def landed(self, landing: LandingId) -> Landing | None:
        """Return a landing that was carried out, should its caller have died before recording it."""
        intent = self._intents.load(landing)
        return intent.landing if intent is not None and intent.phase is not Phase.PREPARED else None

    @property
    def _intents(self) -> Intents:
        return Intents(self._places.state / "landings")

    def _parts(self) -> Parts:
        return Parts(self._store, self._recorder, self._person.head())

    def _undo_order(self, landing: Landing, undo: LandingId) -> Order:
        intent = self._intents.load(landing.id)
        deleted = intent is not None and intent.ref is not None and not intent.ref.new
        return undo_order(self._store, self._parts(), landing, undo, deleted=deleted)

    def _carry_out(self, landing: LandingId, order: Callable[[], Order]) -> Landing:
        """Merge and write under the lock; merge anew where something moved in between."""
        with locked(self._intents.lock):
            recover(self._intents)
            if (done := self._intents.load(landing)) is not None:
                return done.landing
            lander = Lander(self._store, self._person, self._recorder, self._intents, self._observe)
            for _ in range(_ATTEMPTS - 1):
                with contextlib.suppress(Moved):
                    return lander.land(order())
            return lander.land(order())

    def origin(self, path: str, line: int, landings: Sequence[Landing]) -> LineOrigin | None:
        """Return which landing, oldest first, wrote a line of the working tree; None for a person's own.

        Raises:
            UsageError: there is no such file or line.

        """
        content = self._recorder.clean(path)
        if not 0 < line <= len(split_lines(content)):
            raise UsageError(f"{path} has no line {line}.", f"It has {len(split_lines(content))}.")
        return origin(self._store, self._intents, path, line, content, landings)

    def keep(self, runs: Collection[RunId], artifacts: Collection[ArtifactId]) -> None:
        """Prune from the store what neither these runs, their landings, nor these artifacts need."""
        with locked(self._intents.lock):
            keep(self._store, self._recorder, self._intents, runs, artifacts)
