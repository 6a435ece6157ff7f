"""People and runs under way: gates, remarks, cancels, going on afterwards. What must be prompt is judged by the order of events."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.openai_server import Body, Scripted
from tests.fakes.studio_lab import Lab, json_reply, tools_reply, wait_for, write_reply

CONFIG = 'sandbox = "bubblewrap"\n[models]\ncache = false\n'


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with Lab(tmp_path_factory.mktemp("people"), config=CONFIG) as lab:
        yield lab


def ask_about(lab: Lab, word: str) -> None:
    """Script a team whose architect has a question without a default."""
    question = {"text": f"Which {word}?", "options": ["red", "blue"]}
    lab.on(
        "You are the architect", word,
        reply=json_reply({"requirements": [{"text": f"paint {word}"}], "questions": [question]}),
    )  # fmt: skip
    task = {"id": "T1", "title": f"paint {word}", "goal": "paint it", "files": [f"{word}.txt"], "requirements": ["R1"]}
    lab.on("You are the planner", word, reply=json_reply({"tasks": [task]}))
    lab.on("You are the builder", word, reply=write_reply(f"{word}.txt", "painted\n"))
    lab.on("You are the test writer", word, reply=Scripted("Nothing to add."))
    lab.on("You are the critic", word, reply=json_reply({"remarks": []}))


def test_a_question_survives_kills_and_is_answered_from_anywhere(lab: Lab) -> None:
    ask_about(lab, "trellis")
    run = lab.start("# Trellis\n\nPaint the trellis.", "--depth", "standard", "--on-gate", "wait")
    gate = lab.until(run, "gate.opened")["gate"]
    assert gate["text"] == "Which trellis?"
    lab.kill("worker")
    lab.kill("host")
    assert lab.studio("answer", run, gate["id"], "green", code=2).stderr.count("red or blue") == 1
    lab.kill("worker")
    lab.studio("answer", run, gate["id"], "blue")
    assert lab.ended(run)["status"] == "ready"
    assert len(lab.kinds(run, "gate.opened")) == 1
    assert [event["answer"] for event in lab.kinds(run, "gate.answered")] == ["blue"]
    assert len(lab.asked("You are the architect", "trellis")) == 1
    planner = lab.asked("You are the planner", "trellis")
    assert "blue" in planner[0].prompt


def test_without_a_person_a_gate_fails_and_resuming_waits_for_one(lab: Lab) -> None:
    ask_about(lab, "lattice")
    done = lab.studio(
        "run",
        lab.brief("# Lattice\n\nPaint the lattice."),
        *lab.model(),
        "--depth",
        "standard",
        "--on-gate",
        "fail",
        code=8,
    )
    assert "Which lattice?" in done.stdout
    run = done.stdout.split()[0]
    resumed = threading.Thread(target=lambda: lab.studio("resume", run, code=0))
    resumed.start()
    gate = lab.until(run, "gate.opened", count=2)["gate"]
    lab.studio("answer", run, gate["id"], "red")
    assert lab.ended(run, count=2)["status"] == "ready"
    resumed.join(60)
    assert len(lab.asked("You are the architect", "lattice")) == 1


def test_defaults_answer_where_they_must(lab: Lab) -> None:
    ask_about(lab, "door")
    run = lab.start("# Door\n\nPaint the door.", "--depth", "standard", "--on-gate", "default")
    assert lab.ended(run)["status"] == "ready"
    assert not lab.kinds(run, "gate.opened")


def test_a_deep_plan_waits_for_approval(lab: Lab) -> None:
    ask_about(lab, "roof")
    run = lab.start("# Roof\n\nPaint the roof.", "--depth", "deep", "--on-gate", "wait")
    lab.studio("answer", run, lab.until(run, "gate.opened")["gate"]["id"], "red")
    gate = lab.until(run, "gate.opened", count=2)["gate"]
    assert (gate["kind"], gate["id"]) == ("plan", "plan")
    lab.studio("answer", run, "plan", "no")
    ended = lab.ended(run)
    assert ended["status"] == "cancelled"
    assert "not approved" in ended["summary"]


def test_cancel_ends_a_waiting_gate(lab: Lab) -> None:
    ask_about(lab, "wall")
    run = lab.start("# Wall\n\nPaint the wall.", "--depth", "standard", "--on-gate", "wait")
    lab.until(run, "gate.opened")
    lab.studio("cancel", run)
    ended = lab.ended(run)
    assert (ended["status"], ended["exit_code"]) == ("cancelled", 130)


def test_a_cancel_that_nobody_saw_ends_the_gate_of_a_restarted_worker(lab: Lab) -> None:
    ask_about(lab, "tower")
    run = lab.start("# Tower\n\nPaint the tower.", "--depth", "standard", "--on-gate", "wait")
    lab.until(run, "gate.opened")
    lab.kill("worker")
    lab.studio("cancel", run)
    assert lab.ended(run)["status"] == "cancelled"


def test_cancel_ends_a_model_stream_before_it_is_over(lab: Lab) -> None:
    endless = write_reply("stream.txt", "word " * 400, fault="slow-bytes", delay=5.0)
    lab.on("You are the builder", "the stream", reply=endless)
    run = lab.start("# Stream\n\nWrite the stream.", "--depth", "quick")
    lab.until(run, "model.called")
    assert wait_for(lambda: lab.asked("the stream"))
    lab.studio("cancel", run)
    assert lab.ended(run)["status"] == "cancelled"
    request = lab.asked("the stream")[0]
    assert request.left.wait(30)
    assert not request.sent
    assert not lab.kinds(run, "model.replied")


def test_cancel_ends_a_command_in_the_sandbox(lab: Lab) -> None:
    lab.on("You are the builder", "the command", reply=tools_reply(("run", {"command": "echo on; sleep 98.7654"})))
    run = lab.start("# Command\n\nRun the command.", "--depth", "quick")
    lab.until(run, "command.started")
    assert wait_for(lambda: running("98.7654"))
    lab.studio("cancel", run)
    assert lab.ended(run)["status"] == "cancelled"
    assert wait_for(lambda: not running("98.7654"))


def running(word: str) -> bool:
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
        except OSError:
            continue
        if word.encode() in words:
            return True
    return False


def test_a_resumed_run_pays_for_no_reply_twice(lab: Lab) -> None:
    hold = threading.Event()

    def builder(_prompt: str, body: Body) -> Scripted:
        if body["messages"][-1]["role"] != "tool":
            return tools_reply(("read", {"path": "calc.py"}), usage=(100, 10))
        if not hold.is_set():
            return write_reply("late.txt", "late " * 50, fault="slow-bytes", delay=5.0)
        return write_reply("late.txt", "late\n")

    lab.on("You are the builder", "the late file", reply=builder)
    run = lab.start("# Late\n\nWrite the late file.", "--depth", "quick")
    lab.until(run, "model.called", count=2)
    lab.studio("cancel", run)
    assert lab.ended(run)["status"] == "cancelled"
    hold.set()
    lab.studio("resume", run)
    assert lab.ended(run, count=2)["status"] == "ready"
    first = [request for request in lab.asked("the late file") if request.body["messages"][-1]["role"] != "tool"]
    assert len(first) == 1
    assert len(lab.kinds(run, "model.replied")) == 2
    assert [event.get("repeated", False) for event in lab.kinds(run, "model.called")] == [False, False, True]
    state = lab.json("show", run)
    assert state["spend"]["calls"] == 2


def test_a_remark_reaches_the_next_turn(lab: Lab) -> None:
    told = threading.Event()

    def builder(_prompt: str, body: Body) -> Scripted:
        if body["messages"][-1]["role"] == "tool" or told.is_set():
            return write_reply("sign.txt", "sign\n")
        assert told.wait(60)
        return tools_reply(("read", {"path": "calc.py"}))

    lab.on("You are the builder", "the sign", reply=builder)
    run = lab.start("# Sign\n\nWrite the sign.", "--depth", "quick")
    assert wait_for(lambda: lab.asked("the sign"))
    lab.studio("tell", run, "Make it a large sign.")
    told.set()
    assert lab.ended(run)["status"] == "ready"
    before, after = lab.asked("the sign")
    assert "large sign" not in before.prompt
    assert "large sign" in after.prompt


def test_a_revision_is_told_what_was_rejected(lab: Lab) -> None:
    lab.on("You are the builder", "the poem", reply=write_reply("poem.txt", "roses\n"))
    run = lab.start("# Poem\n\nWrite the poem.", "--depth", "quick")
    assert lab.ended(run)["status"] == "ready"
    lab.on("You are the builder", "the poem", "Not roses", reply=write_reply("poem.txt", "violets\n"))
    revision = str(lab.json("revise", run, "--note", "Not roses, violets.")["run"])
    assert lab.ended(revision)["status"] == "ready"
    assert lab.tree(revision)["poem.txt"] == "violets\n"
