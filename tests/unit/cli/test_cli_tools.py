"""Commands that need no host: models, doctor, exec, check, map; and how choices are read."""

from __future__ import annotations

import json
import re

import pytest

from studio.cli.review import _line_choices, _target
from studio.domain.changes import LandingTarget, TargetKind
from studio.domain.errors import UsageError
from studio.domain.ids import HunkId
from tests.fakes.command_lab import CommandLab


@pytest.mark.parametrize(
    ("texts", "chosen"),
    [
        (["h-1:1"], {"h-1": (0,)}),
        (["h-1:1-3,7"], {"h-1": (0, 1, 2, 6)}),
        (["h-1:7,1-3,2-4"], {"h-1": (0, 1, 2, 3, 6)}),
        (["h-1:1", "h-2:2", "h-1:3"], {"h-1": (0, 2), "h-2": (1,)}),
        ([], {}),
    ],
)
def test_ranges_of_lines(texts: list[str], chosen: dict[str, tuple[int, ...]]) -> None:
    assert _line_choices(texts) == {HunkId(hunk): lines for hunk, lines in chosen.items()}


@pytest.mark.parametrize(
    "text", ["h-1", "h-1:", ":1", "h-1:a", "h-1:0", "h-1:3-1", "h-1:-1", "h-1:1-", "h-1:1,,2", "h-1:1-9999999999999"]
)
def test_ranges_that_name_no_line(text: str) -> None:
    with pytest.raises(UsageError):
        _line_choices([text])


def test_targets() -> None:
    assert _target("worktree") == LandingTarget(TargetKind.WORKTREE)
    assert _target("index") == LandingTarget(TargetKind.INDEX)
    assert _target("commit") == LandingTarget(TargetKind.COMMIT)
    assert _target("branch:a:b") == LandingTarget(TargetKind.BRANCH, "a:b")


def test_models_name_keys_and_never_show_them(lab: CommandLab) -> None:
    environ = {"ANTHROPIC_API_KEY": "sk-very-secret"}
    done = lab.studio("models", environ=environ)
    listed = lab.studio("models", "--json", environ=environ)

    assert "ANTHROPIC_API_KEY is set" in done.stdout
    assert "ANTHROPIC_API_KEY is set" in [info["found"] for info in json.loads(listed.stdout)]
    assert "sk-very-secret" not in done.stdout + done.stderr + listed.stdout + listed.stderr


def test_doctor_tells_every_part_and_starts_nothing(lab: CommandLab) -> None:
    done = lab.studio("doctor", "--json", environ={"OPENAI_API_KEY": "sk-very-secret"})
    told = json.loads(done.stdout)
    parts = {finding["part"]: finding for finding in told["findings"]}

    assert done.returncode == (0 if told["ok"] else 1)
    assert set(parts) >= {
        "python", "git", "repository", "configuration", "disk", "journal", "host", "sockets",
        "sandbox bubblewrap", "sandbox docker", "models", "memory", "terminal", "bytecode",
    }  # fmt: skip
    assert parts["host"]["found"] == "not running"
    assert parts["journal"]["found"] == "none yet: the first host makes it"
    assert "None was asked" in parts["models"]["means"]
    assert "sk-very-secret" not in done.stdout
    assert not lab.places.state.exists()


def test_doctor_tells_what_is_broken_and_goes_on(lab: CommandLab) -> None:
    lab.write(".studio/config.toml", "workers = 'many'\n")
    lab.write(".git/MERGE_HEAD", "")
    done = lab.studio("doctor")

    assert done.returncode == 1
    assert re.search(r"^✗ configuration .*workers", done.stdout, re.MULTILINE)
    assert re.search(r"^. bytecode", done.stdout, re.MULTILINE)


def test_doctor_outside_a_repository(lab: CommandLab) -> None:
    told = lab.json("doctor", "--json", "--repo", str(lab.root.parent), code=1)
    broken = [finding for finding in told["findings"] if finding["state"] == "broken"]

    assert "is not in a git repository" in broken[0]["found"]
    assert "git init" in broken[0]["do"]


def test_doctor_asks_a_host_that_runs(lab: CommandLab) -> None:
    assert lab.studio("runs").returncode == 0
    told = json.loads(lab.studio("doctor", "--json").stdout)
    parts = {finding["part"]: finding for finding in told["findings"]}

    assert parts["host"]["found"].startswith("process ")
    assert "records in" in parts["journal"]["found"]
    assert "`studio audit` verifies the chain" in parts["journal"]["means"]


@pytest.mark.bubblewrap
def test_exec_gives_output_and_exit_code(lab: CommandLab) -> None:
    done = lab.studio("exec", "--sandbox", "bubblewrap", "--", "sh", "-c", "cat app.py; echo oops >&2; exit 3")

    assert done.returncode == 3
    assert "def hello" in done.stdout
    assert lab.git("status", "--porcelain") == ""


@pytest.mark.bubblewrap
def test_exec_in_a_language(lab: CommandLab) -> None:
    done = lab.studio("exec", "--sandbox", "bubblewrap", "--lang", "python", "--", "print(6 * 7)")

    assert (done.returncode, done.stdout) == (0, "42\n")


@pytest.mark.bubblewrap
def test_exec_ends_at_its_time_limit(lab: CommandLab) -> None:
    done = lab.studio("exec", "--sandbox", "bubblewrap", "--timeout", "0.3", "--", "sleep", "60")

    assert done.returncode != 0
    assert "timeout after" in done.stderr


@pytest.mark.bubblewrap
def test_exec_as_json(lab: CommandLab) -> None:
    told = lab.json("exec", "--json", "--sandbox", "bubblewrap", "--", "echo", "hi")

    assert (told["exit_code"], told["ending"], told["level"]) == (0, "exited", "bubblewrap")


@pytest.mark.bubblewrap
def test_check_tells_verdicts(lab: CommandLab) -> None:
    lab.write("broken.py", "def (:\n")
    done = lab.studio("check", "--sandbox", "bubblewrap")
    results = lab.json("check", "--format", "json", "--sandbox", "bubblewrap", code=3)
    sarif = lab.json("check", "--format", "sarif", "--sandbox", "bubblewrap", code=3)

    assert done.returncode == 3
    assert "✗ syntax" in done.stdout
    assert "broken.py:1" in done.stdout
    assert {"syntax": "failed"}.items() <= {result["check"]: result["outcome"] for result in results}.items()
    assert sarif["version"] == "2.1.0"


def test_map_shows_definitions(lab: CommandLab) -> None:
    done = lab.studio("map", "--tokens", "500", "--focus", "app.py")

    assert done.returncode == 0
    assert "app.py" in done.stdout
    assert "hello" in done.stdout
