"""Saying why something does not land: which hunk, and which line it lacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from studio.domain.changes import ChangeSet, Decision, FileChange, Hunk
from studio.domain.errors import LandingConflict
from studio.workspace.choose import accepted_hunks, subset_tree
from studio.workspace.diff import file_hunks
from studio.workspace.goals import Goal, Part
from studio.workspace.store import Store

__all__ = ["conflict", "undo_conflict"]

_SHOWN = 3


def conflict(store: Store, changes: ChangeSet, decisions: Mapping[str, Decision], goal: Goal) -> LandingConflict:
    """Return the error for a landing that does not merge."""
    hunk, file = _first_hunk(store, changes, decisions, goal)
    paths = _named(goal.conflicts)
    if hunk is None or file is None:
        return LandingConflict(
            f"{paths} does not merge into {goal.part.value}.", "Revise the run on what is there now."
        )
    if goal.part is Part.WORKTREE:
        return LandingConflict(
            f"Hunk {hunk.id} does not merge: {hunk.path} has changed there since the run started.",
            "Reject the hunk, or revise the run on what is there now.",
        )
    what = "committed" if goal.part is Part.HEAD else "staged"
    line = _lacking(store, file, hunk, changes.base_tree, goal.before)
    needs = f"line {line} of {hunk.path}" if line else hunk.path
    return LandingConflict(
        f"Hunk {hunk.id} needs {needs}, which is not {what}.",
        f"Have that {what} first, reject the hunk, or land in the working tree.",
    )


def undo_conflict(goal: Goal) -> LandingConflict:
    """Return the error for an undo that later edits overlap."""
    return LandingConflict(
        f"Later edits of {_named(goal.conflicts)} in {goal.part.value} overlap what the landing wrote; nothing was undone.",
        "Undo those edits first, or change the lines yourself.",
    )


def _named(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return ", ".join(paths[:_SHOWN]) + more


def _first_hunk(
    store: Store, changes: ChangeSet, decisions: Mapping[str, Decision], goal: Goal
) -> tuple[Hunk, FileChange] | tuple[None, None]:
    """Return the first accepted hunk of the paths in conflict that does not merge by itself."""
    taken = set(accepted_hunks(changes, decisions))
    for file in changes.files:
        if not {file.path, file.old_path} & set(goal.conflicts):
            continue
        for hunk in file.hunks:
            if hunk.id in taken:
                alone = subset_tree(store, changes, {hunk.id: decisions[hunk.id]})
                if store.merge(changes.base_tree, goal.before, alone)[1]:
                    return hunk, file
    return None, None


def _lacking(store: Store, file: FileChange, hunk: Hunk, base: str, there: str) -> int:
    """Return the first line of the base, in or beside the hunk, that the target has not; 0 if it has not the file."""
    path = file.old_path or file.path
    if not store.entries(there, [path]):
        return 0
    patch = store.git.run("diff-tree", "-r", "-p", "-U0", "--no-color", "--no-ext-diff", there, base, "--", path)
    wanted = range(hunk.old_start - 1, hunk.old_start + hunk.old_count + 1)
    for raw in file_hunks(patch):
        lines = range(raw.new_start, raw.new_start + max(raw.new_count, 1))
        if common := [line for line in lines if line in wanted]:
            return common[0]
    return hunk.old_start
