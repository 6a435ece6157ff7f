"""Landing what is accepted, undoing it, and where a line came from."""

from __future__ import annotations

import asyncio
import re

from studio.domain.brief import parse_brief
from studio.domain.changes import ChangeSet, Decision, Hunk, Landing, TargetKind
from studio.domain.checks import Outcome, SubsetVerdict, worst
from studio.domain.errors import ChecksFailed, LandingConflict, UsageError
from studio.domain.events import ChangesLanded, LandingFailed
from studio.domain.ids import LandingId, new_landing_id
from studio.domain.state import RunState
from studio.host import pending
from studio.host.context import Caller, Context
from studio.host.files import line_count
from studio.host.subset import accepted_hunks
from studio.ports.workspace import LineOrigin
from studio.protocol import commands as c
from studio.protocol.digest import decisions_digest
from studio.protocol.locate import person_name

__all__ = ["land", "preview_undo", "recover", "undo", "why"]

_CHECK_FIRST = "Check it (`studio accept` does), or land with `--unchecked`."


async def land(context: Context, caller: Caller, command: c.Land) -> c.Landed:
    """Land what is accepted of a run, one landing at a time."""
    if (command.target.kind is TargetKind.BRANCH) != bool(command.target.branch):
        raise UsageError("A branch is named exactly when a new branch is the target.", "Give `--to branch:NAME`.")
    async with context.landing:
        run = context.run(command.run)
        changes = await context.changes(run)
        decisions = context.decisions(run)
        if not accepted_hunks(decisions):
            raise UsageError(f"Nothing of run {run.id} is accepted.", "Accept hunks first.")
        verdict = run.subset if _is_fresh(run, decisions) else None
        if not command.unchecked:
            verdict = await _checked(context, caller, command, run, changes)
        return await _write(context, caller, command, run, changes, verdict)


def _is_fresh(run: RunState, decisions: dict[str, Decision]) -> bool:
    return run.subset is not None and run.subset.decisions == decisions_digest(decisions.values())


async def _checked(
    context: Context, caller: Caller, command: c.Land, run: RunState, changes: ChangeSet
) -> SubsetVerdict:
    """Return the verdict that allows this landing.

    Raises:
        ChecksFailed: there is none for these decisions and the tree as it is now, or it is not a pass.
        LandingConflict: what is accepted does not merge into the target.

    """
    decisions = context.decisions(run)
    verdict = run.subset
    if verdict is None or not _is_fresh(run, decisions):
        raise ChecksFailed("What would land has not been checked since decisions changed.", _CHECK_FIRST)
    workspace = context.workspace(caller.places)
    merged = await asyncio.to_thread(workspace.landing_tree, changes, decisions, command.target)
    if merged.conflicts:
        await _failed(context, caller, run, new_landing_id(), "it does not merge", merged.conflicts)
        raise LandingConflict(
            f"What is accepted conflicts with what is there in {', '.join(merged.conflicts)}; nothing was written.",
            "Reject the hunks of these files, or undo your own change there, and land again.",
        )
    if merged.tree != verdict.tree:
        if command.target.kind is TargetKind.WORKTREE:
            raise ChecksFailed("The working tree changed since what would land was checked.", _CHECK_FIRST)
        # Another target than the working tree holds other uncommitted work, so its tree needs a verdict of its own.
        verdict = await context.subsets.verdict(run, changes, caller, command.target, tests=verdict.tier == "tests")
    _refuse_unless_passed(verdict, run.waived)
    return verdict


def _refuse_unless_passed(verdict: SubsetVerdict, waived: dict[str, str]) -> None:
    counted = tuple(result for result in verdict.results if result.check not in waived)
    outcome = worst(counted) if counted or not verdict.results else Outcome.PASSED
    if outcome is Outcome.FAILED:
        failed = ", ".join(result.check for result in counted if result.outcome is Outcome.FAILED)
        needs = f" It needs {', '.join(verdict.needs)}." if verdict.needs else ""
        raise ChecksFailed(
            f"What is accepted fails {failed}.{needs}", "Decide otherwise, waive the check, or land with `--unchecked`."
        )
    if outcome is Outcome.NOT_RUN:
        reason = next((result.reason for result in counted if result.reason), verdict.problem or "no check applies")
        raise ChecksFailed(f"No check ran on what is accepted: {reason}.", "Land with `--unchecked` if that is right.")


async def _write(
    context: Context, caller: Caller, command: c.Land, run: RunState, changes: ChangeSet, verdict: SubsetVerdict | None
) -> c.Landed:
    brief = parse_brief(run.brief, await context.text(run.text))
    decisions = context.decisions(run)
    committer = await asyncio.to_thread(person_name, caller.places)
    landing = new_landing_id()
    workspace = context.workspace(caller.places)
    await asyncio.to_thread(pending.note, context.places, pending.Pending(landing, run.id, caller.name))
    try:
        landed = await asyncio.to_thread(
            workspace.land,
            changes,
            decisions,
            command.target,
            landing,
            command.message or run.title or brief.title,
            _trailers(run, decisions, committer),
            brief.front.protect,
            elsewhere=command.elsewhere,
        )
        await context.append(caller.name, ChangesLanded(landed), run=run.id)
    except LandingConflict as error:
        await _failed(context, caller, run, landing, error.what)
        await asyncio.to_thread(pending.clear, context.places)
        raise
    await asyncio.to_thread(pending.clear, context.places)
    return c.Landed(landed, verdict)


async def _failed(
    context: Context, caller: Caller, run: RunState, landing: LandingId, what: str, paths: tuple[str, ...] = ()
) -> None:
    await context.append(caller.name, LandingFailed(landing, what, paths), run=run.id)


