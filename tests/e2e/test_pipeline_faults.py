"""Runs that go wrong: models that fail, budgets, repairs that do not converge, no sandbox, an environment that is not there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.openai_server import Body, Scripted
from tests.fakes.studio_lab import Lab, write_reply

CONFIG = 'sandbox = "bubblewrap"\n[models]\ncache = false\nattempts = 2\n'


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with Lab(tmp_path_factory.mktemp("faults"), config=CONFIG) as lab:
        yield lab


def quick(lab: Lab, text: str, *options: str, code: int | None) -> tuple[str, str]:
    """Run a brief and return the run's id and what was printed."""
    done = lab.studio("run", lab.brief(text), *lab.model(), "--depth", "quick", *options, code=code)
    return done.stdout.split()[0], done.stdout


def test_nonsense_for_ever_ends_the_run_with_a_reason(lab: Lab) -> None:
    lab.on("You are the builder", "the nonsense", reply=Scripted("<<<<< ??? }}}} ~~~"))
    run, printed = quick(lab, "# N\n\nWrite the nonsense.", code=1)
    assert lab.ended(run)["status"] == "failed"
    assert "changed nothing" in printed


def test_an_empty_model_is_no_answer(lab: Lab) -> None:
    lab.on("You are the builder", "the silence", reply=Scripted(fault="empty"))
    run, _ = quick(lab, "# S\n\nWrite the silence.", code=5)
    assert lab.ended(run)["status"] == "failed"


@pytest.mark.parametrize("fault", ["unauthorized", "quota", "garbage", "not-found"])
def test_no_model_answers(lab: Lab, fault: str) -> None:
    lab.on("You are the builder", f"the {fault} file", reply=Scripted(fault=fault))
    run, printed = quick(lab, f"# {fault}\n\nWrite the {fault} file.", code=5)
    assert lab.ended(run)["exit_code"] == 5
    assert lab.kinds(run, "model.failed")
    assert "failed" in printed


def test_a_structured_answer_that_cannot_be_read_ends_the_run(lab: Lab) -> None:
    lab.on("You are the architect", "the riddle", reply=Scripted("What has keys and opens nothing?"))
    done = lab.studio("run", lab.brief("# R\n\nSolve the riddle."), *lab.model(), "--depth", "standard", code=5)
    assert "cannot be used" in done.stdout or "could not be used" in done.stdout


def test_budget_zero_sends_nothing_that_costs(lab: Lab) -> None:
    lab.on("You are the builder", "the expense", reply=write_reply("expense.txt", "1\n"))
    options = ("--model", "openai/gpt-4o-mini", "--api-base", lab.server.url, "--depth", "quick", "--budget", "0")
    done = lab.studio("run", lab.brief("# E\n\nWrite the expense."), *options, code=4)
    assert "needs_attention" in done.stdout.replace(" ", "_")
    assert not lab.asked("the expense")


def test_a_budget_is_raised_by_a_person_once(lab: Lab) -> None:
    lab.on("You are the builder", "the raise", reply=write_reply("raise.txt", "2\n"))
    options = ("--model", "openai/gpt-4o-mini", "--api-base", lab.server.url, "--depth", "quick", "--budget", "0")
    brief = lab.brief("# Raise\n\nWrite the raise.")
    run = str(lab.json("run", brief, *options, "--on-gate", "wait", "--detach")["run"])
    gate = lab.until(run, "gate.opened")["gate"]
    assert gate["kind"] == "budget"
    lab.studio("answer", run, gate["id"], gate["options"][0])
    assert lab.ended(run)["status"] == "ready"
    assert len(lab.kinds(run, "gate.opened")) == 1


