"""The last line of `studio run --json`."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from studio.cli.summary import FinishedRun, finished_line, listed_run
from studio.domain.checks import CheckResult, Outcome
from studio.domain.ids import ArtifactId, BriefName, RunId
from studio.domain.runs import Confidence, RunOptions, RunStatus
from studio.domain.state import RunState, Spend

SCHEMA = Path(__file__).parents[3] / "docs" / "reference" / "run-finished.schema.json"


def state() -> RunState:
    return RunState(
        RunId("r-1"),
        BriefName("greet"),
        "abc",
        RunOptions("auto"),
        model="anthropic/claude-sonnet-4-5",
        status=RunStatus.CHECKS_FAILED,
        changeset=ArtifactId("a" * 40),
        files=2,
        hunks=3,
        spend=Spend(0.1234567, 100, 20, 2),
        checks={
            "tests": CheckResult("tests", Outcome.FAILED, "t"),
            "types": CheckResult("types", Outcome.NOT_RUN, "t", reason="no type checker"),
        },
        confidence=Confidence(0.25),
        summary="a test fails",
        exit_code=3,
    )


def test_it_says_how_the_run_ended() -> None:
    assert json.loads(msgspec.json.encode(finished_line(state()))) == {
        "kind": "run.finished",
        "status": "checks_failed",
        "run": "r-1",
        "brief": "greet",
        "model": "anthropic/claude-sonnet-4-5",
        "changeset": "a" * 40,
        "files": 2,
        "hunks": 3,
        "cost_usd": 0.123457,
        "tokens": 120,
        "saved_usd": 0.0,
        "checks": {"tests": "failed", "types": "not-run"},
        "confidence": 0.25,
        "summary": "a test fails",
        "exit_code": 3,
    }


def test_every_field_is_always_written() -> None:
    bare = RunState(RunId("r-1"), BriefName("b"), "r", RunOptions("auto"), status=RunStatus.FAILED)
    line = json.loads(msgspec.json.encode(finished_line(bare)))

    assert set(line) == set(json.loads(SCHEMA.read_text())["required"])
    assert (line["changeset"], line["confidence"]) == (None, None)


def test_it_is_of_the_documented_shape() -> None:
    line = finished_line(state())

    assert msgspec.json.decode(msgspec.json.encode(line), type=FinishedRun) == line


def test_every_final_status_is_documented() -> None:
    statuses = json.loads(SCHEMA.read_text())["properties"]["status"]["enum"]

    assert set(statuses) == {status.value for status in RunStatus if status.final}


def test_a_listed_run_is_not_called_finished() -> None:
    assert json.loads(msgspec.json.encode(listed_run(state())))["kind"] == "run"
