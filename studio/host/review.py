"""Change sets, and what people decide about them."""

from __future__ import annotations

import asyncio

from studio.domain.changes import ChangeSet, Decision, Hunk, Remark, Verdict
from studio.domain.checks import SubsetVerdict
from studio.domain.errors import UsageError
from studio.domain.events import CheckWaived, HunkDecided, RemarkMade
from studio.domain.state import RunState
from studio.host.context import Caller, Context
from studio.protocol import commands as c

__all__ = ["check_subset", "decide", "get_artifact", "get_changes", "get_patch", "remark", "waive"]

MAX_BLOB_BYTES = 4 * 1024 * 1024


async def get_changes(context: Context, caller: Caller, command: c.GetChangeSet) -> ChangeSet:  # noqa: ARG001  # a handler's shape
    """Return a run's change set."""
    return await context.changes(context.run(command.run))


async def get_artifact(context: Context, caller: Caller, command: c.GetArtifact) -> c.Blob:  # noqa: ARG001  # a handler's shape
    """Return a slice of an artifact."""
    if command.offset < 0 or command.limit < 0:
        raise UsageError("An artifact's offset and limit cannot be negative.", "Give 0 or more.")
    data = await asyncio.to_thread(context.parts.artifacts.get, command.artifact)
    end = command.offset + min(command.limit, MAX_BLOB_BYTES)
    return c.Blob(data[command.offset : end], len(data))


async def get_patch(context: Context, caller: Caller, command: c.GetPatch) -> c.Blob:
    """Return a change set as a patch: all of it, or what is accepted."""
    run = context.run(command.run)
    changes = await context.changes(run)
    decisions = context.decisions(run) if command.accepted else None
    patch = await asyncio.to_thread(context.workspace(caller.places).patch, changes, decisions)
    return c.Blob(patch, len(patch))


def _hunks(changes: ChangeSet) -> dict[str, Hunk]:
    return {hunk.id: hunk for file in changes.files for hunk in file.hunks}


def _hunk(run: RunState, hunks: dict[str, Hunk], id_: str) -> Hunk:
    hunk = hunks.get(id_)
    if hunk is None:
        some = ", ".join(list(hunks)[:5])
        raise UsageError(
            f"Run {run.id} has no hunk {id_ or '(empty)'}.",
            f"It has {len(hunks)}: {some}{' …' if len(hunks) > 5 else ''}." if hunks else "Its change set is empty.",  # noqa: PLR2004  # as many as are shown
        )
    return hunk


def _validate(run: RunState, hunks: dict[str, Hunk], decision: Decision) -> None:
    hunk = _hunk(run, hunks, decision.hunk)
    count = len(hunk.lines)
    if decision.lines and decision.verdict is not Verdict.ACCEPTED:
        raise UsageError(f"Lines were given with a hunk that is {decision.verdict}.", "Lines can only be accepted.")
    wrong = [line for line in decision.lines if not 0 <= line < count]
    if wrong:
        # People count from 1, as every listing shows them.
        has = f"It has lines 1 to {count}." if count else "It has no lines: decide it as a whole."
        raise UsageError(f"Hunk {hunk.id} has no line {wrong[0] + 1}.", has)
    if decision.verdict is Verdict.EDITED and not count:
        raise UsageError(f"Hunk {hunk.id} of {hunk.path} has no text to edit.", "Accept or reject it as a whole.")


async def decide(context: Context, caller: Caller, command: c.Decide) -> c.Done:
    """Record decisions, all or none, and check soon what would land."""
    run = context.run(command.run)
    hunks = _hunks(await context.changes(run))
    for decision in command.decisions:
        _validate(run, hunks, decision)
    if command.decisions:
        await context.append(caller.name, *map(HunkDecided, command.decisions), run=run.id)
        context.subsets.changed(run.id, caller)
    return c.Done()


async def remark(context: Context, caller: Caller, command: c.MakeRemark) -> c.Done:
    """Record a remark, in the name of who made it."""
    run = context.run(command.run)
    given = command.remark
    changes = await context.changes(run)
    if given.hunk:
        hunk = _hunk(run, _hunks(changes), given.hunk)
        if not -1 <= given.line < max(len(hunk.lines), 1):
            raise UsageError(f"Hunk {hunk.id} has no line {given.line + 1}.", f"It has lines 1 to {len(hunk.lines)}.")
    if not given.text.strip():
        raise UsageError("The remark is empty.", "Give a text.")
    made = Remark(caller.name, given.text, given.hunk, given.line, given.severity)
    await context.append(caller.name, RemarkMade(made), run=run.id)
    return c.Done()


async def check_subset(context: Context, caller: Caller, command: c.CheckSubset) -> SubsetVerdict:
    """Check what would land now and answer when done."""
    run = context.run(command.run)
    await context.changes(run)
    return await context.subsets.check(run.id, caller, tests=command.tests)


async def waive(context: Context, caller: Caller, command: c.WaiveCheck) -> c.Done:
    """Record that a failed check is waived, and why."""
    run = context.run(command.run)
    if command.check not in run.checks:
        known = ", ".join(run.checks) or "none yet"
        raise UsageError(f"Run {run.id} has no check {command.check}.", f"Its checks: {known}.")
    if not command.reason.strip():
        raise UsageError("A waiver needs a reason.", "Say why the check does not count.")
    await context.append(caller.name, CheckWaived(command.check, command.reason), run=run.id)
    return c.Done()
