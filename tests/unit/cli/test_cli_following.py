"""Following a run: the journal is written here as a worker would; a real host passes it on; the command shows it."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from studio.cli.asking import GateDesk
from studio.domain import events as ev
from studio.domain.checks import CheckResult, Outcome
from studio.domain.errors import UsageError
from studio.domain.ids import GateId, RunId
from studio.domain.runs import Gate, RunStatus
from studio.domain.stages import Depth, Stage
from studio.journal import open_store
from studio.protocol.commands import AnswerGate, Done
from tests.fakes.command_lab import CommandLab

FINISHED = ev.RunFinished(RunStatus.CHECKS_FAILED, "a test fails", 3)
STORY = (
    ev.RunStarted(Depth.QUICK, "replay:x", "bubblewrap"),
    ev.StageStarted(Stage.CHECK),
    ev.CheckFinished(CheckResult("tests", Outcome.FAILED, "t", summary="1 of 3 failed"), 0),
    ev.CheckFinished(CheckResult("types", Outcome.NOT_RUN, "t", reason="no type checker"), 0),
    ev.StageFinished(Stage.CHECK, summary="1 check failed"),
)


def append(lab: CommandLab, run: RunId, *events: ev.Event) -> None:
    with open_store(lab.places) as store:
        store.journal.append([ev.Draft(event, run, actor="worker-1") for event in events])


def latest_run(lab: CommandLab) -> RunId:
    """Return the run that was requested last, waiting until there is one."""
    for _ in range(1000):
        if lab.places.journal.exists():
            with open_store(lab.places) as store:
                found = [one.run for one in store.journal.read() if isinstance(one.event, ev.RunRequested)]
            if found:
                return found[-1]
        time.sleep(0.02)
    raise AssertionError("no run was requested")


@contextmanager
def following(lab: CommandLab, *arguments: str) -> Generator[subprocess.Popen[str]]:
    lab.write("greet.md", BRIEF)
    process = subprocess.Popen(
        [sys.executable, "-m", "studio", *arguments],
        cwd=lab.root,
        env=lab.environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


RUN = ("run", "greet.md", "--model", "replay:x")
BRIEF = "# Greet\n\nSay hello.\n"


def detached(lab: CommandLab) -> RunId:
    lab.write("greet.md", BRIEF)
    done = lab.studio(*RUN, "--detach")
    assert done.returncode == 0, done.stderr
    return RunId(done.stdout.strip())


def test_a_run_is_followed_to_its_end_as_json(lab: CommandLab) -> None:
    with following(lab, *RUN, "--json") as process:
        run = latest_run(lab)
        append(lab, run, *STORY, FINISHED)
        out, err = process.communicate(timeout=60)

    lines: list[dict[str, Any]] = [json.loads(line) for line in out.splitlines()]
    assert (process.returncode, err) == (3, "")
    assert [line["kind"] for line in lines[:-1]] == [
        "run.requested", "run.started", "stage.started", "check.finished", "check.finished", "stage.finished",
    ]  # fmt: skip
    last = lines[-1]
    assert (last["kind"], last["run"], last["status"], last["exit_code"]) == ("run.finished", run, "checks_failed", 3)
    assert last["checks"] == {"tests": "failed", "types": "not-run"}


def test_a_run_is_followed_to_its_end_for_people(lab: CommandLab) -> None:
    with following(lab, *RUN) as process:
        run = latest_run(lab)
        append(lab, run, *STORY)
        append(lab, run, FINISHED)
        out, err = process.communicate(timeout=60)

    assert process.returncode == 3
    assert "✗ tests: 1 of 3 failed" in err
    assert "\N{EN DASH} types: no type checker" in err
    assert f"{run}  Greet: checks_failed. a test fails" in out


def test_events_are_followed_to_the_runs_end(lab: CommandLab) -> None:
    run = detached(lab)
    with following(lab, "events", run, "--follow", "--json") as process:
        append(lab, run, *STORY, FINISHED)
        out, _ = process.communicate(timeout=60)

    kinds = [json.loads(line)["kind"] for line in out.splitlines()]
    assert (process.returncode, kinds[0], kinds[-1]) == (0, "run.requested", "run.finished")
    assert lab.studio("events", run, "--follow").returncode == 0


def test_resume_shows_what_happens_from_then_on(lab: CommandLab) -> None:
    run = detached(lab)
    append(lab, run, *STORY, ev.RunFinished(RunStatus.CANCELLED, "cancelled", 130))
    with following(lab, "resume", run, "--json") as process:
        wait_for(lab, run, lambda event: isinstance(event, ev.RunResumeRequested))
        append(lab, run, ev.RunFinished(RunStatus.READY, "good"))
        out, _ = process.communicate(timeout=60)

    lines = [json.loads(line) for line in out.splitlines()]
    assert process.returncode == 0
    assert [line["kind"] for line in lines] == ["run.resume_requested", "run.finished"]
    assert lines[-1]["status"] == "ready"


def wait_for(lab: CommandLab, run: RunId, wanted: Callable[[ev.Event], bool]) -> None:
    with open_store(lab.places) as store:
        for _ in range(1000):
            if any(wanted(one.event) for one in store.journal.read(run=run)):
                return
            time.sleep(0.02)
    raise AssertionError("it was not recorded")


def test_an_interrupt_cancels_the_run(lab: CommandLab) -> None:
    with following(lab, *RUN, "--json") as process:
        run = latest_run(lab)
        assert process.stdout is not None
        process.stdout.readline()  # it follows
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)

    assert process.returncode == 130
    assert f"studio: Run {run} is cancelled." in err
    assert f"studio resume {run}" in err
    wait_for(lab, run, lambda event: isinstance(event, ev.RunCancelRequested))


class Answers:
    """What a host would answer: it takes `yes` alone."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str]] = []
        self.came = asyncio.Event()

    async def ask(self, command: AnswerGate) -> Done:
        if command.answer != "yes":
            raise UsageError(f"{command.answer!r} is no answer to this gate.", "Answer yes.")
        self.taken.append((command.gate, command.answer))
        self.came.set()
        return Done()


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Give the other end of the terminal that standard input is."""
    master, slave = pty.openpty()
    with os.fdopen(slave) as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        yield master
    os.close(master)


def opened(gate: str) -> ev.GateOpened:
    return ev.GateOpened(Gate(GateId(gate), "plan", "Go on?", ("yes", "no"), "no"))


async def test_a_gate_is_asked_for_until_the_answer_is_taken(keyboard: int, capsys: pytest.CaptureFixture[str]) -> None:
    answers = Answers()
    desk = GateDesk(answers, RunId("r-1"))  # pyright: ignore[reportArgumentType]  # the part of a client that it uses
    desk.note(opened("past"))
    desk.note(ev.GateAnswered(GateId("past"), "yes", "Ada"))
    desk.note(opened("g1"))
    desk.open()
    os.write(keyboard, b"perhaps\n")
    os.write(keyboard, b"yes\n")
    await answers.came.wait()
    desk.close()

    assert answers.taken == [("g1", "yes")]
    assert "'perhaps' is no answer" in capsys.readouterr().err


async def test_a_gate_that_somebody_else_answered_is_given_up(keyboard: int) -> None:
    answers = Answers()
    desk = GateDesk(answers, RunId("r-1"))  # pyright: ignore[reportArgumentType]  # the part of a client that it uses
    desk.open()
    desk.note(opened("g1"))
    desk.note(opened("g2"))
    await asyncio.sleep(0)
    desk.note(ev.GateAnswered(GateId("g1"), "no", "Bob"))
    os.write(keyboard, b"yes\n")
    await answers.came.wait()
    desk.close()

    assert answers.taken == [("g2", "yes")]
