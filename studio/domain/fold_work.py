"""How the work inside a run changes its state: tasks, model calls, tools, commands, checks."""

from __future__ import annotations

from studio.domain import events as ev
from studio.domain.checks import Outcome
from studio.domain.fold_rows import Handlers, end_row, parent_row, put_note, put_row, step_parent
from studio.domain.models import ReplySource
from studio.domain.state import CheckPoint, Row, RowKind, RowStatus, RunState, Spend

__all__ = ["on_run"]

on_run: Handlers[RunState] = Handlers()


@on_run(ev.TaskStarted)
def _task_started(run: RunState, event: ev.TaskStarted, record: ev.Record) -> None:
    key = f"task:{event.stage}/{event.task}/{event.attempt}"
    put_row(
        run,
        Row(
            key, RowKind.TASK, f"{event.task} {event.title}", RowStatus.RUNNING, f"stage:{event.stage}",
            started=record.at, actor=event.role, seq=record.seq,
        ),
    )  # fmt: skip


@on_run(ev.TaskFinished)
def _task_finished(run: RunState, event: ev.TaskFinished, record: ev.Record) -> None:
    status = RowStatus.REUSED if event.reused else RowStatus.DONE if event.ok else RowStatus.FAILED
    end_row(run, f"task:{event.stage}/{event.task}/{event.attempt}", status, record, event.summary)
    run.spend.saved_usd += event.saved_usd


@on_run(ev.ModelCalled)
def _called(run: RunState, event: ev.ModelCalled, record: ev.Record) -> None:
    again = " (repeated after a crash)" if event.repeated else ""
    put_row(
        run,
        Row(
            f"call:{event.call}", RowKind.CALL, f"{event.role} asks {event.model}{again}", RowStatus.RUNNING,
            parent_row(run, event.stage, event.task, event.attempt), started=record.at, actor=event.role,
            request=event.request, stream=f"call:{event.call}", seq=record.seq,
        ),
    )  # fmt: skip


def _spend(run: RunState, model: str, stage: str) -> list[Spend]:
    return [
        run.spend,
        run.spend_by_model.setdefault(model, Spend()),
        run.spend_by_stage.setdefault(stage, Spend()),
    ]


@on_run(ev.ModelReplied)
def _replied(run: RunState, event: ev.ModelReplied, record: ev.Record) -> None:
    detail = event.source if event.source is not ReplySource.PROVIDER else ""
    if event.mismatch:
        detail += ", recorded for another input"
    row = end_row(run, f"call:{event.call}", RowStatus.DONE, record, detail)
    stage = record.step.split("/")[0] or run.stage
    if row is not None:
        row.tokens = event.usage.prompt + event.usage.completion
        row.cost_usd += event.cost_usd
        row.artifact, row.stream = event.reply, ""
    for spend in _spend(run, event.model, stage):
        spend.calls += 1
        spend.cost_usd += event.cost_usd
        spend.prompt_tokens += event.usage.prompt
        spend.completion_tokens += event.usage.completion
        spend.unpriced_calls += 0 if event.priced else 1


@on_run(ev.ModelFailed)
def _model_failed(run: RunState, event: ev.ModelFailed, record: ev.Record) -> None:
    retry = event.retry_in_s >= 0
    detail = f"{event.error}; again in {event.retry_in_s:.1f} s" if retry else event.error
    row = end_row(run, f"call:{event.call}", RowStatus.RUNNING if retry else RowStatus.FAILED, record, detail)
    if row is not None:
        row.cost_usd += event.cost_usd
    for spend in _spend(run, event.model, record.step.split("/")[0] or run.stage):
        spend.cost_usd += event.cost_usd


@on_run(ev.ToolCalled)
def _tool(run: RunState, event: ev.ToolCalled, record: ev.Record) -> None:
    put_row(
        run,
        Row(
            f"tool:{record.seq}", RowKind.TOOL, f"{event.tool} {event.arguments}"[:200],
            RowStatus.DONE if event.ok else RowStatus.FAILED, step_parent(run, record.step), event.summary,
            record.at - event.duration_ms / 1000, record.at, artifact=event.output, seq=record.seq,
        ),
    )  # fmt: skip


