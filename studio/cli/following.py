"""Following a run on a plain terminal or a pipe: progress to standard error, the result to standard output."""

from __future__ import annotations

import sys

from studio.cli.asking import GateDesk
from studio.cli.common import OUTCOME_MARKS, note, plain, print_json
from studio.domain import events as ev
from studio.domain.checks import Outcome
from studio.domain.ids import RunId
from studio.domain.runs import OnGate
from studio.domain.state import RowKind, RowStatus, RunState
from studio.protocol.client import HostClient
from studio.protocol.commands import GetRun, ReadEvents
from studio.protocol.messages import Happened, WireRecord, wire

__all__ = ["Progress", "follow_run", "print_summary"]

_SKIPPED = OUTCOME_MARKS[Outcome.NOT_RUN]


class Progress:
    """Says what happens, a line an event that a person wants to know of; with `json`, every event to standard output."""

    def __init__(self, *, json: bool = False) -> None:
        self._json = json

    def show(self, item: WireRecord, record: ev.Record) -> None:
        """Show a record of the run."""
        if self._json:
            if record.event.__struct_config__.tag != "run.finished":
                print_json(item)
            return
        line = _line(record)
        if line:
            note(line)


def _line(record: ev.Record) -> str:  # noqa: C901, PLR0911, PLR0912 -- one line of text an event: a table in the shape of a match
    match record.event:
        case ev.RunStarted(depth, model, sandbox):
            return f"  {depth} depth · model {model} · sandbox {sandbox or 'none'}"
        case ev.StageStarted(stage):
            return f"▸ {stage}"
        case ev.StageFinished(stage, reused=True, summary=summary):
            return f"  {stage}: reused · {summary}"
        case ev.StageFinished(stage, summary=summary) if summary:
            return f"  {stage}: {summary}"
        case ev.StageSkipped(stage, reason):
            return f"{_SKIPPED} {stage}: not run · {reason}"
        case ev.TaskStarted(task, title, role):
            return f"  {task} {title} ({role})"
        case ev.TaskFinished(task, ok, summary, reused):
            state = "reused" if reused else "done" if ok else "given up"
            return f"  {task} {state} · {summary}"
        case ev.ModelFailed(model=model, error=error):
            return f"  ! {model}: {error}"
        case ev.ModelReplied(mismatch=True):
            return "  ! this replayed reply was recorded for another input"
        case ev.EditsRefused(refused=refused):
            return f"  ✗ {len(refused)} edits refused: {', '.join(edit.path for edit in refused)}"
        case ev.CheckFinished(result):
            return (
                f"  {OUTCOME_MARKS[result.outcome]} {result.check}: {result.reason or result.summary or result.outcome}"
            )
        case ev.RepairStopped(why, rounds):
            return f"  repair ended after {rounds} rounds: {why}"
        case ev.ProgramRan(outcome, detail):
            return f"  program {outcome} · {detail}"
        case ev.GateOpened(gate):
            return f"? {gate.id}: {gate.text} [{'/'.join(gate.options) or 'any answer'}]"
        case ev.GateAnswered(gate, answer, by):
            return f"  {gate} answered by {by}: {answer}"
        case ev.RunResumed(worker):
            return f"  resumed by {worker}"
        case _:
            return ""


async def follow_run(client: HostClient, run: RunId, progress: Progress, *, after: int = 0) -> RunState:
    """Show a run's records after sequence number `after` until it has ended, and return its state.

    On a terminal, gates are asked for there if the run waits for answers.
    """
    state = await client.ask(GetRun(run))
    viewer = _Viewer(progress, GateDesk(client, run))
    while records := (await client.ask(ReadEvents(run, after))).records:
        for record in records:
            viewer.take(wire(record), record)
        after = records[-1].seq
    if state.options.on_gate is OnGate.WAIT and sys.stdin.isatty():
        viewer.desk.open()
    try:
        if not viewer.ended and not state.status.final:
            await _tail(client, run, viewer, after)
    finally:
        viewer.desk.close()
    return await client.ask(GetRun(run))


class _Viewer:
    """Where a run's records go, and whether the run has ended."""

    def __init__(self, progress: Progress, desk: GateDesk) -> None:
        self.progress = progress
        self.desk = desk
        self.ended = False

    def take(self, item: WireRecord, record: ev.Record) -> None:
        self.progress.show(item, record)
        self.desk.note(record.event)
        if isinstance(record.event, ev.RunFinished | ev.RunResumeRequested):
            self.ended = isinstance(record.event, ev.RunFinished)


async def _tail(client: HostClient, run: RunId, viewer: _Viewer, after: int) -> None:
    async for event in client.follow(after, streams=False):
        if isinstance(event, Happened):
            for item in event.records:
                if item.run == run:
                    viewer.take(item, item.record())
        if viewer.ended:
            return


def print_summary(state: RunState, *, rows: bool = False) -> None:
    """Print a run for people."""
    print(plain(f"{state.id}  {state.title or state.brief}: {state.status}. {state.summary}"))
    model = state.model or state.options.model
    print(
        plain(
            f"  model {model} · {state.spend.calls} calls · {state.spend.tokens} tokens · US$ {state.spend.cost_usd:.4f}"
        )
    )
    if state.sandbox_detail or state.sandbox:
        print(plain(f"  sandbox {state.sandbox or 'none'}"))
    for name, result in state.checks.items():
        said = result.reason or result.summary or str(result.outcome)
        print(plain(f"  {OUTCOME_MARKS[result.outcome]} {name}: {said}"))
    if state.confidence:
        print(plain(f"  confidence {state.confidence.value:.0%} ({'; '.join(state.confidence.reasons)})"))
    if rows:
        _print_rows(state)
    if state.changeset:
        print(f"  {state.hunks} hunks in {state.files} files: studio changes {state.id}")


def _print_rows(state: RunState) -> None:
    marks = {RowStatus.DONE: "✓", RowStatus.FAILED: "✗", RowStatus.REUSED: "↺", RowStatus.SKIPPED: _SKIPPED}
    depth = {"": 0}
    for row in state.rows:
        depth[row.key] = depth.get(row.parent, 0) + 1
        seconds = f" {row.finished - row.started:.1f} s" if row.finished and row.kind is not RowKind.NOTE else ""
        detail = f" · {row.detail}" if row.detail else ""
        print(plain(f"{'  ' * depth[row.key]}{marks.get(row.status, '…')} {row.title}{detail}{seconds}"[:200]))
