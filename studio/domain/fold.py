"""The fold: records in, state out. Deterministic, without clock, I/O or randomness; host and clients share it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from studio.domain import events as ev
from studio.domain.checks import Outcome
from studio.domain.models import ReplySource
from studio.domain.runs import RunStatus
from studio.domain.state import (
    BriefState,
    CheckPoint,
    DecisionState,
    Participant,
    Row,
    RowKind,
    RowStatus,
    RunState,
    Spend,
    StudioState,
    WorkerState,
)

__all__ = ["apply", "fold"]

E = TypeVar("E")
OnRun = Callable[[RunState, Any, ev.Record], None]
OnStudio = Callable[[StudioState, Any, ev.Record], None]

_on_run: dict[type, OnRun] = {}
_on_studio: dict[type, OnStudio] = {}


def apply(state: StudioState, record: ev.Record) -> StudioState:
    """Fold one record into `state`, which is changed and returned. A record already folded in changes nothing."""
    if record.seq <= state.seq:
        return state
    state.seq, state.at = record.seq, record.at
    kind = type(record.event)
    if kind is ev.UnknownEvent:
        state.unknown += 1
    elif kind in _on_studio:
        _on_studio[kind](state, record.event, record)
    elif kind in _on_run and record.run in state.runs:
        _on_run[kind](state.runs[record.run], record.event, record)
    return state


def fold(records: Iterable[ev.Record], state: StudioState | None = None) -> StudioState:
    """Fold records, in order, into `state` (a new one if None)."""
    result = StudioState() if state is None else state
    for record in records:
        apply(result, record)
    return result


def _run(kind: type[E]) -> Callable[[Callable[[RunState, E, ev.Record], None]], None]:
    def register(handler: Callable[[RunState, E, ev.Record], None]) -> None:
        _on_run[kind] = handler

    return register


def _studio(kind: type[E]) -> Callable[[Callable[[StudioState, E, ev.Record], None]], None]:
    def register(handler: Callable[[StudioState, E, ev.Record], None]) -> None:
        _on_studio[kind] = handler

    return register


def _put(run: RunState, row: Row) -> None:
    """Add a row, or replace the one with its key while keeping where and when that one began."""
    at = run.row_index.get(row.key)
    if at is None:
        run.row_index[row.key] = len(run.rows)
        run.rows.append(row)
    else:
        row.seq, row.started = run.rows[at].seq, run.rows[at].started
        run.rows[at] = row


def _end(run: RunState, key: str, status: RowStatus, record: ev.Record, detail: str = "") -> Row | None:
    at = run.row_index.get(key)
    if at is None:
        return None
    row = run.rows[at]
    row.status, row.finished = status, record.at
    row.detail = detail or row.detail
    return row


def _parent(run: RunState, stage: str, task: str, attempt: int) -> str:
    key = f"task:{stage}/{task}/{attempt}"
    return key if task and key in run.row_index else f"stage:{stage}"


def _step_parent(run: RunState, step: str) -> str:
    """Return the key of the row a step's events belong under: its task's, else its stage's."""
    parts = step.split("/")
    stage = parts[0]
    task = parts[1] if len(parts) > 1 else ""
    attempt = int(parts[2]) if len(parts) > 2 and parts[2].isdigit() else 1  # noqa: PLR2004
    return _parent(run, stage, task, attempt)


@_studio(ev.ParticipantJoined)
def _joined(state: StudioState, event: ev.ParticipantJoined, record: ev.Record) -> None:
    state.participants[event.participant] = Participant(event.participant, event.name, event.role, record.at)


@_studio(ev.ParticipantLeft)
def _left(state: StudioState, event: ev.ParticipantLeft, record: ev.Record) -> None:  # noqa: ARG001
    state.participants.pop(event.participant, None)


@_studio(ev.BriefSaved)
def _saved(state: StudioState, event: ev.BriefSaved, record: ev.Record) -> None:
    brief = state.briefs.setdefault(event.brief, BriefState(event.brief))
    brief.title = event.title
    if not brief.revisions or brief.revisions[-1][0] != event.revision:
        brief.revisions.append((event.revision, event.text, record.actor, record.at))


@_studio(ev.RunRequested)
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