def test_a_replay_without_the_entry_needs_attention(lab: Lab) -> None:
    lab.on("You are the builder", "the tape", reply=write_reply("tape.txt", "tape\n"))
    tape = lab.home / "tape.jsonl"
    quick(lab, "# Tape\n\nWrite the tape.", "--record", str(tape), code=0)
    lines = tape.read_text().splitlines()
    assert len(lines) == 2
    replayed = lab.studio(
        "run", lab.brief("# Tape\n\nWrite the tape."), "--model", f"replay:{tape}", "--depth", "quick"
    )
    assert "replay:tape.jsonl" in replayed.stdout
    tape.write_text(lines[0] + "\n")
    (lab.repo / "tape.txt").write_text("in the way\n")
    options = ("--model", f"replay:{tape}", "--depth", "quick")
    done = lab.studio("run", lab.brief("# Tape\n\nWrite the tape."), *options, code=8)
    assert "holds no reply" in done.stdout


def test_the_same_failure_twice_ends_the_repair_with_the_best_tree(lab: Lab) -> None:
    texts = iter(range(1000))

    def builder(_prompt: str, _body: Body) -> Scripted:
        return write_reply("stuck.txt", f"{next(texts)}\n")

    lab.on("You are the builder", "the stuck file", reply=builder)
    run, printed = quick(lab, "---\naccept: ['false']\n---\n# Stuck\n\nWrite the stuck file.", code=3)
    stopped = lab.kinds(run, "repair.stopped")[0]
    assert (stopped["why"], stopped["rounds"]) == ("same failure twice", 1)
    assert "same failure twice" in printed
    assert "stuck.txt" in lab.tree(run)


def test_a_repair_that_edits_nothing_ends(lab: Lab) -> None:
    def builder(prompt: str, _body: Body) -> Scripted:
        return Scripted("It is fine as it is.") if "## Task F1" in prompt else write_reply("idle.txt", "1\n")

    lab.on("You are the builder", "the idle file", reply=builder)
    run, _ = quick(lab, "---\naccept: ['false']\n---\n# Idle\n\nWrite the idle file.", code=3)
    assert lab.kinds(run, "repair.stopped")[0]["why"] == "no edits"


def test_a_failure_is_repaired(lab: Lab) -> None:
    def builder(prompt: str, _body: Body) -> Scripted:
        return write_reply("mend.txt", "good\n" if "## Task F1" in prompt else "bad\n")

    lab.on("You are the builder", "the mended file", reply=builder)
    run, _ = quick(lab, "---\naccept: ['grep -q good mend.txt']\n---\n# Mend\n\nWrite the mended file.", code=0)
    assert lab.kinds(run, "repair.stopped")[0] == {
        "kind": "repair.stopped", "why": "clean", "rounds": 1, "ok": True,
    }  # fmt: skip
    assert lab.tree(run)["mend.txt"] == "good\n"