@on_run(ev.EditsApplied)
def _edits(run: RunState, event: ev.EditsApplied, record: ev.Record) -> None:
    paths = list(dict.fromkeys(edit.path for edit in event.applied))
    detail = ", ".join(f"{edit.path} ({edit.match})" for edit in event.applied)
    put_row(
        run,
        Row(
            f"edits:{record.seq}", RowKind.EDITS, f"edited {len(paths)} file{'s' * (len(paths) != 1)}", RowStatus.DONE,
            step_parent(run, record.step), detail, record.at, record.at, seq=record.seq,
        ),
    )  # fmt: skip


@on_run(ev.EditsRefused)
def _refused(run: RunState, event: ev.EditsRefused, record: ev.Record) -> None:
    detail = "; ".join(f"{edit.path}: {edit.reason.splitlines()[0] if edit.reason else ''}" for edit in event.refused)
    put_row(
        run,
        Row(
            f"edits:{record.seq}", RowKind.EDITS, "edits refused", RowStatus.FAILED, step_parent(run, record.step),
            detail, record.at, record.at, seq=record.seq,
        ),
    )  # fmt: skip


@on_run(ev.CommandStarted)
def _command_started(run: RunState, event: ev.CommandStarted, record: ev.Record) -> None:
    put_row(
        run,
        Row(
            f"command:{event.command}", RowKind.COMMAND, " ".join(event.argv), RowStatus.RUNNING,
            step_parent(run, record.step), event.level, record.at, actor=event.by, stream=event.command,
            seq=record.seq,
        ),
    )  # fmt: skip


@on_run(ev.CommandFinished)
def _command_finished(run: RunState, event: ev.CommandFinished, record: ev.Record) -> None:
    ok = event.exit_code == 0 and event.ending == "exited"
    detail = f"exit {event.exit_code}" if event.ending == "exited" else event.ending
    row = end_row(run, f"command:{event.command}", RowStatus.DONE if ok else RowStatus.FAILED, record, detail)
    if row is not None:
        row.artifact, row.stream = event.output, ""


@on_run(ev.CheckStarted)
def _check_started(run: RunState, event: ev.CheckStarted, record: ev.Record) -> None:
    stage = record.step.split("/")[0] or "check"
    put_row(
        run,
        Row(
            f"check:{event.round}/{event.check}", RowKind.CHECK, event.check, RowStatus.RUNNING, f"stage:{stage}",
            started=record.at, seq=record.seq,
        ),
    )  # fmt: skip


_CHECK_STATUS = {
    Outcome.PASSED: RowStatus.DONE,
    Outcome.FAILED: RowStatus.FAILED,
    Outcome.NOT_RUN: RowStatus.SKIPPED,
}


@on_run(ev.CheckFinished)
def _check_finished(run: RunState, event: ev.CheckFinished, record: ev.Record) -> None:
    result = event.result
    run.checks[result.check] = result
    bad = len(result.findings) + sum(1 for test in result.tests if test.outcome is Outcome.FAILED)
    run.trend.append(CheckPoint(event.round, result.check, result.outcome, bad))
    key = f"check:{event.round}/{result.check}"
    if key not in run.row_index:
        stage = record.step.split("/")[0] or "check"
        row = Row(key, RowKind.CHECK, result.check, RowStatus.RUNNING, f"stage:{stage}", started=record.at)
        row.seq = record.seq
        put_row(run, row)
    row = end_row(run, key, _CHECK_STATUS[result.outcome], record, result.reason or result.summary)
    if row is not None:
        row.artifact = result.output


@on_run(ev.CheckWaived)
def _waived(run: RunState, event: ev.CheckWaived, record: ev.Record) -> None:
    run.waived[event.check] = f"{record.actor}: {event.reason}"


@on_run(ev.RepairStopped)
def _repair_stopped(run: RunState, event: ev.RepairStopped, record: ev.Record) -> None:
    put_note(run, record, f"repair ended: {event.why}", f"{event.rounds} rounds", "stage:repair")


@on_run(ev.ProgramRan)
def _ran(run: RunState, event: ev.ProgramRan, record: ev.Record) -> None:
    put_note(run, record, f"program {event.outcome}", event.detail, "stage:run")
