"""What the panes say, from folded state alone."""

from __future__ import annotations

import pytest

from studio.domain.changes import Decision, LandedFile, Landing, LandingTarget, TargetKind, Verdict
from studio.domain.checks import CheckResult, Outcome, SubsetVerdict
from studio.domain.ids import BriefName, HunkId, LandingId, RunId
from studio.domain.runs import RunOptions, RunStatus
from studio.domain.state import DecisionState, Row, RowKind, RowStatus, RunState, StudioState, WorkerState
from studio.protocol.digest import decisions_digest
from studio.tui.present.header import announcement, trouble_said
from studio.tui.present.review import landing_said, verdict
from studio.tui.present.text import model_name
from studio.tui.present.timeline import timeline_rows
from studio.tui.present.useful import is_useful
from studio.tui.store import Store

PASSED = CheckResult("syntax", Outcome.PASSED, "t")
FAILED = CheckResult("tests", Outcome.FAILED, "t")


def a_run(status: RunStatus = RunStatus.READY) -> RunState:
    return RunState(RunId("r-1"), BriefName("b"), "r1", RunOptions("m"), status=status)


def decide(run: RunState, *decisions: Decision) -> None:
    for decision in decisions:
        run.decisions[decision.hunk] = DecisionState(decision, "ada", 0.0)


def judged(run: RunState, *results: CheckResult, needs: tuple[str, ...] = ()) -> SubsetVerdict:
    digest = decisions_digest(at.decision for at in run.decisions.values())
    return SubsetVerdict("t", results, needs=tuple(HunkId(hunk) for hunk in needs), decisions=digest)


def test_a_verdict_is_stale_once_other_lines_are_taken() -> None:
    run = a_run()
    assert not verdict(run, None).whole
    decide(run, Decision(HunkId("h-1"), Verdict.ACCEPTED))
    assert verdict(run, None).whole == "1 accepted: not checked yet"
    run.subset = judged(run, PASSED)
    assert verdict(run, None).whole == "1 accepted: ✓ syntax pass"
    decide(run, Decision(HunkId("h-1"), Verdict.ACCEPTED, lines=(2,)))
    assert "stale" in verdict(run, None).text
    run.subset = judged(run, PASSED)
    decide(run, Decision(HunkId("h-2"), Verdict.REJECTED, comment="no"))
    assert verdict(run, None).tone == "done", "a rejection does not change what would land"


def test_a_failed_verdict_names_the_hunk_it_needs() -> None:
    run = a_run()
    decide(run, Decision(HunkId("h-1"), Verdict.EDITED, text="x"))
    run.subset = judged(run, PASSED, FAILED, needs=("h-2",))
    assert verdict(run, None).whole == "1 accepted: ✗ tests failed, needs h-2"
    run.subset = judged(run)
    assert verdict(run, None).text == "- no check ran"


def test_a_landing_is_told_until_it_is_undone() -> None:
    run = a_run()
    files = (LandedFile("a.py", "", "1"), LandedFile("b.py", "", "2"))
    first = Landing(LandingId("l-1"), run.id, LandingTarget(), files)
    assert not landing_said(run)
    run.landings.append(first)
    assert landing_said(run) == "landed 2 files in the working tree"
    run.landings.append(Landing(LandingId("l-2"), run.id, LandingTarget(), files, undoes=first.id))
    assert landing_said(run) == "landing undone"
    run.landings.append(Landing(LandingId("l-3"), run.id, LandingTarget(), files, undoes=LandingId("l-2")))
    assert landing_said(run) == "landed again: 2 files in the working tree"
    target = LandingTarget(TargetKind.BRANCH, "expiry")
    run.landings.append(Landing(LandingId("l-4"), run.id, target, files, commit="1a2b3c4d5e6f"))
    assert landing_said(run) == "landed 2 files as commit 1a2b3c4d5e on expiry"


def test_finished_stages_are_folded_and_broken_ones_are_not() -> None:
    run = a_run(RunStatus.FAILED)
    rows = (
        Row("stage:plan", RowKind.STAGE, "plan", RowStatus.DONE),
        Row("stage:build", RowKind.STAGE, "build", RowStatus.SKIPPED),
        Row("call:1", RowKind.CALL, "builder asks openai/gpt-5", RowStatus.FAILED, "stage:build", "no credentials"),
    )
    for row in rows:
        run.row_index[row.key] = len(run.rows)
        run.rows.append(row)
    run.model = "openai/gpt-5"
    plan, build, call = timeline_rows(run, {}, 0.0)
    assert (plan.open, plan.status) == (False, "done")
    assert (build.open, build.status) == (True, "failed")
    assert (call.title, call.detail) == ("builder", "no credentials")


def test_the_footer_offers_only_what_does_something() -> None:
    run = a_run(RunStatus.RUNNING)
    assert is_useful("screen.cancel", run)
    assert not is_useful("review.land", run)
    assert not is_useful("timeline.answer", run)
    assert not is_useful("timeline.resume", run)
    assert not is_useful("screen.cancel", a_run())
    assert not is_useful("review.undo", a_run())
    assert not is_useful("screen.cancel", None)
    assert is_useful("brief.edit", None)


def test_a_run_without_a_living_worker_says_so() -> None:
    store = Store("p", connection="live", state=StudioState(), run_id="r-1")
    assert store.state is not None
    store.state.runs[RunId("r-1")] = run = a_run(RunStatus.QUEUED)
    assert not trouble_said(store)
    store.state.workers["worker-1"] = WorkerState("worker-1", alive=False, exit_code=1)
    assert "worker-1 ended with exit code 1" in trouble_said(store)
    run.status, run.summary = RunStatus.FAILED, "No model answered."
    assert trouble_said(store) == "✗ failed: No model answered."
    assert announcement(run) == ("No model answered.", "error")


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("replay:/a/b/demo.jsonl", "replay demo.jsonl"),
        ("manual:/a/b/", "manual b"),
        ("openai/gpt-5", "openai/gpt-5"),
        ("openai/instant@http://127.0.0.1:8000/v1", "openai/instant at 127.0.0.1:8000"),
        ("evil\x1b[31m", "evil"),
    ],
)
def test_models_are_named_in_few_words(spec: str, name: str) -> None:
    assert model_name(spec) == name
