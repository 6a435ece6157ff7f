"""Carrying out a landing: files, reference and index, all or none, over a crash too.

1. The intent is on disk. 2. The index is locked. 3. Files are swapped one by one and what they displaced is verified. 4. The
reference moves, from exactly the value it had. 5. The record says *decided*. 6. The locked index takes its place. 7. What was
displaced goes, and the record is closed. Before 4 or 5 everything can be reverted; after, nothing that is left can fail.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from studio.domain.errors import LandingConflict
from studio.domain.ids import LandingId
from studio.workspace.git import Git
from studio.workspace.intent import Intent, Intents, Phase, RefOp, sync_directory
from studio.workspace.store import ZERO
from studio.workspace.swap import Swapper, digest_of

__all__ = ["Moved", "Observer", "carry_out", "discard", "moved", "recover"]

Observer = Callable[[str], None]
"""Told the name of each step before it begins; tests end the process there."""


class Moved(LandingConflict):
    """A file, the index or the reference changed between the merge and the swap."""


def carry_out(intents: Intents, intent: Intent, observe: Observer) -> None:
    """Do what an intent says, or nothing.

    Raises:
        LandingConflict: another git process holds the index.
        Moved: something changed under it.

    """
    swapper = Swapper(Path(intent.worktree), intents.staging(intent.landing.id))
    try:
        swapper.sync()
        intents.save(intent)
        observe("prepared")
        _lock_index(intents, intent)
        observe("locked")
        _swap(swapper, intent, observe)
        if intent.ref is not None:
            _move(Path(intent.git_dir), intent.ref, intent.landing.id)
    except BaseException:
        _revert(intents, intent)
        raise
    observe("moved")
    _finish(intents, intent, observe)


def recover(intents: Intents) -> list[LandingId]:
    """Finish or revert what a crash cut short; return what was reverted."""
    reverted: list[LandingId] = []
    for intent in intents.unfinished():
        if intent.phase is Phase.DECIDED or (intent.ref is not None and _has_moved(intent)):
            _finish(intents, intent, lambda _: None)
        else:
            _revert(intents, intent)
            reverted.append(intent.landing.id)
    return reverted


def _swap(swapper: Swapper, intent: Intent, observe: Observer) -> None:
    for op in intent.files:
        if not swapper.apply(op):
            raise moved(op.path)
        observe("swapped")
    for op in intent.files:
        if not swapper.verify(op):
            raise moved(op.path)


def moved(path: str) -> Moved:
    """Return the error for a file that is no longer what was merged."""
    return Moved(f"{path} changed while it was landing; nothing was written.", "Save your work there and land again.")


def _finish(intents: Intents, intent: Intent, observe: Observer) -> None:
    intents.save(msgspec.structs.replace(intent, phase=Phase.DECIDED))
    observe("decided")
    lock = Path(intent.git_dir) / "index.lock"
    if intent.index is not None and _inode(lock) == intent.index.inode:
        lock.replace(lock.with_suffix(""))
        sync_directory(lock.parent)
    observe("indexed")
    swapper = Swapper(Path(intent.worktree), intents.staging(intent.landing.id))
    for op in intent.files:
        swapper.close(op)
        if not op.after:
            swapper.prune(tuple(str(parent) for parent in reversed(Path(op.path).parents))[1:])
    observe("cleaned")
    intents.save(msgspec.structs.replace(intent, phase=Phase.CLOSED))
    intents.clear(intent.landing.id)


def _revert(intents: Intents, intent: Intent) -> None:
    swapper = Swapper(Path(intent.worktree), intents.staging(intent.landing.id))
    for op in reversed(intent.files):
        swapper.revert(op)
        swapper.close(op)
    swapper.prune(intent.made)
    lock = Path(intent.git_dir) / "index.lock"
    if intent.index is not None and _inode(lock) == intent.index.inode:
        lock.unlink()
    intents.drop(intent.landing.id)


def _inode(path: Path) -> int:
    try:
        return path.lstat().st_ino
    except FileNotFoundError:
        return 0


def _lock_index(intents: Intents, intent: Intent) -> None:
    """Take git's own lock with the prepared index as its content, then look whether the index is still the one it was."""
    if intent.index is None:
        return
    index = Path(intent.git_dir) / "index"
    lock = index.with_name("index.lock")
    try:
        os.link(intents.staging(intent.landing.id) / intent.index.staged, lock)
    except FileExistsError as error:
        raise LandingConflict(
            "Another git process holds the index.", f"Wait for it to end; if none runs, remove {lock}."
        ) from error
    if digest_of(index.read_bytes() if index.exists() else None) != intent.index.before:
        raise Moved("the index changed while it was landing; nothing was written", "land again")


def _move(git_dir: Path, ref: RefOp, landing: LandingId) -> None:
    git = Git.person(git_dir)
    if ref.new:
        flags = ("--no-deref",) if ref.name == "HEAD" else ()
        done = git.call("update-ref", "-m", f"studio: {landing}", *flags, ref.name, ref.new, ref.old or ZERO)
    else:
        done = git.call("update-ref", "-d", ref.name, ref.old)
    if done.returncode != 0:
        reason = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise Moved(
            f"{ref.name} cannot be moved: {reason[0] if reason else 'git said nothing'}", "look at it, land again"
        )


def _has_moved(intent: Intent) -> bool:
    """Whether the reference has taken the landing's commit, alone or below later ones."""
    ref = intent.ref
    if ref is None:
        return False
    git = Git.person(Path(intent.git_dir))
    now = git.call("rev-parse", "--verify", "--quiet", ref.name).stdout.decode().strip()
    if not ref.new:
        return not now
    return bool(now) and git.call("merge-base", "--is-ancestor", ref.new, now).returncode == 0


def discard(intents: Intents, intent: Intent) -> None:
    """Throw away a prepared landing that is not carried out."""
    with contextlib.suppress(FileNotFoundError):
        _revert(intents, intent)
