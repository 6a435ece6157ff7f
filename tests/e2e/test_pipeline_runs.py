"""Whole runs at depth standard through the real parts: a model server, host, worker, git, the sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakes.openai_server import Body, Scripted
from tests.fakes.studio_lab import Lab, json_reply, sentences_of, wait_for, write_reply

CONFIG = 'sandbox = "bubblewrap"\n[models]\ncache = false\n'
TEST = "from {name} import {name}\n\n\ndef test_{name}() -> None:\n    assert {name}(6, 3) == {value}\n"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with Lab(tmp_path_factory.mktemp("runs"), config=CONFIG) as lab:
        yield lab


def function(name: str, sign: str) -> str:
    return f"def {name}(a: int, b: int) -> int:\n    return a {sign} b\n"


def team(lab: Lab, *words: str, files: dict[str, str], needs: dict[str, list[str]] | None = None) -> None:
    """Script architect, planner, test writer and critic: a requirement and a task for each sentence that holds a word."""

    def architect(prompt: str, _body: Body) -> Scripted:
        known = sentences_of(prompt)
        tied = [[identity for text, identity in known.items() if word in text] for word in words]
        return json_reply(
            {
                "requirements": [
                    {"text": f"there is {word}", "sentences": ids} for word, ids in zip(words, tied, strict=True)
                ]
            }
        )

    tasks = [
        {
            "id": f"T{number}", "title": f"write {word}", "goal": f"{word} is there", "files": [files[word]],
            "needs": (needs or {}).get(word, []), "requirements": [f"R{number}"],
        }
        for number, word in enumerate(words, 1)
    ]  # fmt: skip
    lab.on("You are the architect", words[0], reply=architect)
    lab.on("You are the planner", words[0], reply=json_reply({"tasks": tasks}))
    test = f"def test_{words[0]}() -> None:\n    assert True\n"
    lab.on("You are the test writer", words[0], reply=write_reply(f"test_{words[0]}.py", test))
    lab.on("You are the critic", words[0], reply=json_reply({"remarks": []}))


def finish(lab: Lab, run: str) -> dict[str, Any]:
    ended = lab.ended(run)
    assert ended["status"] == "ready", (ended, lab.logs())
    return ended


def test_standard_depth_goes_through_all_stages(lab: Lab) -> None:
    team(lab, "multiply", "divide", files={"multiply": "multiply.py", "divide": "divide.py"})
    lab.on(
        "You are the builder", "Task T1: write multiply", reply=write_reply("multiply.py", function("multiply", "*"))
    )
    lab.on("You are the builder", "Task T2: write divide", reply=write_reply("divide.py", function("divide", "//")))
    test = TEST.format(name="divide", value=2)
    lab.on("You are the test writer", "there is multiply", reply=write_reply("test_divide.py", test))
    critic = json_reply({"remarks": [{"text": "zero divides", "severity": "warning"}]})
    lab.on("You are the critic", "there is multiply", reply=critic)

    run = lab.start("# Arithmetic\n\nAdd multiply. Add divide.", "--depth", "standard")
    finish(lab, run)

    stages = [event["stage"] for event in lab.kinds(run, "stage.finished")]
    assert stages == [
        "intake", "recall", "requirements", "plan", "build", "integrate", "test", "check", "run", "review",
    ]  # fmt: skip
    assert set(lab.tree(run)) == {"calc.py", "multiply.py", "divide.py", "test_divide.py"}
    tested = next(event for event in lab.kinds(run, "stage.finished") if event["stage"] == "test")
    assert "without the change" in tested["summary"]
    verdicts = {event["result"]["check"]: event["result"]["outcome"] for event in lab.kinds(run, "check.finished")}
    assert verdicts["tests"] == "passed"
    assert [event["remark"]["text"] for event in lab.kinds(run, "remark.made")] == ["zero divides"]
    # Both tasks were under way at once: both began before either ended.
    order = [event["kind"] for event in lab.log(run) if event["kind"] in {"task.started", "task.finished"}]
    assert order[:2] == ["task.started", "task.started"]


def test_an_edited_sentence_redoes_its_task_alone(lab: Lab) -> None:
    team(lab, "gamma", "delta", files={"gamma": "gamma.py", "delta": "delta.py"})
    lab.on("You are the builder", "Task T1: write gamma", reply=write_reply("gamma.py", function("gamma", "+")))
    lab.on("You are the builder", "Task T2: write delta", reply=write_reply("delta.py", function("delta", "-")))
    first = lab.start("# Letters\n\nAdd gamma now. Add delta now.", "--depth", "standard")
    finish(lab, first)

    again = lab.start("# Letters\n\nAdd gamma now. Add delta now.", "--depth", "standard")
    finish(lab, again)
    assert {event["task"]: event.get("reused", False) for event in lab.kinds(again, "task.finished", "build/")} == {
        "T1": True, "T2": True,
    }  # fmt: skip
    assert [event["stage"] for event in lab.kinds(again, "model.called")] == ["review"]
    assert lab.tree(again) == lab.tree(first)
    assert all(event.get("reused", False) for event in lab.kinds(again, "task.finished", "test/"))

    edited = lab.start("# Letters\n\nAdd gamma now. Add delta, with care.", "--depth", "standard")
    finish(lab, edited)
    assert {event["task"]: event.get("reused", False) for event in lab.kinds(edited, "task.finished", "build/")} == {
        "T1": True, "T2": False,
    }  # fmt: skip


def test_saving_another_file_does_not_spoil_a_task(lab: Lab) -> None:
    lab.on("You are the builder", "Add omega", reply=write_reply("omega.py", function("omega", "+")))
    first = lab.start("# Omega\n\nAdd omega.", "--depth", "quick")
    finish(lab, first)
    (lab.repo / "notes.txt").write_text("saved meanwhile\n")
    (lab.repo / "omega_unrelated.py").write_text("X = 1\n")
    second = lab.start("# Omega\n\nAdd omega.", "--depth", "quick")
    finish(lab, second)
    assert [event.get("reused", False) for event in lab.kinds(second, "task.finished")] == [True]
    assert lab.tree(second)["notes.txt"] == "saved meanwhile\n"
    assert lab.tree(second)["omega.py"] == function("omega", "+")
    # A file the task wrote is one it read: with that one there, the work is done anew.
    (lab.repo / "omega.py").write_text("def omega() -> None: ...\n")
    third = lab.start("# Omega\n\nAdd omega.", "--depth", "quick")
    finish(lab, third)
    assert [event.get("reused", False) for event in lab.kinds(third, "task.finished")] == [False]


def test_a_fork_reuses_up_to_its_stage(lab: Lab) -> None:
    team(lab, "kappa", files={"kappa": "kappa.py"})
    lab.on("You are the builder", "Task T1: write kappa", reply=write_reply("kappa.py", function("kappa", "+")))
    run = lab.start("# Kappa\n\nAdd kappa.", "--depth", "standard")
    finish(lab, run)
    fork = str(lab.json("fork", run, "--from", "build")["run"])
    finish(lab, fork)
    reused = {event["stage"]: event.get("reused", False) for event in lab.kinds(fork, "stage.finished")}
    assert reused["requirements"]
    assert reused["plan"]
    assert not any(event.get("reused", False) for event in lab.kinds(fork, "task.finished"))
    assert {event["stage"] for event in lab.kinds(fork, "model.called")} == {"build", "test", "review"}
    assert lab.tree(fork) == lab.tree(run)


def test_a_conflict_goes_to_the_integrator(lab: Lab) -> None:
    team(lab, "left", "right", files={"left": "sides.py", "right": "sides.py"})
    lab.on("You are the builder", "Task T1: write left", reply=write_reply("sides.py", "LEFT = 1\n"))
    lab.on("You are the builder", "Task T2: write right", reply=write_reply("sides.py", "RIGHT = 2\n"))
    lab.on("You are the integrator", "RIGHT = 2", reply=write_reply("sides.py", "LEFT = 1\nRIGHT = 2\n"))
    run = lab.start("# Sides\n\nAdd left. Add right.", "--depth", "standard")
    finish(lab, run)
    assert lab.tree(run)["sides.py"] == "LEFT = 1\nRIGHT = 2\n"
    merged = next(event for event in lab.kinds(run, "stage.finished") if event["stage"] == "integrate")
    assert "1 conflicts resolved" in merged["summary"]


def test_a_conflict_nobody_resolves_goes_to_a_person(lab: Lab) -> None:
    team(lab, "north", "south", files={"north": "poles.py", "south": "poles.py"})
    lab.on("You are the builder", "Task T1: write north", reply=write_reply("poles.py", "POLE = 'north'\n"))
    lab.on("You are the builder", "Task T2: write south", reply=write_reply("poles.py", "POLE = 'south'\n"))
    lab.on("You are the integrator", "south", reply=Scripted("Both cannot hold."))
    run = lab.start("# Poles\n\nAdd north. Add south.", "--depth", "standard", "--on-gate", "wait")
    gate = lab.until(run, "gate.opened")["gate"]
    assert gate["kind"] == "conflict"
    assert gate["options"] == ["keep ours", "take theirs"]
    lab.studio("answer", run, gate["id"], "take theirs")
    finish(lab, run)
    assert lab.tree(run)["poles.py"] == "POLE = 'south'\n"


def test_two_runs_at_once_do_not_disturb_each_other(lab: Lab) -> None:
    lab.on("You are the builder", "Add mu", reply=write_reply("mu.py", function("mu", "+"), delay=0.3))
    lab.on("You are the builder", "Add nu", reply=write_reply("nu.py", function("nu", "-"), delay=0.3))
    runs = [lab.start(f"# {name}\n\nAdd {name}.", "--depth", "quick", name=name) for name in ("mu", "nu")]
    for run in runs:
        finish(lab, run)
    assert "mu.py" in lab.tree(runs[0])
    assert "nu.py" not in lab.tree(runs[0])
    assert "nu.py" in lab.tree(runs[1])
    assert "mu.py" not in lab.tree(runs[1])
    assert wait_for(lambda: not list((lab.state / "worktrees").glob(f"{runs[0]}/*")), 20)
