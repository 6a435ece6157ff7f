"""kill -9 of worker and host, at every stage boundary and at random moments: the run ends as if nothing had happened.

The same tree, every event once, and no reply that was recorded is asked for again.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.fakes.openai_server import Body, Scripted
from tests.fakes.studio_lab import Lab, edit_reply, json_reply, wait_for, write_reply

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
    replied = {event["step"]: event["at"] for event in lab.log(run) if event["kind"] == "model.replied"}
    assert len({received.digest for received in came}) == len(replied)
    assert len(came) <= len(replied) + repeats, f"{len(came)} requests, {repeats} repeats shown"
    if len(replied) == 1:
        assert all(received.at * 1e6 <= at for received in came for at in replied.values())


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


PARALLEL = [
    ("model.replied", "plan"),
    ("task.started", "build/T2"),
    ("model.called", "build/T1"),
    ("model.replied", "build/T1"),
    ("edits.applied", "build/T2"),
    ("task.finished", "build/T1"),
    ("stage.finished", "integrate"),
    ("model.replied", "test/V1"),
    ("model.replied", "review"),
]


def team(lab: Lab) -> None:
    """Script a standard run with two tasks side by side."""

    def architect(prompt: str, _body: Body) -> Scripted:
        # Named after the run, so that no run takes over another's plan.
        name = re.findall(r"Pair \S+", prompt)[0]
        return json_reply({"requirements": [{"text": f"one for {name}"}, {"text": f"two for {name}"}]})

    tasks = [
        {
            "id": f"T{n}",
            "title": f"write {name}",
            "goal": "it is there",
            "files": [f"{name}.py"],
            "requirements": [f"R{n}"],
        }
        for n, name in enumerate(("one", "two"), 1)
    ]
    test = "from one import ONE\n\n\ndef test_one() -> None:\n    assert ONE == 1\n"
    lab.on("You are the architect", reply=architect)
    lab.on("You are the planner", reply=json_reply({"tasks": tasks}))
    lab.on("You are the builder", "write one", reply=write_reply("one.py", "ONE = 1\n", delay=0.1))
    lab.on("You are the builder", "write two", reply=write_reply("two.py", "TWO = 2\n", delay=0.1))
    lab.on("You are the test writer", reply=write_reply("test_one.py", test))
    lab.on("You are the critic", reply=json_reply({"remarks": []}))


@pytest.fixture(scope="module")
def undisturbed_team(lab: Lab) -> tuple[str, Counter[str]]:
    team(lab)
    judged(lab, start_team(lab, "first"))  # its verdicts are taken over by all later runs with the same tree
    return judged(lab, start_team(lab, "team"))


def start_team(lab: Lab, name: str) -> str:
    return lab.start(f"# Pair {name}\n\nAdd one. Add two.", "--depth", "standard", name=name)


@pytest.mark.parametrize(("kind", "step"), PARALLEL)
def test_a_kill_among_parallel_tasks_changes_nothing(
    lab: Lab, undisturbed_team: tuple[str, Counter[str]], kind: str, step: str
) -> None:
    run = start_team(lab, f"{kind}-{step}".replace("/", "-").replace(".", "-"))
    lab.until(run, kind, step=step)
    assert kill(lab, "worker")
    ended = judged(lab, run)
    kill(lab, "host")
    assert ended[1] - undisturbed_team[1] == undisturbed_team[1] - ended[1] == Counter()
    assert ended == undisturbed_team


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