@_studio(ev.WorkerStarted)
def _worker_started(state: StudioState, event: ev.WorkerStarted, record: ev.Record) -> None:  # noqa: ARG001
    known = state.workers.get(event.worker)
    restarts = known.restarts + 1 if known else 0
    state.workers[event.worker] = WorkerState(event.worker, event.pid, alive=True, restarts=restarts)


@_studio(ev.WorkerStopped)
def _worker_stopped(state: StudioState, event: ev.WorkerStopped, record: ev.Record) -> None:  # noqa: ARG001
    worker = state.workers.setdefault(event.worker, WorkerState(event.worker))
    worker.alive, worker.exit_code, worker.restart_in_s = False, event.exit_code, event.restart_in_s


@_run(ev.RunStarted)
def _started(run: RunState, event: ev.RunStarted, record: ev.Record) -> None:  # noqa: ARG001
    run.status = RunStatus.RUNNING
    run.depth, run.model, run.worker = event.depth, event.model, event.worker
    run.sandbox, run.sandbox_detail = event.sandbox, event.sandbox_detail


@_run(ev.RunResumed)
def _resumed(run: RunState, event: ev.RunResumed, record: ev.Record) -> None:
    run.worker = event.worker
    if not run.gates:
        run.status = RunStatus.RUNNING
    _note(run, record, f"resumed by {event.worker}")


def _note(run: RunState, record: ev.Record, title: str, detail: str = "", parent: str = "") -> None:
    _put(
        run,
        Row(
            f"note:{record.seq}", RowKind.NOTE, title, RowStatus.DONE, parent, detail, record.at, record.at,
            actor=record.actor, seq=record.seq,
        ),
    )  # fmt: skip


@_run(ev.StageStarted)
def _stage_started(run: RunState, event: ev.StageStarted, record: ev.Record) -> None:
    run.stage = event.stage
    row = Row(f"stage:{event.stage}", RowKind.STAGE, event.stage, RowStatus.RUNNING, started=record.at, seq=record.seq)
    _put(run, row)


@_run(ev.StageFinished)
def _stage_finished(run: RunState, event: ev.StageFinished, record: ev.Record) -> None:
    status = RowStatus.REUSED if event.reused else RowStatus.DONE if event.ok else RowStatus.FAILED
    row = _end(run, f"stage:{event.stage}", status, record, event.summary)
    if row is not None:
        row.artifact = event.result
    run.spend.saved_usd += event.saved_usd


@_run(ev.StageSkipped)
def _stage_skipped(run: RunState, event: ev.StageSkipped, record: ev.Record) -> None:
    key = f"stage:{event.stage}"
    _put(
        run,
        Row(
            key, RowKind.STAGE, event.stage, RowStatus.SKIPPED, detail=event.reason, started=record.at,
            finished=record.at, seq=record.seq,
        ),
    )  # fmt: skip


@_run(ev.RequirementsWritten)
def _requirements(run: RunState, event: ev.RequirementsWritten, record: ev.Record) -> None:  # noqa: ARG001
    run.requirements, run.questions = event.requirements, event.questions


@_run(ev.PlanWritten)
def _plan(run: RunState, event: ev.PlanWritten, record: ev.Record) -> None:  # noqa: ARG001
    run.plan = event.plan


@_run(ev.TaskStarted)
def _task_started(run: RunState, event: ev.TaskStarted, record: ev.Record) -> None:
    key = f"task:{event.stage}/{event.task}/{event.attempt}"
    _put(
        run,
        Row(
            key, RowKind.TASK, f"{event.task} {event.title}", RowStatus.RUNNING, f"stage:{event.stage}",
            started=record.at, actor=event.role, seq=record.seq,
        ),
    )  # fmt: skip


@_run(ev.TaskFinished)
def _task_finished(run: RunState, event: ev.TaskFinished, record: ev.Record) -> None:
    status = RowStatus.REUSED if event.reused else RowStatus.DONE if event.ok else RowStatus.FAILED
    _end(run, f"task:{event.stage}/{event.task}/{event.attempt}", status, record, event.summary)
    run.spend.saved_usd += event.saved_usd


@_run(ev.ModelCalled)
def _called(run: RunState, event: ev.ModelCalled, record: ev.Record) -> None:
    again = " (repeated after a crash)" if event.repeated else ""
    _put(
        run,
        Row(
            f"call:{event.call}", RowKind.CALL, f"{event.role} asks {event.model}{again}", RowStatus.RUNNING,
            _parent(run, event.stage, event.task, event.attempt), started=record.at, actor=event.role,
            request=event.request, stream=f"call:{event.call}", seq=record.seq,
        ),
    )  # fmt: skip


