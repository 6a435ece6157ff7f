"""Commands that ask a host: a real one, which has no worker, so that a run stays where it was put."""

from __future__ import annotations

import json

import pytest

from tests.fakes.command_lab import CommandLab

UNKNOWN = [
    ["show", "r-nothing"],
    ["events", "r-nothing"],
    ["tell", "r-nothing", "more tests"],
    ["answer", "r-nothing", "g1", "yes"],
    ["cancel", "r-nothing"],
    ["resume", "r-nothing"],
    ["fork", "r-nothing", "--from", "build"],
    ["revise", "r-nothing"],
    ["changes", "r-nothing"],
    ["changes", "r-nothing", "--patch"],
    ["accept", "r-nothing", "--all"],
    ["reject", "r-nothing", "--all"],
]


@pytest.fixture
def run(lab: CommandLab) -> str:
    """Return the id of a run that no worker takes up."""
    lab.write("greet.md", "# Greet\n\nSay hello.\n")
    return lab.studio("run", "greet.md", "--model", "replay:/nowhere.jsonl", "--detach").stdout.strip()


def test_unknown_runs_are_refused(lab: CommandLab) -> None:
    for arguments in UNKNOWN:
        done = lab.studio(*arguments)
        lines = done.stderr.splitlines()
        assert (arguments, done.returncode, done.stdout) == (arguments, 2, "")
        assert "r-nothing" in lines[0]
        assert len(lines) == 2


def test_a_run_without_a_model_says_how_to_choose(lab: CommandLab) -> None:
    lab.write("greet.md", "# Greet\n\nSay hello.\n")
    done = lab.studio("run", "greet.md")

    what, do = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert "No model is chosen" in what
    assert "--model" in do


def test_no_run_yet(lab: CommandLab) -> None:
    done = lab.studio("runs")

    assert (done.returncode, done.stdout) == (0, "")
    assert "studio run BRIEF" in done.stderr
    assert lab.json("runs", "--json") == []


def test_a_run_that_waits_is_listed_shown_steered_and_cancelled(lab: CommandLab, run: str) -> None:
    listed = lab.json("runs", "--json")
    assert [(item["kind"], item["run"], item["status"], item["brief"]) for item in listed] == [
        ("run", run, "queued", "greet")
    ]
    assert run in lab.studio("runs").stdout
    assert lab.json("show", run, "--json")["id"] == run
    assert "Greet" in lab.studio("show", run).stdout

    assert lab.studio("tell", run, "say it twice").returncode == 0
    assert lab.studio("cancel", run).returncode == 0
    records = [json.loads(line) for line in lab.studio("events", run, "--json").stdout.splitlines()]
    kinds = [record["kind"] for record in records]
    assert kinds[:3] == ["run.requested", "run.told", "run.cancel_requested"]
    assert records[1]["payload"]["text"] == "say it twice"
    assert [record["seq"] for record in records] == sorted(record["seq"] for record in records)
    assert "run.told" in lab.studio("events", run).stdout


def test_detached_as_json(lab: CommandLab) -> None:
    lab.write("greet.md", "# Greet\n\nSay hello.\n")

    assert set(lab.json("run", "greet.md", "--model", "auto", "--detach", "--json")) == {"run"}


def test_from_a_directory_below(lab: CommandLab) -> None:
    (lab.root / "deep").mkdir()
    done = lab.studio("runs", "--json", cwd=lab.root / "deep")

    assert (done.returncode, done.stdout) == (0, "[]\n")


def test_secrets_and_large_files_that_are_left_out_are_named(lab: CommandLab) -> None:
    lab.write("greet.md", "# Greet\n\nSay hello.\n")
    lab.write(".env", "TOKEN=abc\n")
    done = lab.studio("run", "greet.md", "--model", "auto", "--detach")

    assert done.returncode == 0
    assert "left out: .env" in done.stderr


def test_no_landing_to_undo(lab: CommandLab) -> None:
    done = lab.studio("undo")

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 2


def test_a_line_that_is_not_the_studios(lab: CommandLab) -> None:
    lab.write("sub/other.py", "x = 1\n")

    assert lab.json("why", "app.py:1", "--json")["found"] is False
    assert "not the studio's" in lab.studio("why", "app.py:1").stdout
    assert lab.studio("why", "other.py:1", cwd=lab.root / "sub").returncode == 0
    assert lab.studio("why", "../../other.py:1").returncode == 2


def test_the_log_is_audited_and_a_payload_erased(lab: CommandLab, run: str) -> None:
    assert lab.json("audit", "--json")["ok"] is True
    assert lab.studio("tell", run, "the key is hunter2").returncode == 0
    told = next(
        record
        for record in map(json.loads, lab.studio("events", run, "--json").stdout.splitlines())
        if record["kind"] == "run.told"
    )

    done = lab.studio("forget", str(told["seq"]), "--reason", "a leaked key")
    assert (done.returncode, "erased" in done.stdout) == (0, True)
    assert "hunter2" not in lab.studio("events", run, "--json").stdout
    audit = lab.json("audit", "--json")
    assert (audit["ok"], audit["erased"]) == (True, [told["seq"]])
    assert "the chain holds; 1 payload" in lab.studio("audit").stdout


def test_garbage_is_collected(lab: CommandLab) -> None:
    assert lab.studio("gc").returncode == 0
    assert lab.studio("gc", "--keep-days", "-1").returncode == 2


def test_a_configuration_that_is_wrong_is_named(lab: CommandLab) -> None:
    lab.write(".studio/config.toml", "wrokers = 1\n")
    done = lab.studio("runs")

    assert done.returncode != 0
    assert "wrokers" in done.stderr
