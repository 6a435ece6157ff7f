"""Models that are absent, refuse, or talk nonsense; budgets of nothing; no sandbox: each ends the run with its own exit code."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.belongings import belongings, scripted, told
from tests.fakes.studio_lab import Lab

CONFIG = "idle_seconds = 5\n[models]\ncache = false\nattempts = 2\n"
FAULTS = ("unauthorized", "quota", "not-found", "garbage", "empty", "refuse")
PRICED = "openai/gpt-4o"


def rules() -> dict[str, object]:
    """Return an instant model that has the fault its prompt names."""
    faults = [{"contains": [f"fault {fault}"], "fault": fault} for fault in FAULTS]
    nonsense = {"contains": ["fault nonsense"], "reply": "Colourless green ideas sleep furiously."}
    broken = {"contains": ["fault bad calls"], "tool_calls": [{"name": "edit", "arguments": '{"path": 7, "cont'}]}
    strange = {"contains": ["fault strange tool"], "tool_calls": [{"name": "launch", "arguments": "{}"}]}
    return {"rules": [*faults, nonsense, broken, strange, *scripted()["rules"]]}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with Lab(tmp_path_factory.mktemp("models"), rules(), config='sandbox = "bubblewrap"\n' + CONFIG) as lab:
        yield lab


def start(lab: Lab, wish: str) -> list[str]:
    return ["run", lab.brief(f"# Multiply\n\nAdd mul to mul.py. {wish}", wish.replace(" ", "-")), "--depth", "quick"]


def test_no_model_chosen_says_how_to_choose(lab: Lab) -> None:
    before = belongings(lab.repo)
    told(lab.studio(*start(lab, "unchosen"), code=None), 2, "No model is chosen", "--model")
    assert belongings(lab.repo) == before


@pytest.mark.parametrize(
    ("spec", "code", "what"),
    [
        ("nobody/nothing", 5, "nobody/nothing"),
        ("replay:absent.jsonl", 2, "absent.jsonl"),
        ("replay:", 2, "replay"),
    ],
)
def test_a_model_that_cannot_be(lab: Lab, spec: str, code: int, what: str) -> None:
    before = belongings(lab.repo)
    done = lab.studio(*start(lab, "impossible"), "--model", spec, code=None)
    assert (done.returncode, what in done.stdout + done.stderr) == (code, True), f"{done.stdout}\n{done.stderr}"
    assert belongings(lab.repo) == before


def test_a_server_that_is_not_there(lab: Lab) -> None:
    model = ["--model", "openai/instant", "--api-base", "http://127.0.0.1:9/v1"]
    run = lab.json(*start(lab, "unreachable"), *model, code=5)
    assert run["status"] == "failed"


@pytest.mark.parametrize("fault", FAULTS)
def test_a_model_that_does_not_answer(lab: Lab, fault: str) -> None:
    before = belongings(lab.repo)
    run = lab.json(*start(lab, f"fault {fault}"), *lab.model(), code=5)
    assert run["status"] == "failed"
    assert run["exit_code"] == 5
    assert run["changeset"] is None
    assert belongings(lab.repo) == before
    said = run["summary"]
    assert "openai/instant" in said
    if fault in {"unauthorized", "quota"}:
        assert fault in said
    assert len([one for one in lab.server.requests if f"fault {fault}" in one.prompt]) <= 2


@pytest.mark.parametrize("wish", ["fault nonsense", "fault bad calls", "fault strange tool"])
def test_a_model_that_talks_nonsense(lab: Lab, wish: str) -> None:
    before = belongings(lab.repo)
    run = lab.json(*start(lab, wish), *lab.model(), code=1)
    assert run["status"] in {"failed", "needs_attention"}
    assert run["hunks"] == 0
    assert "changed nothing" in run["summary"]
    assert belongings(lab.repo) == before
    assert len([one for one in lab.server.requests if wish in one.prompt]) <= 20


@pytest.mark.parametrize("where", ["option", "brief"])
def test_a_budget_of_nothing_sends_nothing(lab: Lab, where: str) -> None:
    words = start(lab, f"penniless {where}")
    if where == "brief":
        path = Path(words[1])
        path.write_text("---\nbudget: 0\n---\n" + path.read_text())
    else:
        words += ["--budget", "0"]
    run = lab.json(*words, "--model", PRICED, "--api-base", lab.server.url, code=4)
    assert run["status"] == "needs_attention"
    assert "budget" in run["summary"]
    assert run["cost_usd"] == 0
    assert not [one for one in lab.server.requests if "penniless" in one.prompt]


@pytest.mark.parametrize("budget", ["-1", "nan", "inf", "lots"])
def test_a_budget_that_is_no_amount(lab: Lab, budget: str) -> None:
    told(lab.studio(*start(lab, "odd budget"), *lab.model(), f"--budget={budget}", code=None), 2, "")


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab on a machine with git and nothing to put code into."""
    home = tmp_path_factory.mktemp("bare")
    programs = home / "bin"
    programs.mkdir()
    for name in ("git", "sh"):
        found = shutil.which(name)
        assert found
        (programs / name).symlink_to(found)
    environ = {"PATH": str(programs), "DOCKER_HOST": "unix:///nonexistent/docker.sock"}
    with Lab(home / "lab", scripted(), config=CONFIG, environ=environ) as lab:
        yield lab


def test_without_a_sandbox_nothing_runs_and_verdicts_say_so(bare: Lab) -> None:
    run = bare.json(*start(bare, "careful"), *bare.model(), code=7)
    assert run["status"] == "needs_attention"
    assert run["changeset"]
    state = bare.json("show", run["run"])
    assert not state.get("sandbox")
    unrun = {name: check for name, check in state["checks"].items() if check["outcome"] == "not-run"}
    assert "tests" in unrun
    assert all(check["reason"] for check in unrun.values())
    assert not [check for check in state["checks"].values() if check["outcome"] == "passed" and check.get("command")]
    done = bare.studio("accept", run["run"], "--all", code=None)
    told(done, 3, "", "--unchecked")
    assert not (bare.repo / "mul.py").exists()
    bare.studio("accept", run["run"], "--all", "--unchecked")
    assert (bare.repo / "mul.py").exists()


@pytest.mark.parametrize("level", ["docker", "bubblewrap"])
def test_a_sandbox_that_is_asked_for_and_absent_ends_the_run(bare: Lab, level: str) -> None:
    run = bare.json(*start(bare, f"only {level}"), *bare.model(), "--sandbox", level, code=7)
    assert run["status"] == "failed"
    assert level in run["summary"]
    assert not [one for one in bare.server.requests if f"only {level}" in one.prompt]


@pytest.mark.parametrize("words", [["exec", "--", "true"], ["exec", "--sandbox", "docker", "--", "true"]])
def test_no_command_runs_without_a_sandbox(bare: Lab, words: list[str]) -> None:
    told(bare.studio(*words, code=None), 7, "sandbox", "")
