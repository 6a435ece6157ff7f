"""The fold: same records, same state, wherever one begins."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.domain import events as ev
from studio.domain.changes import Decision, Verdict
from studio.domain.checks import CheckResult, Finding, Level, Outcome
from studio.domain.fold import apply, fold
from studio.domain.ids import ArtifactId, BriefName, GateId, HunkId, RunId, TaskId
from studio.domain.models import ReplySource, Usage
from studio.domain.runs import Gate, RunOptions, RunStatus
from studio.domain.stages import Depth, Stage
from studio.domain.state import RowStatus, RunState, StudioState
from studio.domain.value import decode, encode
from tests.fakes.any_value import any_value

RUN = RunId("r-1")
REQUESTED = ev.RunRequested(BriefName("b"), "rev", ArtifactId("a" * 40), RunOptions("m"))


def records(*events: ev.Event, step: str = "build/T1/1") -> list[ev.Record]:
    return [ev.Record(seq, 100.0 + seq, event, RUN, step, seq, "ada") for seq, event in enumerate(events, 1)]


def run_after(*events: ev.Event, step: str = "build/T1/1") -> RunState:
    return fold(records(REQUESTED, *events, step=step)).runs[RUN]


def any_event() -> st.SearchStrategy[Any]:
    return st.one_of(*(any_value(kind) for kind in ev.EVENT_KINDS.values()), any_value(ev.UnknownEvent))


@st.composite
def histories(draw: st.DrawFn) -> list[ev.Record]:
    drawn = draw(st.lists(st.tuples(any_event(), st.sampled_from(["r-1", "r-1", "r-2", ""])), max_size=12))
    steps = st.sampled_from(["", "build", "build/T1/1", "check/0/ruff", "build/T1/x/y"])
    first = ev.Record(1, 1.0, REQUESTED, RUN)
    return [
        first,
        *(ev.Record(n, float(n), event, RunId(run), draw(steps), n, "w") for n, (event, run) in enumerate(drawn, 2)),
    ]


@settings(max_examples=100)
@given(history=histories(), data=st.data())
def test_a_snapshot_and_the_tail_give_what_the_whole_log_gives(history: list[ev.Record], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(history)))
    whole = fold(history)
    snapshot = decode(encode(fold(history[:at])), StudioState)
    assert fold(history[at:], snapshot) == whole
    assert whole.seq == len(history)


@settings(max_examples=50)
@given(history=histories())
def test_a_record_is_folded_once(history: list[ev.Record]) -> None:
    state = fold(history)
    before = encode(state)
    assert encode(fold(history, state)) == before


@pytest.mark.parametrize("kind", sorted(ev.EVENT_KINDS))
@settings(max_examples=5)
@given(data=st.data())
def test_an_event_of_a_run_nobody_requested_is_passed_over(kind: str, data: st.DataObject) -> None:
    event = data.draw(any_value(ev.EVENT_KINDS[kind]))
    state = apply(StudioState(), ev.Record(1, 1.0, event, RunId("r-9"), "build", 0, "w"))
    assert state.seq == 1
    assert set(state.runs) <= {RunId("r-9")}


def test_unknown_events_are_counted() -> None:
    assert fold(records(ev.UnknownEvent("quantum.leapt"), ev.UnknownEvent("run.told", erased=True))).unknown == 2


def test_a_run_goes_from_queued_to_ready() -> None:
    assert run_after().status is RunStatus.QUEUED
    started = ev.RunStarted(Depth.QUICK, "m", "bubblewrap", worker="worker-1")
    run = run_after(started, ev.StageStarted(Stage.BUILD))
    assert (run.status, run.stage, run.worker) == (RunStatus.RUNNING, "build", "worker-1")
    run = run_after(started, ev.StageStarted(Stage.BUILD), ev.RunFinished(RunStatus.READY, "done"))
    assert (run.status, run.stage, run.finished) == (RunStatus.READY, "", 104.0)
    assert [row.status for row in run.rows] == [RowStatus.SKIPPED]


def test_a_gate_makes_a_run_wait_until_it_is_answered() -> None:
    gate = Gate(GateId("g1"), "question", "Which?")
    started = ev.RunStarted(Depth.QUICK, "m", "")
    waiting = run_after(started, ev.GateOpened(gate))
    assert (waiting.status, list(waiting.gates)) == (RunStatus.WAITING, ["g1"])
    resumed = run_after(started, ev.GateOpened(gate), ev.RunResumed("worker-2"))
    assert resumed.status is RunStatus.WAITING
    answered = run_after(started, ev.GateOpened(gate), ev.GateAnswered(gate.id, "this", "ada"))
    assert (answered.status, answered.gates) == (RunStatus.RUNNING, {})
    assert answered.rows[-1].detail == "ada: this"


def test_what_a_reply_cost_is_summed_by_model_and_stage() -> None:
    called = ev.ModelCalled("c1", "m", "builder", "build", TaskId("T1"))
    replied = ev.ModelReplied("c1", "m", ReplySource.PROVIDER, Usage(10, 5), 0.25, 100, ArtifactId("b" * 40))
    run = run_after(ev.TaskStarted(TaskId("T1"), "title", "builder"), called, replied)
    assert (run.spend.cost_usd, run.spend.tokens, run.spend.calls) == (0.25, 15, 1)
    assert run.spend_by_model["m"] == run.spend_by_stage["build"] == run.spend
    call = run.rows[run.row_index["call:c1"]]
    assert (call.status, call.parent, call.tokens, call.stream) == (RowStatus.DONE, "task:build/T1/1", 15, "")


def test_a_call_that_is_tried_again_keeps_its_row() -> None:
    called = ev.ModelCalled("c1", "m", "builder", "build")
    run = run_after(called, ev.ModelFailed("c1", "m", "429", 2.0), called)
    assert [row.key for row in run.rows] == ["call:c1"]
    assert (run.rows[0].seq, run.rows[0].started) == (2, 102.0)
    failed = run_after(called, ev.ModelFailed("c1", "m", "500"))
    assert failed.rows[0].status is RowStatus.FAILED


def test_the_latest_result_of_a_check_counts_and_the_trend_keeps_all() -> None:
    finding = Finding("ruff", "E1", Level.ERROR, "bad")
    bad = CheckResult("ruff", Outcome.FAILED, "t1", findings=(finding,))
    good = CheckResult("ruff", Outcome.PASSED, "t2")
    run = run_after(ev.CheckStarted("ruff", 0, "t1"), ev.CheckFinished(bad, 0), ev.CheckFinished(good, 1))
    assert run.checks["ruff"] == good
    assert [(point.round, point.findings) for point in run.trend] == [(0, 1), (1, 0)]
    assert [row.status for row in run.rows] == [RowStatus.FAILED, RowStatus.DONE]


def test_a_new_change_set_forgets_decisions_about_the_old() -> None:
    proposed = ev.ChangeSetProposed(ArtifactId("c" * 40), 1, 1, 2, 0, "t", "b", "h")
    decided = ev.HunkDecided(Decision(HunkId("h-1"), Verdict.ACCEPTED))
    assert list(run_after(proposed, decided).decisions) == ["h-1"]
    assert run_after(proposed, decided, proposed).decisions == {}


def test_participants_come_and_go() -> None:
    joined = ev.ParticipantJoined("p1", "Ada")
    assert fold(records(joined)).participants["p1"].name == "Ada"
    assert fold(records(joined, ev.ParticipantLeft("p1"), ev.ParticipantLeft("p1"))).participants == {}


def test_a_worker_that_starts_again_is_counted() -> None:
    state = fold(records(ev.WorkerStarted("w", 1), ev.WorkerStopped("w", -9, 0.5), ev.WorkerStarted("w", 2)))
    assert (state.workers["w"].restarts, state.workers["w"].alive, state.workers["w"].pid) == (1, True, 2)


def test_a_brief_keeps_each_revision_once() -> None:
    saved = ev.BriefSaved(BriefName("b"), "rev1", ArtifactId("a" * 40), "Title")
    state = fold(records(saved, saved, ev.BriefSaved(BriefName("b"), "rev2", ArtifactId("b" * 40))))
    assert [revision for revision, *_ in state.briefs[BriefName("b")].revisions] == ["rev1", "rev2"]


def test_a_cancelled_run_can_be_resumed() -> None:
    cancelled = run_after(ev.RunCancelRequested(), ev.RunFinished(RunStatus.CANCELLED))
    assert (cancelled.cancel_requested, cancelled.status) == (True, RunStatus.CANCELLED)
    resumed = run_after(ev.RunCancelRequested(), ev.RunFinished(RunStatus.CANCELLED), ev.RunResumeRequested())
    assert (resumed.cancel_requested, resumed.status, resumed.finished) == (False, RunStatus.QUEUED, 0.0)