def _spend(run: RunState, model: str, stage: str) -> list[Spend]:
    return [
        run.spend,
        run.spend_by_model.setdefault(model, Spend()),
        run.spend_by_stage.setdefault(stage, Spend()),
    ]


@_run(ev.ModelReplied)
def _replied(run: RunState, event: ev.ModelReplied, record: ev.Record) -> None:
    detail = event.source if event.source is not ReplySource.PROVIDER else ""
    if event.mismatch:
        detail += ", recorded for another input"
    row = _end(run, f"call:{event.call}", RowStatus.DONE, record, detail)
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


@_run(ev.ModelFailed)
def _model_failed(run: RunState, event: ev.ModelFailed, record: ev.Record) -> None:
    retry = event.retry_in_s >= 0
    detail = f"{event.error}; again in {event.retry_in_s:.1f} s" if retry else event.error
    row = _end(run, f"call:{event.call}", RowStatus.RUNNING if retry else RowStatus.FAILED, record, detail)
    if row is not None:
        row.cost_usd += event.cost_usd
    for spend in _spend(run, event.model, record.step.split("/")[0] or run.stage):
        spend.cost_usd += event.cost_usd


@_run(ev.ToolCalled)
def _tool(run: RunState, event: ev.ToolCalled, record: ev.Record) -> None:
    _put(
        run,
        Row(
            f"tool:{record.seq}", RowKind.TOOL, f"{event.tool} {event.arguments}"[:200],
            RowStatus.DONE if event.ok else RowStatus.FAILED, _step_parent(run, record.step), event.summary,
            record.at - event.duration_ms / 1000, record.at, artifact=event.output, seq=record.seq,
        ),
    )  # fmt: skip


@_run(ev.EditsApplied)
def _edits(run: RunState, event: ev.EditsApplied, record: ev.Record) -> None:
    paths = list(dict.fromkeys(edit.path for edit in event.applied))
    detail = ", ".join(f"{edit.path} ({edit.match})" for edit in event.applied)
    _put(
        run,
        Row(
            f"edits:{record.seq}", RowKind.EDITS, f"edited {len(paths)} file{'s' * (len(paths) != 1)}", RowStatus.DONE,
            _step_parent(run, record.step), detail, record.at, record.at, seq=record.seq,
        ),
    )  # fmt: skip


@_run(ev.EditsRefused)
def _refused(run: RunState, event: ev.EditsRefused, record: ev.Record) -> None:
    detail = "; ".join(f"{edit.path}: {edit.reason.splitlines()[0] if edit.reason else ''}" for edit in event.refused)
    _put(
        run,
        Row(
            f"edits:{record.seq}", RowKind.EDITS, "edits refused", RowStatus.FAILED, _step_parent(run, record.step),
            detail, record.at, record.at, seq=record.seq,
        ),
    )  # fmt: skip


@_run(ev.CommandStarted)
def _command_started(run: RunState, event: ev.CommandStarted, record: ev.Record) -> None:
    _put(
        run,
        Row(
            f"command:{event.command}", RowKind.COMMAND, " ".join(event.argv), RowStatus.RUNNING,
            _step_parent(run, record.step), event.level, record.at, actor=event.by, stream=event.command,
            seq=record.seq,
        ),
    )  # fmt: skip


@_run(ev.CommandFinished)
def _command_finished(run: RunState, event: ev.CommandFinished, record: ev.Record) -> None:
    ok = event.exit_code == 0 and event.ending == "exited"
    detail = f"exit {event.exit_code}" if event.ending == "exited" else event.ending
    row = _end(run, f"command:{event.command}", RowStatus.DONE if ok else RowStatus.FAILED, record, detail)
    if row is not None:
        row.artifact, row.stream = event.output, ""


