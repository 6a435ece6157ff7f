"""What is asked for, as orders: accepted decisions to land, and landings to undo."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from studio.domain.changes import ChangeSet, Decision, Landing, LandingTarget, TargetKind, Verdict
from studio.domain.errors import LandingConflict, UsageError
from studio.domain.ids import HunkId, LandingId, content_digest
from studio.workspace.choose import accepted_hunks, replacement, subset_tree
from studio.workspace.explain import conflict, undo_conflict
from studio.workspace.goals import Goal, Part, Parts, parts_of
from studio.workspace.intent import RefOp
from studio.workspace.landing import Order
from studio.workspace.person import Person
from studio.workspace.snapshot import base_of
from studio.workspace.store import Store

__all__ = ["Request", "check_place", "landing_order", "line_digest", "undo_order"]


@dataclass(frozen=True)
class Request:
    """What someone asks to land."""

    changes: ChangeSet
    decisions: Mapping[str, Decision]
    target: LandingTarget
    message: str
    trailers: Sequence[tuple[str, str]]
    protect: Sequence[str]


def line_digest(line: str) -> str:
    """Return the digest a landing record keeps of a line."""
    return content_digest(line)[:16]


def check_place(store: Store, person: Person, parts: Parts, changes: ChangeSet) -> None:
    """Refuse another worktree or branch than the base's.

    Raises:
        UsageError: it is another.

    """
    base = base_of(store, changes.base)
    if not base:
        return
    if base["worktree"] != str(person.worktree):
        raise UsageError(
            f"The run started in {base['worktree']}, not here.", "Land there with `--repo`, or here with `--elsewhere`."
        )
    if base["branch"] != parts.head.branch:
        was, now = base["branch"] or "a detached HEAD", parts.head.branch or "a detached HEAD"
        raise UsageError(
            f"The run started on {was}, and {now} is checked out.", "Check it out, or land here with `--elsewhere`."
        )


def landing_order(store: Store, parts: Parts, request: Request, landing: LandingId) -> Order:
    """Return the order that lands what is accepted.

    Raises:
        UsageError: nothing is accepted, nothing is left to write, a branch that cannot be made.
        LandingConflict: it does not merge.

    """
    changes, target = request.changes, request.target
    hunks = accepted_hunks(changes, request.decisions)
    if not hunks:
        raise UsageError("Nothing is accepted.", "Accept hunks first.")
    if target.kind is TargetKind.BRANCH:
        _check_branch(parts, target.branch)
    subset = subset_tree(store, changes, request.decisions)
    goals = parts.goals(parts_of(target.kind), lambda _: (changes.base_tree, subset))
    for goal in goals:
        if not goal.after:
            raise conflict(store, changes, request.decisions, goal)
    if goals[0].before == goals[0].after:
        raise UsageError(f"What is accepted is in {goals[0].part.value} already.", "There is nothing to land.")
    taken = set(hunks)
    by_path: dict[str, tuple[HunkId, ...]] = {}
    for file in changes.files:
        found = tuple(hunk.id for hunk in file.hunks if hunk.id in taken)
        for path in {file.path, file.old_path or file.path}:
            by_path[path] = (*by_path.get(path, ()), *found)
    return Order(
        Landing(landing, changes.run, target, (), hunks),
        goals,
        parts.head,
        _message(request.message, request.trailers),
        by_path,
        _added_lines(changes, request.decisions, taken),
        request.protect,
    )


def undo_order(store: Store, parts: Parts, landing: Landing, undo: LandingId, *, deleted: bool) -> Order:
    """Return the order that reverts what a landing wrote.

    Args:
        store: ours.
        parts: of the repository.
        landing: to undo.
        undo: the id of the undo.
        deleted: whether `landing` is an undo that deleted a branch.

    Raises:
        LandingConflict: later edits overlap, or its branch has moved on.
        UsageError: it is undone already.

    """
    reverse = Landing(undo, landing.run, landing.target, (), landing.hunks, undoes=landing.id)
    by_path = {file.path: file.hunks for file in landing.files}
    before = {file.path: (file.before_mode, file.before_blob) if file.before_blob else None for file in landing.files}
    after = {file.path: (file.after_mode, file.after_blob) if file.after_blob else None for file in landing.files}

    def change(now: str) -> tuple[str, str]:
        return store.overlay(now, after), store.overlay(now, before)

    message = _message(f"Undo landing {landing.id}", (("Studio-Run", landing.run), ("Studio-Undoes", landing.id)))
    if landing.target.kind is TargetKind.BRANCH:
        goal = Goal(Part.HEAD, landing.tree, store.overlay(landing.tree, before))
        return _branch_order(parts, landing, Order(reverse, [goal], parts.head, message, by_path, {}), deleted=deleted)
    goals = parts.goals(parts_of(landing.target.kind), change)
    for goal in goals:
        if not goal.after:
            raise undo_conflict(goal)
    if goals[0].before == goals[0].after:
        raise UsageError(f"{landing.id} is undone already.", "There is nothing to undo.")
    return Order(reverse, goals, parts.head, message, by_path, {})


def _branch_order(parts: Parts, landing: Landing, order: Order, *, deleted: bool) -> Order:
    """Delete the branch a landing made, or make the one an undo deleted, while it is still what that left."""
    name = f"refs/heads/{landing.target.branch}"
    now = parts.recorder.person.git.call("rev-parse", "--verify", "--quiet", name).stdout.decode().strip()
    if now != ("" if deleted else landing.commit):
        raise LandingConflict(
            f"The branch {landing.target.branch} is no longer what the landing left; nothing was undone.",
            "Delete or move the branch yourself.",
        )
    ref = RefOp(name, "", landing.commit) if deleted else RefOp(name, landing.commit, "")
    return replace(order, ref=ref)


def _check_branch(parts: Parts, name: str) -> None:
    git = parts.recorder.person.git
    if git.call("check-ref-format", "--branch", name).returncode != 0 or name.startswith("-"):
        raise UsageError(f"`{name}` cannot name a branch.", "Choose another name.")
    if git.call("rev-parse", "--verify", "--quiet", f"refs/heads/{name}").returncode == 0:
        raise UsageError(f"The branch {name} exists.", "Choose another name.")


def _message(message: str, trailers: Sequence[tuple[str, str]]) -> str:
    plain = message.strip() or "Land accepted changes"
    pairs = [f"{re.sub(r'[^A-Za-z0-9-]', '-', name)}: {' '.join(value.split())}" for name, value in trailers]
    return "\n\n".join((plain, "\n".join(pairs))) if pairs else plain


def _added_lines(
    changes: ChangeSet, decisions: Mapping[str, Decision], taken: set[HunkId]
) -> dict[str, tuple[str, ...]]:
    """Return digests of the lines each landed hunk adds."""
    found: dict[str, tuple[str, ...]] = {}
    for file in changes.files:
        for hunk in file.hunks:
            if hunk.id not in taken or not hunk.lines:
                continue
            decision = decisions[hunk.id]
            lines = [text.rstrip(b"\r\n").decode(file.encoding) for text in replacement(hunk, decision, file.encoding)]
            if decision.verdict is Verdict.EDITED:
                kept = {line.text.rstrip("\r") for line in hunk.lines if line.op != "+"}
            else:
                kept = {line.text.rstrip("\r") for line in hunk.lines if line.op == " "}
            found[hunk.id] = tuple(line_digest(line) for line in lines if line not in kept)
    return found
