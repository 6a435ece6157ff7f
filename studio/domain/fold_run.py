"""How a run's own events change its state: its life, stages, gates and proposal."""

from __future__ import annotations

from studio.domain import events as ev
from studio.domain.fold_rows import Handlers, end_row, put_note, put_row, step_parent
from studio.domain.runs import RunStatus
from studio.domain.state import Row, RowKind, RowStatus, RunState, StudioState

__all__ = ["on_run", "on_studio"]

on_run: Handlers[RunState] = Handlers()
on_studio: Handlers[StudioState] = Handlers()


@on_studio(ev.RunRequested)
def _requested(state: StudioState, event: ev.RunRequested, record: ev.Record) -> None:
    state.runs[record.run] = RunState(
        id=record.run,
        brief=event.brief,
        revision=event.revision,
        options=event.options,
        title=event.title,
        text=event.text,
        requested_by=record.actor,
        requested=record.at,
        base=event.base,
        base_tree=event.base_tree,
        head=event.head,
        branch=event.branch,
        left_out=event.left_out,
    )


@on_run(ev.RunStarted)
def _started(run: RunState, event: ev.RunStarted, record: ev.Record) -> None:  # noqa: ARG001
    run.status = RunStatus.RUNNING
    run.depth, run.model, run.worker = event.depth, event.model, event.worker
    run.sandbox, run.sandbox_detail = event.sandbox, event.sandbox_detail


@on_run(ev.RunResumed)
def _resumed(run: RunState, event: ev.RunResumed, record: ev.Record) -> None:
    run.worker = event.worker
    if not run.gates:
        run.status = RunStatus.RUNNING
    put_note(run, record, f"resumed by {event.worker}")


@on_run(ev.StageStarted)
def _stage_started(run: RunState, event: ev.StageStarted, record: ev.Record) -> None:
    run.stage = event.stage
    row = Row(f"stage:{event.stage}", RowKind.STAGE, event.stage, RowStatus.RUNNING, started=record.at, seq=record.seq)
    put_row(run, row)


@on_run(ev.StageFinished)
def _stage_finished(run: RunState, event: ev.StageFinished, record: ev.Record) -> None:
    status = RowStatus.REUSED if event.reused else RowStatus.DONE if event.ok else RowStatus.FAILED
    row = end_row(run, f"stage:{event.stage}", status, record, event.summary)
    if row is not None:
        row.artifact = event.result
    run.spend.saved_usd += event.saved_usd


@on_run(ev.StageSkipped)
def _stage_skipped(run: RunState, event: ev.StageSkipped, record: ev.Record) -> None:
    key = f"stage:{event.stage}"
    put_row(
        run,
        Row(
            key, RowKind.STAGE, event.stage, RowStatus.SKIPPED, detail=event.reason, started=record.at,
            finished=record.at, seq=record.seq,
        ),
    )  # fmt: skip


@on_run(ev.RequirementsWritten)
def _requirements(run: RunState, event: ev.RequirementsWritten, record: ev.Record) -> None:  # noqa: ARG001
    run.requirements, run.questions = event.requirements, event.questions


@on_run(ev.PlanWritten)
def _plan(run: RunState, event: ev.PlanWritten, record: ev.Record) -> None:  # noqa: ARG001
    run.plan = event.plan


@on_run(ev.GateOpened)
def _gate_opened(run: RunState, event: ev.GateOpened, record: ev.Record) -> None:
    run.gates[event.gate.id] = event.gate
    run.status = RunStatus.WAITING
    put_row(
        run,
        Row(
            f"gate:{event.gate.id}", RowKind.GATE, event.gate.text, RowStatus.WAITING, step_parent(run, record.step),
            started=record.at, seq=record.seq,
        ),
    )  # fmt: skip


@on_run(ev.GateAnswered)
def _gate_answered(run: RunState, event: ev.GateAnswered, record: ev.Record) -> None:
    run.gates.pop(event.gate, None)
    if run.status is RunStatus.WAITING and not run.gates:
        run.status = RunStatus.RUNNING
    end_row(run, f"gate:{event.gate}", RowStatus.DONE, record, f"{event.by}: {event.answer}")


@on_run(ev.RemarkMade)
def _remark(run: RunState, event: ev.RemarkMade, record: ev.Record) -> None:  # noqa: ARG001
    run.remarks.append(event.remark)


@on_run(ev.RunTold)
def _told(run: RunState, event: ev.RunTold, record: ev.Record) -> None:
    run.told.append(event.text)
    put_note(run, record, f"{record.actor} said", event.text)


@on_run(ev.ChangeSetProposed)
def _proposed(run: RunState, event: ev.ChangeSetProposed, record: ev.Record) -> None:  # noqa: ARG001
    run.changeset, run.files, run.hunks = event.changeset, event.files, event.hunks
    run.added, run.removed = event.added, event.removed
    run.changed_tree, run.changed_head = event.tree, event.head
    run.confidence = event.confidence
    run.decisions, run.subset = {}, None


@on_run(ev.RunCancelRequested)
def _cancel(run: RunState, event: ev.RunCancelRequested, record: ev.Record) -> None:  # noqa: ARG001
    run.cancel_requested = True
    put_note(run, record, f"{record.actor} cancelled")


@on_run(ev.RunResumeRequested)
def _resume(run: RunState, event: ev.RunResumeRequested, record: ev.Record) -> None:  # noqa: ARG001
    run.cancel_requested, run.status, run.finished = False, RunStatus.QUEUED, 0.0
    put_note(run, record, f"{record.actor} resumed")


@on_run(ev.RunFinished)
def _finished(run: RunState, event: ev.RunFinished, record: ev.Record) -> None:
    run.status, run.summary, run.exit_code = event.status, event.summary, event.exit_code
    run.finished, run.stage = record.at, ""
    run.gates = {}
    for row in run.rows:
        if row.status in {RowStatus.RUNNING, RowStatus.WAITING}:
            row.status, row.finished, row.stream = RowStatus.SKIPPED, record.at, ""