def test_setup_mounts_variables_services_and_the_test_command_are_honoured(tmp_path: Path) -> None:
    files = {"calc.py": "X = 1\n", ".gitignore": "deps/\nbuilt/\n", "wanted.txt": "dep\n"}
    with Lab(tmp_path, files=files, config=CONFIG, environ={"STAGE_NAME": "rehearsal"}) as lab:
        (lab.repo / "deps").mkdir()
        (lab.repo / "deps" / "here.txt").write_text("here\n")
        (lab.repo / ".studio").mkdir(exist_ok=True)
        (lab.repo / ".studio" / "environment.toml").write_text(
            "setup = ['mkdir -p built && cp wanted.txt built/made.txt && echo ran']\n"
            "mounts = ['deps']\n"
            "variables = ['STAGE_NAME']\n"
            "services = ['echo ready > /tmp/served; exec sleep 600']\n"
            "test = 'cat deps/here.txt built/made.txt /tmp/served && test \"$STAGE_NAME\" = rehearsal && ! touch deps/x'\n"
            "run = 'test -f built/made.txt'\n"
        )
        lab.on("You are the builder", "the honest file", reply=write_reply("honest.txt", "1\n"))
        run, printed = quick(lab, "# Honest\n\nWrite the honest file.", code=0)
        verdicts = {event["result"]["check"]: event["result"] for event in lab.kinds(run, "check.finished")}
        assert verdicts["tests"]["outcome"] == "passed", (verdicts["tests"], printed)
        assert len(lab.kinds(run, "command.finished", "environment/")) == 1

        # Once for what it reads: another run does not set up again, one with another file does.
        again, _ = quick(lab, "# Honest\n\nWrite the honest file, again.", code=0)
        assert not lab.kinds(again, "command.started", "environment/")
        (lab.repo / "wanted.txt").write_text("another dep\n")
        third, _ = quick(lab, "# Honest\n\nWrite the honest file, thirdly.", code=0)
        assert len(lab.kinds(third, "command.finished", "environment/")) == 1

        # What cannot be honoured is said on each verdict that did not pass.
        (lab.repo / ".studio" / "environment.toml").write_text(
            "setup = ['exit 3']\nmounts = ['nowhere', '../..']\nvariables = ['NOT_SET_ANYWHERE']\ntest = 'false'\n"
        )
        run, _ = quick(lab, "# Honest\n\nWrite the honest file, badly.", code=3)
        failed = next(e["result"] for e in lab.kinds(run, "check.finished") if e["result"]["check"] == "tests")
        for said in ("setup `exit 3`", "nowhere is not mounted", "../.. is not mounted", "NOT_SET_ANYWHERE"):
            assert said in failed["summary"]

        (lab.repo / ".studio" / "environment.toml").write_text("services = ['echo no; exit 4']\ntest = 'true'\n")
        run, _ = quick(lab, "# Honest\n\nWrite the honest file, unserved.", code=0)
        unrun = next(e["result"] for e in lab.kinds(run, "check.finished") if e["result"]["check"] == "tests")
        assert unrun["outcome"] == "not-run"
        assert "exit code 4" in unrun["reason"]

        (lab.repo / ".studio" / "environment.toml").write_text("setup = 'x'\nwrong\n")
        _, printed = quick(lab, "# Honest\n\nWrite the honest file, wrongly.", code=2)
        assert "environment.toml cannot be read" in printed


def test_a_run_out_of_time_ends(tmp_path: Path) -> None:
    config = f"{CONFIG}[budget]\nseconds = 3\n"
    with Lab(tmp_path, config=config) as lab:
        lab.on("You are the builder", reply=write_reply("slow.txt", "word " * 400, fault="slow-bytes", delay=5.0))
        run, printed = quick(lab, "# Slow\n\nWrite the slow file.", code=4)
        assert lab.ended(run)["status"] == "needs_attention"
        assert "3 s of working time" in printed


def tools_without(tmp_path: Path, *names: str) -> str:
    """Return a PATH with all of this machine's tools but some."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for directory in os.environ["PATH"].split(":"):
        for tool in Path(directory).iterdir() if Path(directory).is_dir() else ():
            if tool.name not in names and not (folder / tool.name).exists():
                (folder / tool.name).symlink_to(shutil.which(str(tool)) or tool)
    return str(folder)


def test_without_a_sandbox_nothing_is_said_to_have_passed(tmp_path: Path) -> None:
    environ = {"PATH": tools_without(tmp_path, "bwrap"), "DOCKER_HOST": "unix:///nowhere/docker.sock"}
    with Lab(tmp_path, config="[models]\ncache = false\n", environ=environ) as lab:
        lab.on("You are the builder", reply=write_reply("free.txt", "1\n"))
        run, printed = quick(lab, "# Free\n\nWrite the free file.", code=7)
        assert lab.ended(run)["status"] == "needs_attention"
        outcomes = {event["result"]["outcome"] for event in lab.kinds(run, "check.finished")}
        assert outcomes == {"not-run"}
        assert "nothing was checked" in printed
        assert "free.txt" in lab.tree(run)

        named, _ = quick(lab, "# Free\n\nWrite the free file.", "--sandbox", "docker", code=7)
        assert lab.ended(named)["status"] == "failed"
        assert not lab.kinds(named, "model.called")
