"""Starting runs and steering them."""

from __future__ import annotations

import asyncio
import re
from pathlib import PurePath

import msgspec

from studio.domain.brief import Brief, parse_brief
from studio.domain.changes import ChangeSet, Decision, Hunk, Verdict
from studio.domain.config import Config
from studio.domain.errors import UsageError
from studio.domain.events import (
    BriefSaved,
    GateAnswered,
    RunCancelRequested,
    RunRequested,
    RunResumeRequested,
    RunTold,
)
from studio.domain.ids import ArtifactId, RunId, new_run_id
from studio.domain.runs import DEFAULT_BUDGET, RunOptions
from studio.domain.stages import Depth
from studio.domain.state import RunState
from studio.host.context import Caller, Context
from studio.protocol import commands as c
from studio.protocol.messages import CancelNow

__all__ = [
    "answer_gate",
    "brief_name",
    "cancel",
    "fork",
    "get_run",
    "resume",
    "revise",
    "save_revision",
    "start",
    "tell",
]

_NAME = re.compile(r"[^\W_.][\w .+-]{0,99}")


def brief_name(given: str) -> str:
    """Return the name of a brief given by name or by path.

    Raises:
        UsageError: it cannot name a file in `.studio/briefs`.

    """
    name = PurePath(given).name.removesuffix(".md")
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{given!r} cannot name a brief.",
            "Use letters, digits, spaces, `-`, `_`, `.` and `+`, at most 100 of them.",
        )
    return name


async def save_revision(context: Context, caller: Caller, brief: Brief) -> ArtifactId:
    """Keep a brief's text and record the revision, unless it is the latest already; return the text's artifact."""
    artifact = await asyncio.to_thread(context.parts.artifacts.put, brief.text.encode())
    known = context.hub.state.briefs.get(brief.name)
    if known is None or not known.revisions or known.revisions[-1][0] != brief.revision:
        await context.append(caller.name, BriefSaved(brief.name, brief.revision, artifact, brief.title))
    return artifact


def _chosen(options: RunOptions, brief: Brief, config: Config) -> RunOptions:
    """Return the options with what the brief, then the configuration, say where the person chose nothing.

    Raises:
        UsageError: nobody chose a model.

    """
    front = brief.front
    model = options.model or (front.models[0] if front.models else "") or config.models.default
    if not model:
        raise UsageError(
            "No model is chosen.",
            "Choose one with `--model SPEC`, with `models:` in the brief, or with `default` under `[models]` in the "
            "configuration; `--model auto` takes what is at hand, `studio models` lists it.",
        )
    depth = front.depth if options.depth is Depth.AUTO else options.depth
    budget = options.budget
    if budget == DEFAULT_BUDGET:
        budget = config.budget
        if front.budget is not None:
            budget = msgspec.structs.replace(budget, usd=front.budget)
    api_base = options.api_base or config.models.api_base
    return msgspec.structs.replace(options, model=model, depth=depth, budget=budget, api_base=api_base)


async def _request(context: Context, caller: Caller, brief: Brief, options: RunOptions) -> c.RunStarting:
    """Request a run on what the caller's working tree is now."""
    chosen = _chosen(options, brief, context.config)
    workspace = context.workspace(caller.places)
    async with context.snapshotting:
        base = await asyncio.to_thread(workspace.snapshot)
    text = await save_revision(context, caller, brief)
    run = new_run_id()
    requested = RunRequested(
        brief.name, brief.revision, text, chosen, brief.title, base.commit, base.tree, base.head, base.branch,
        base.left_out,
    )  # fmt: skip
    await context.append(caller.name, requested, run=run)
    return c.RunStarting(run, base.left_out)


async def start(context: Context, caller: Caller, command: c.StartRun) -> c.RunStarting:
    """Start a run."""
    brief = parse_brief(brief_name(command.brief), command.text)
    return await _request(context, caller, brief, command.options)


async def fork(context: Context, caller: Caller, command: c.ForkRun) -> c.RunStarting:
    """Start a run on the base of an old one, whose earlier stages it reuses."""
    old = context.run(command.run)
    given = command.options or old.options
    options = msgspec.structs.replace(
        given, model=given.model or old.options.model, fork_of=old.id, fork_from=command.stage
    )
    requested = RunRequested(
        old.brief, old.revision, old.text, options, old.title, old.base, old.base_tree, old.head, old.branch,
        old.left_out,
    )  # fmt: skip
    run = new_run_id()
    await context.append(caller.name, requested, run=run)
    return c.RunStarting(run, old.left_out)


