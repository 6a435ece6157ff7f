"""kill -9 of worker and host, at every stage boundary and at random moments: the run ends as if nothing had happened.

The same tree, every event once, and no reply that was recorded is asked for again.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
RANDOM_RUNS = 17
KILLS_A_RUN = 3
"""51 random moments in all."""
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


@pytest.fixture(scope="module")
def undisturbed(lab: Lab) -> tuple[str, Counter[str]]:
    run = start(lab, "undisturbed")
    return judged(lab, run)


def start(lab: Lab, name: str) -> str:
    text = f"# Multiply {name}\n\nAdd mul to mul.py."
    return str(lab.json("run", lab.brief(text, name), *lab.model(), "--depth", "quick", "--detach")["run"])


def finish(lab: Lab, run: str) -> dict[str, Any]:
    """Wait until the run has ended. Each look starts the host again if it was killed."""
    last: dict[str, Any] = {}

    def ended() -> bool:
        done = lab.studio("events", run, "--json", code=None)
        nonlocal last
        lines = done.stdout.splitlines()
        last = {"lines": lines, "error": done.stderr}
        return done.returncode == 0 and any('"kind":"run.finished"' in line for line in lines)

    assert wait_for(ended, 60), f"{last}\n{lab.logs()}"
    return last


def judged(lab: Lab, run: str) -> tuple[str, Counter[str]]:
    """Return a finished run's tree and its events, once each."""
    finish(lab, run)
    events = lab.events(run)
    seqs = [event["seq"] for event in events]
    assert seqs == sorted(set(seqs))
    state = lab.json("show", run)
    assert state["status"] == "ready", f"{state}\n{lab.logs()}"
    again = [e for e in events if e["kind"] == "model.called" and e["payload"].get("repeated")]
    once = Counter(
        f"{event['kind']} {event.get('step', '')} {event.get('n', 0)}"
        for event in events
        if event["kind"] not in MAY_DIFFER and event not in again
    )
    assert set(once.values()) == {1}, once
    asked_at_most(lab, run, events, repeats=len(again))
    return state["changed_tree"], once


def asked_at_most(lab: Lab, run: str, events: list[dict[str, Any]], *, repeats: int) -> None:
    """Every request is an intent of the log, and none came after its reply was recorded."""
    title = lab.json("show", run)["title"]
    came = [received for received in lab.server.requests if title in received.prompt]
    assert len(came) <= 1 + repeats, f"{len(came)} requests, {repeats} repeats shown"
    replied = [event["at"] for event in events if event["kind"] == "model.replied"]
    assert len(replied) == 1


def until(lab: Lab, run: str, boundary: str) -> None:
    """Wait until the log holds an event: its kind, or its kind and step."""
    kind, _, step = boundary.partition(" ")

    def there() -> bool:
        return any(e["kind"] == kind and (not step or e.get("step") == step) for e in lab.events(run))

    assert wait_for(there, 40), f"{boundary} never came\n{lab.logs()}"


@pytest.mark.parametrize("victim", ["worker", "host"])
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_a_kill_at_a_boundary_changes_nothing(
    lab: Lab, undisturbed: tuple[str, Counter[str]], boundary: str, victim: str
) -> None:
    run = start(lab, f"{victim} {boundary}".replace(" ", "-").replace("/", "-"))
    until(lab, run, boundary)
    lab.kill(victim)
    assert judged(lab, run) == undisturbed


@pytest.mark.parametrize("seed", range(RANDOM_RUNS))
def test_kills_at_random_moments_change_nothing(
    lab: Lab, undisturbed: tuple[str, Counter[str]], seed: int
) -> None:
    chance = random.Random(seed)
    run = start(lab, f"random-{seed}")
    for _ in range(KILLS_A_RUN):
        wait_for(lambda: False, chance.uniform(0.0, 1.5))
        lab.kill(chance.choice(["worker", "host"]))
        lab.studio("runs")
    assert judged(lab, run) == undisturbed
