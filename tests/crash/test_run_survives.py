"""kill -9 of worker and host, at every stage boundary and at random moments: the run ends as if nothing had happened.

The same tree, every event once, and no reply that was recorded is asked for again.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.fakes.studio_lab import Lab, edit_reply, wait_for

BOUNDARIES = [
    "run.requested",
    "run.started",
    "stage.finished recall/close",
    "task.started",
    "model.called",
    "model.replied",
    "edits.applied",
    "stage.finished build/close",
    "check.started",
    "check.finished",
    "stage.finished check/close",
    "stage.started review/change-set",
    "changeset.proposed",
]
RANDOM_TESTS = 17
"""With three kills each: 51 random moments in all, each while a run was unfinished."""
LONGEST_WAIT = 0.8
"""Seconds from a worker's start, or from the request, to the kill: a run takes about as long."""
SCRIPT = {
    "rules": [
        {
            "contains": ["You are the builder"],
            **edit_reply("mul.py", "def mul(a: int, b: int) -> int:\n    return a * b\n"),
            "delay": 0.15,
        }
    ]
}
CONFIG = 'sandbox = "bubblewrap"\n[models]\ncache = false\n'
MAY_DIFFER = {"run.resumed", "worker.started", "worker.stopped"}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with Lab(tmp_path_factory.mktemp("survives"), SCRIPT, config=CONFIG) as lab:
        yield lab
        # After all the kills: the chain holds, and DBOS's file is in WAL, as its header says.
        lab.studio("audit")
        assert (lab.state / "engine.sqlite").read_bytes()[18:20] == b"\x02\x02"


@pytest.fixture(scope="module")
def undisturbed(lab: Lab) -> tuple[str, Counter[str]]:
    run = start(lab, "undisturbed")
    return judged(lab, run)


def start(lab: Lab, name: str) -> str:
    return lab.start(f"# Multiply {name}\n\nAdd mul to mul.py.", "--depth", "quick", name=name)


def kill(lab: Lab, victim: str) -> bool:
    """Kill -9; a host is started again by the next command of anybody, a worker by its host."""
    hit = lab.kill(victim)
    if victim == "host":
        lab.studio("runs")
    return hit


def over(lab: Lab, run: str) -> bool:
    return bool(lab.kinds(run, "run.finished"))


def judged(lab: Lab, run: str) -> tuple[str, Counter[str]]:
    """Return a finished run's tree and its events, once each."""
    assert wait_for(lambda: over(lab, run), 90), f"{[e['kind'] for e in lab.log(run)]}\n{lab.logs()}"
    events = lab.log(run)
    ended = lab.kinds(run, "run.finished")[-1]
    assert ended["status"] == "ready", f"{ended}\n{lab.logs()}"
    again = [e for e in events if e["kind"] == "model.called" and e["payload"].get("repeated")]
    once = Counter(
        f"{event['kind']} {event['step']} {event['n']}"
        for event in events
        if event["kind"] not in MAY_DIFFER and event not in again
    )
    assert set(once.values()) == {1}, once
    no_reply_asked_again(lab, run, repeats=len(again))
    return lab.kinds(run, "changeset.proposed")[-1]["tree"], once


def no_reply_asked_again(lab: Lab, run: str, *, repeats: int) -> None:
    """Every request is an intent of the log, and none came after its reply was recorded."""
    title = lab.kinds(run, "run.requested")[0]["title"]
    came = [received for received in lab.server.requests if f"{title}\n" in received.prompt]
    assert len({received.digest for received in came}) == 1
    assert len(came) <= 1 + repeats, f"{len(came)} requests, {repeats} repeats shown"
    replied = [event["at"] for event in lab.log(run) if event["kind"] == "model.replied"]
    assert len(replied) == 1
    assert all(received.at * 1e6 <= replied[0] for received in came)


def until(lab: Lab, run: str, boundary: str) -> None:
    """Wait until the log holds an event: its kind, or its kind and step."""
    kind, _, step = boundary.partition(" ")
    lab.until(run, kind, step=step)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_a_kill_at_a_boundary_changes_nothing(lab: Lab, undisturbed: tuple[str, Counter[str]], boundary: str) -> None:
    for victim in ("worker", "host"):
        run = start(lab, f"{victim} {boundary}".replace(" ", "-").replace("/", "-"))
        until(lab, run, boundary)
        assert kill(lab, victim)
        assert judged(lab, run) == undisturbed


@pytest.mark.parametrize("seed", range(RANDOM_TESTS))
def test_kills_at_random_moments_change_nothing(lab: Lab, undisturbed: tuple[str, Counter[str]], seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 -- moments, not secrets
    # A host is patient with a worker that dies again and again; killing both in turn keeps the wait at its shortest.
    victims = ["worker", "host", "worker"] if seed % 2 else ["host", "worker", "host"]
    runs: list[str] = []
    while victims:
        if not runs or over(lab, runs[-1]):
            runs.append(start(lab, f"random-{seed}-{len(runs)}"))
        assert wait_for(lambda: lab.pids("worker"), 60), lab.logs()
        wait_for(lambda: over(lab, runs[-1]), chance.uniform(0.0, LONGEST_WAIT))
        if not over(lab, runs[-1]) and kill(lab, victims[0]):
            del victims[0]
    for run in runs:
        assert judged(lab, run) == undisturbed