async def revise(context: Context, caller: Caller, command: c.ReviseRun) -> c.RunStarting:
    """Start a run that is told what people rejected or edited, and why."""
    old = context.run(command.run)
    changes = await context.changes(old)
    told = _revision_text(old, changes, context.decisions(old), command.note)
    if not told:
        raise UsageError(
            f"Nothing of run {old.id} was rejected, edited or remarked on, and there is no note.",
            "Reject or comment on what should be different, or say it with a note.",
        )
    brief = parse_brief(old.brief, await context.text(old.text))
    return await _request(context, caller, brief, msgspec.structs.replace(old.options, revise=told))


def _revision_text(run: RunState, changes: ChangeSet, decisions: dict[str, Decision], note: str) -> str:
    parts = [note.strip()] if note.strip() else []
    for hunk in (hunk for file in changes.files for hunk in file.hunks):
        decision = decisions.get(hunk.id)
        remarks = [f"{one.author} remarked: {one.text}" for one in run.remarks if one.hunk == hunk.id]
        if decision is None or decision.verdict not in {Verdict.REJECTED, Verdict.EDITED}:
            if remarks:
                parts.append("\n".join([f"On {hunk.path}, line {hunk.new_start}:", *remarks]))
            continue
        parts.append("\n".join([_judged(hunk, decision), *remarks]))
    parts += [f"{one.author} remarked: {one.text}" for one in run.remarks if not one.hunk]
    return "\n\n".join(parts)


def _judged(hunk: Hunk, decision: Decision) -> str:
    shown = "\n".join(line.op + line.text for line in hunk.lines)
    text = f"This change of {hunk.path} at line {hunk.new_start} was {decision.verdict}:\n{shown}"
    if decision.verdict is Verdict.EDITED:
        text += f"\nThe person wrote instead:\n{decision.text}"
    if decision.comment:
        text += f"\nBecause: {decision.comment}"
    return text


async def cancel(context: Context, caller: Caller, command: c.CancelRun) -> c.Done:
    """Cancel a run; cancelling twice is no error."""
    run = _unfinished(context, command.run)
    if not run.cancel_requested:
        await context.append(caller.name, RunCancelRequested(), run=run.id)
    context.control.broadcast(CancelNow(run.id))
    return c.Done()


async def resume(context: Context, caller: Caller, command: c.ResumeRun) -> c.Done:
    """Let a stopped run go on."""
    run = context.run(command.run)
    if not run.status.final:
        raise UsageError(f"Run {run.id} is {run.status}; there is nothing to resume.", "Follow it, or cancel it first.")
    await context.append(caller.name, RunResumeRequested(), run=run.id)
    return c.Done()


async def tell(context: Context, caller: Caller, command: c.TellRun) -> c.Done:
    """Steer a run."""
    if not command.text.strip():
        raise UsageError("There is nothing to tell.", "Give a text.")
    run = _unfinished(context, command.run)
    await context.append(caller.name, RunTold(command.text), run=run.id)
    return c.Done()


async def answer_gate(context: Context, caller: Caller, command: c.AnswerGate) -> c.Done:
    """Answer an open gate."""
    run = context.run(command.run)
    gate = run.gates.get(command.gate)
    if gate is None:
        opened = ", ".join(run.gates)
        raise UsageError(
            f"Run {run.id} has no open gate {command.gate}.",
            f"Open are {opened}." if opened else "No gate of it is open; somebody may have answered.",
        )
    if gate.options and command.answer not in gate.options:
        raise UsageError(f"{command.answer!r} is no answer to this gate.", f"Answer {' or '.join(gate.options)}.")
    await context.append(caller.name, GateAnswered(gate.id, command.answer, caller.name), run=run.id)
    return c.Done()


async def get_run(context: Context, caller: Caller, command: c.GetRun) -> RunState:  # noqa: ARG001  # a handler's shape
    """Return a run with all its rows."""
    return await context.hub.full_run(context.run(command.run))


def _unfinished(context: Context, id_: RunId) -> RunState:
    run = context.run(id_)
    if run.status.final:
        raise UsageError(f"Run {run.id} is over: {run.status.replace('_', ' ')}.", "`studio resume` lets it go on.")
    return run
