"""Landing: from goals to an intent, and the intent carried out."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from studio.domain.changes import LandedFile, Landing, TargetKind
from studio.domain.errors import RepositoryError, StudioError
from studio.domain.ids import ArtifactId, HunkId
from studio.workspace.convert import Converter
from studio.workspace.git import Entry, Git
from studio.workspace.goals import Goal, Part
from studio.workspace.guard import check_paths
from studio.workspace.intent import FileOp, IndexOp, Intent, Intents, RefOp
from studio.workspace.person import Head, Person
from studio.workspace.snapshot import Recorder
from studio.workspace.store import ZERO, Store
from studio.workspace.swap import Swapper, digest_of
from studio.workspace.transaction import Observer, carry_out, discard, moved

__all__ = ["Lander", "Order"]

_ABSENT = "000000"
_UNDERWAY = {
    "MERGE_HEAD": "A merge",
    "CHERRY_PICK_HEAD": "A cherry-pick",
    "REVERT_HEAD": "A revert",
    "rebase-merge": "A rebase",
    "rebase-apply": "A rebase",
}


@dataclass(frozen=True)
class Order:
    """What to write, decided and merged."""

    landing: Landing
    """Complete but for files, tree, preview and commit."""
    goals: Sequence[Goal]
    head: Head
    message: str
    hunks: Mapping[str, tuple[HunkId, ...]]
    """Hunks by path."""
    lines: Mapping[str, tuple[str, ...]]
    """Digests of the lines each hunk adds."""
    protect: Sequence[str] = ()
    ref: RefOp | None = None
    """A reference to move instead of making a commit."""


@dataclass(frozen=True)
class Lander:
    """Writes orders to one repository. One at a time: callers hold the lock."""

    store: Store
    person: Person
    recorder: Recorder
    intents: Intents
    observe: Observer

    def land(self, order: Order) -> Landing:
        """Write an order.

        Raises:
            LandingConflict: something moved since its goals were merged; nothing was written.
            UsageError: a path that may not be written.

        """
        main = order.goals[0]
        entries = self.store.diff(main.before, main.after)
        staging = self.intents.staging(order.landing.id)
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
        self.recorder.copy_index(staging / "view")
        view = self.recorder.view(staging / "view")
        try:
            check_paths(self.store, view, entries, order.protect)
            intent = self._intent(order, entries, view, staging)
        except BaseException:
            self.intents.clear(order.landing.id)
            raise
        self.store.set_ref(f"refs/studio/landings/{order.landing.id}", self._record(intent.landing, main))
        carry_out(self.intents, intent, self.observe)
        return intent.landing

    def _intent(self, order: Order, entries: Sequence[Entry], view: Git, staging: Path) -> Intent:
        by_part = {goal.part: goal for goal in order.goals}
        main = order.goals[0]
        ref = self._reference(order, by_part.get(Part.HEAD))
        landing = msgspec.structs.replace(
            order.landing,
            files=tuple(_landed(entry, order.hunks) for entry in entries),
            tree=main.after,
            commit=(ref.new or ref.old) if ref else "",
            preview=ArtifactId(self.store.put_blobs([self.store.patch(main.before, main.after)])[0]),
        )
        index = self._index(by_part[Part.INDEX], staging) if Part.INDEX in by_part else None
        intent = Intent(landing, str(self.person.worktree), str(self.person.git_dir), (), (), index, ref)
        intent = msgspec.structs.replace(intent, lines=dict(order.lines))
        return self._with_files(intent, by_part[Part.WORKTREE], view, staging) if Part.WORKTREE in by_part else intent

    def _with_files(self, intent: Intent, goal: Goal, view: Git, staging: Path) -> Intent:
        """Prepare the working tree's files aside."""
        entries = self.store.diff(goal.before, goal.after)
        converter = Converter(self.store, view, [entry.path for entry in entries])
        contents = self.store.blobs(entry.new_blob for entry in entries if entry.new_mode != _ABSENT)
        swapper = Swapper(self.person.worktree, staging)
        made: list[str] = []
        files: list[FileOp] = []
        intent = msgspec.structs.replace(intent, made=(), files=())
        try:
            for number, entry in enumerate(entries):
                fresh = [] if entry.status == "D" else swapper.missing_parents(entry.path)
                swapper.make_parents(tuple(fresh))
                made += fresh
                files.append(self._prepare(swapper, converter, number, entry, contents))
        except BaseException as error:
            discard(self.intents, msgspec.structs.replace(intent, made=tuple(made), files=tuple(files)))
            if isinstance(error, OSError) and not isinstance(error, StudioError):
                raise RepositoryError(
                    f"Cannot write to the working tree: {error}.", "Look at its permissions."
                ) from error
            raise
        return msgspec.structs.replace(intent, made=tuple(made), files=tuple(files))

    def _prepare(
        self, swapper: Swapper, converter: Converter, number: int, entry: Entry, contents: Mapping[str, bytes]
    ) -> FileOp:
        found = swapper.read(entry.path) if entry.old_mode != _ABSENT else None
        now = found[0] if found else None
        if entry.old_mode != _ABSENT:
            if now is None:
                raise moved(entry.path)
            converter.check(entry.path, now, entry.old_blob)
        if entry.status == "D":
            return swapper.stage(number, entry.path, now, None, executable=None)
        after = converter.working(entry.path, now, entry.old_blob, entry.new_blob, contents[entry.new_blob])
        executable = None if now is not None and entry.old_mode == entry.new_mode else entry.new_mode == "100755"
        return swapper.stage(number, entry.path, now, after, executable=executable)

    def _index(self, goal: Goal, staging: Path) -> IndexOp | None:
        """Prepare the index file that has the goal's tree, every other entry and its times kept."""
        entries = self.store.diff(goal.before, goal.after)
        if not entries:
            return None
        before = self.person.index.read_bytes() if self.person.index.exists() else None
        fresh = staging / "index"
        self.recorder.copy_index(fresh)
        self.store.lend(self.person.git, goal.after, goal.before)
        lines = [f"0 {ZERO}\t{entry.path}" for entry in entries]
        lines += [f"{entry.new_mode} {entry.new_blob}\t{entry.path}" for entry in entries if entry.new_mode != _ABSENT]
        git = self.person.git.with_index(fresh)
        git.run("update-index", "-z", "--replace", "--index-info", data=os.fsencode("\0".join(lines) + "\0"))
        if self.person.index.exists():
            fresh.chmod(self.person.index.stat().st_mode & 0o777)
        return IndexOp(fresh.name, digest_of(before), fresh.stat().st_ino)

    def _reference(self, order: Order, goal: Goal | None) -> RefOp | None:
        """Make the commit in the person's repository and return the move of the reference to it."""
        if goal is None:
            return None
        if order.ref is not None:
            return self._again(order.ref, goal)
        for name, what in _UNDERWAY.items():
            if order.landing.target.kind is TargetKind.COMMIT and (self.person.git_dir / name).exists():
                raise RepositoryError(f"{what} is under way.", "Finish or abort it, or land in the working tree.")
        lines = [f"tree {goal.after}", *([f"parent {order.head.commit}"] if order.head.commit else [])]
        lines += [f"author {self.person.identity('AUTHOR')}", f"committer {self.person.identity('COMMITTER')}"]
        body = "\n".join((*lines, "", order.message, "")).encode("utf-8", "replace")
        self.store.lend(self.person.git, goal.after, goal.before)
        commit = self.store.put_blobs([body], "commit")[0]
        self.person.git.run("hash-object", "-w", "-t", "commit", "--stdin", data=body)
        if order.landing.target.kind is TargetKind.BRANCH:
            return RefOp(f"refs/heads/{order.landing.target.branch}", "", commit)
        name = f"refs/heads/{order.head.branch}" if order.head.branch else "HEAD"
        return RefOp(name, order.head.commit, commit)

    def _again(self, ref: RefOp, goal: Goal) -> RefOp:
        """Give the person's repository the commit of a branch that an undo deleted, should it have lost it."""
        if ref.new:
            self.store.lend(self.person.git, goal.after, goal.before)
            body = self.store.git.run("cat-file", "commit", ref.new)
            self.person.git.run("hash-object", "-w", "-t", "commit", "--stdin", data=body)
        return ref

    def _record(self, landing: Landing, main: Goal) -> str:
        """Keep both trees, and the preview, for undo and `why`."""
        before = self.store.commit(main.before, (), f"Before {landing.id}")
        self.store.set_ref(f"refs/studio/previews/{landing.id}", landing.preview)
        return self.store.commit(main.after, (before,), f"Landing {landing.id}")


def _landed(entry: Entry, hunks: Mapping[str, tuple[HunkId, ...]]) -> LandedFile:
    old, new = entry.old_mode != _ABSENT, entry.new_mode != _ABSENT
    return LandedFile(
        entry.path,
        entry.old_blob if old else "",
        entry.new_blob if new else "",
        entry.old_mode if old else "",
        entry.new_mode if new else "",
        hunks.get(entry.path, ()),
    )