def _trailers(run: RunState, decisions: dict[str, Decision], committer: str) -> list[tuple[str, str]]:
    """Return the commit's trailers. People are known here by name only; `.invalid` (RFC 2606) is nobody's address."""
    taken = set(accepted_hunks(decisions))
    people = dict.fromkeys(state.by for hunk, state in run.decisions.items() if hunk in taken)
    trailers = [("Studio-Run", str(run.id)), ("Studio-Brief", f"{run.brief}@{run.revision}")]
    for name in people:
        plain = re.sub(r"[<>\r\n]", "", name).strip()
        if plain and plain != committer:
            mailbox = re.sub(r"[^a-z0-9]+", ".", plain.casefold()).strip(".") or "person"
            trailers.append(("Co-authored-by", f"{plain} <{mailbox}@studio.invalid>"))
    return trailers


def _landings(context: Context) -> list[tuple[RunState, Landing]]:
    """Return all landings and undos, oldest first: the timeline's notes tell when each was."""
    found: list[tuple[int, RunState, Landing]] = []
    for run in context.hub.state.runs.values():
        noted = {row.detail: row.seq for row in run.rows}
        found += [(noted.get(landing.id, 0), run, landing) for landing in run.landings]
    return [(run, landing) for _, run, landing in sorted(found, key=lambda one: one[0])]


def _to_undo(context: Context, id_: LandingId) -> tuple[RunState, Landing]:
    landings = _landings(context)
    undone = {landing.undoes for _, landing in landings if landing.undoes}
    if id_:
        for run, landing in landings:
            if landing.id == id_:
                if id_ in undone:
                    raise UsageError(f"Landing {id_} is undone already.", "Undo the undo to have it back.")
                return run, landing
        known = ", ".join(landing.id for _, landing in landings[-5:]) or "none"
        raise UsageError(f"There is no landing {id_}.", f"The latest are {known}.")
    open_ = [(run, landing) for run, landing in landings if not landing.undoes and landing.id not in undone]
    if not open_:
        raise UsageError("There is no landing to undo.", "Name an undo by its id to undo that.")
    return open_[-1]


async def preview_undo(context: Context, caller: Caller, command: c.PreviewUndo) -> c.Text:
    """Return the diff an undo would write."""
    _, landing = _to_undo(context, command.landing)
    patch = await asyncio.to_thread(context.workspace(caller.places).preview_undo, landing)
    return c.Text(patch.decode("utf-8", "replace"))


async def undo(context: Context, caller: Caller, command: c.Undo) -> c.Landed:
    """Undo a landing; the undo is a landing too."""
    async with context.landing:
        run, landing = _to_undo(context, command.landing)
        id_ = new_landing_id()
        await asyncio.to_thread(pending.note, context.places, pending.Pending(id_, run.id, caller.name))
        try:
            undone = await asyncio.to_thread(context.workspace(caller.places).undo, landing, id_)
        except LandingConflict as error:
            await _failed(context, caller, run, id_, error.what)
            await asyncio.to_thread(pending.clear, context.places)
            raise
        await context.append(caller.name, ChangesLanded(undone), run=run.id)
        await asyncio.to_thread(pending.clear, context.places)
        return c.Landed(undone)


async def recover(context: Context) -> None:
    """Finish or revert what a crash cut short, and record what came of it."""
    workspace = context.workspace(context.places)
    reverted = await asyncio.to_thread(workspace.recover)
    noted = await asyncio.to_thread(pending.read, context.places)
    if noted is not None and noted.landing not in {landing.id for _, landing in _landings(context)}:
        landed = await asyncio.to_thread(workspace.landed, noted.landing)
        if landed is not None:
            await context.append(noted.actor, ChangesLanded(landed), run=noted.run)
        elif noted.landing in reverted:
            what = "The studio ended in the middle of it; every file is as it was before."
            await context.append(noted.actor, LandingFailed(noted.landing, what), run=noted.run)
    await asyncio.to_thread(pending.clear, context.places)


async def why(context: Context, caller: Caller, command: c.Why) -> c.Origin:
    """Return where a line of the working tree came from."""
    lines = await asyncio.to_thread(line_count, caller.places, command.path)
    if not 1 <= command.line <= lines:
        raise UsageError(
            f"{command.path} has no line {command.line}.", f"It has lines 1 to {lines}." if lines else "It is empty."
        )
    landings = _landings(context)
    given = [landing for _, landing in landings]
    workspace = context.workspace(caller.places)
    origin = await asyncio.to_thread(workspace.origin, command.path, command.line, given)
    if origin is None:
        return c.Origin(found=False, detail="No landing of the studio wrote this line.")
    run = context.run(origin.run)
    changes = await context.changes(run)
    hunk = next((one for file in changes.files for one in file.hunks if one.id == origin.hunk), None)
    return _origin(run, origin, hunk)


def _origin(run: RunState, origin: LineOrigin, hunk: Hunk | None) -> c.Origin:
    base = c.Origin(True, origin.text, origin.landing, origin.run, run.brief, run.title)  # noqa: FBT003  # field `found`
    if hunk is None:
        return base
    texts = {one.id: one.text for one in run.requirements}
    provenance = hunk.provenance
    decided = run.decisions.get(hunk.id)
    return c.Origin(
        found=True,
        text=origin.text,
        landing=origin.landing,
        run=origin.run,
        brief=run.brief,
        title=run.title,
        requirements=tuple(f"{id_} {texts.get(id_, '')}".strip() for id_ in provenance.requirements),
        task=provenance.task,
        role=provenance.role,
        model=provenance.model,
        call=provenance.call,
        cost_usd=provenance.cost_usd,
        match=hunk.match,
        tests=provenance.tests,
        accepted_by=decided.by if decided else "",
        at=decided.at if decided else 0.0,
    )