@_run(ev.CheckStarted)
def _check_started(run: RunState, event: ev.CheckStarted, record: ev.Record) -> None:
    stage = record.step.split("/")[0] or "check"
    _put(
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


@_run(ev.CheckFinished)
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
        _put(run, row)
    row = _end(run, key, _CHECK_STATUS[result.outcome], record, result.reason or result.summary)
    if row is not None:
        row.artifact = result.output


@_run(ev.CheckWaived)
def _waived(run: RunState, event: ev.CheckWaived, record: ev.Record) -> None:
    run.waived[event.check] = f"{record.actor}: {event.reason}"


@_run(ev.RepairStopped)
def _repair_stopped(run: RunState, event: ev.RepairStopped, record: ev.Record) -> None:
    _note(run, record, f"repair ended: {event.why}", f"{event.rounds} rounds", "stage:repair")


@_run(ev.ProgramRan)
def _ran(run: RunState, event: ev.ProgramRan, record: ev.Record) -> None:
    _note(run, record, f"program {event.outcome}", event.detail, "stage:run")


@_run(ev.GateOpened)
def _gate_opened(run: RunState, event: ev.GateOpened, record: ev.Record) -> None:
    run.gates[event.gate.id] = event.gate
    run.status = RunStatus.WAITING
    _put(
        run,
        Row(
            f"gate:{event.gate.id}", RowKind.GATE, event.gate.text, RowStatus.WAITING, _step_parent(run, record.step),
            started=record.at, seq=record.seq,
        ),
    )  # fmt: skip


@_run(ev.GateAnswered)
def _gate_answered(run: RunState, event: ev.GateAnswered, record: ev.Record) -> None:
    run.gates.pop(event.gate, None)
    if run.status is RunStatus.WAITING and not run.gates:
        run.status = RunStatus.RUNNING
    _end(run, f"gate:{event.gate}", RowStatus.DONE, record, f"{event.by}: {event.answer}")


@_run(ev.RemarkMade)
def _remark(run: RunState, event: ev.RemarkMade, record: ev.Record) -> None:  # noqa: ARG001
    run.remarks.append(event.remark)


@_run(ev.RunTold)
def _told(run: RunState, event: ev.RunTold, record: ev.Record) -> None:
    run.told.append(event.text)
    _note(run, record, f"{record.actor} said", event.text)


@_run(ev.ChangeSetProposed)
def _proposed(run: RunState, event: ev.ChangeSetProposed, record: ev.Record) -> None:  # noqa: ARG001
    run.changeset, run.files, run.hunks = event.changeset, event.files, event.hunks
    run.added, run.removed = event.added, event.removed
    run.changed_tree, run.changed_head = event.tree, event.head
    run.confidence = event.confidence
    run.decisions, run.subset = {}, None


@_run(ev.RunCancelRequested)
def _cancel(run: RunState, event: ev.RunCancelRequested, record: ev.Record) -> None:  # noqa: ARG001
    run.cancel_requested = True
    _note(run, record, f"{record.actor} cancelled")


@_run(ev.RunResumeRequested)
def _resume(run: RunState, event: ev.RunResumeRequested, record: ev.Record) -> None:  # noqa: ARG001
    run.cancel_requested, run.status, run.finished = False, RunStatus.QUEUED, 0.0
    _note(run, record, f"{record.actor} resumed")


@_run(ev.RunFinished)
def _finished(run: RunState, event: ev.RunFinished, record: ev.Record) -> None:
    run.status, run.summary, run.exit_code = event.status, event.summary, event.exit_code
    run.finished, run.stage = record.at, ""
    run.gates = {}
    for row in run.rows:
        if row.status in {RowStatus.RUNNING, RowStatus.WAITING}:
            row.status, row.finished, row.stream = RowStatus.SKIPPED, record.at, ""


@_run(ev.HunkDecided)
def _decided(run: RunState, event: ev.HunkDecided, record: ev.Record) -> None:
    run.decisions[event.decision.hunk] = DecisionState(event.decision, record.actor, record.at)


@_run(ev.SubsetChecked)
def _subset(run: RunState, event: ev.SubsetChecked, record: ev.Record) -> None:  # noqa: ARG001
    run.subset = event.verdict


@_run(ev.ChangesLanded)
def _landed(run: RunState, event: ev.ChangesLanded, record: ev.Record) -> None:
    run.landings.append(event.landing)
    verb = "undone" if event.landing.undoes else "landed"
    _note(run, record, f"{record.actor} {verb} {len(event.landing.files)} files", event.landing.id)


@_run(ev.LandingFailed)
def _landing_failed(run: RunState, event: ev.LandingFailed, record: ev.Record) -> None:
    _note(run, record, "nothing landed", event.what)
