"""Briefs that cannot be run are refused before a host is started."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from studio.cli.runs import absolute_spec, options_of, read_brief
from studio.domain.errors import BriefError
from studio.domain.runs import Budget, OnGate, RunOptions
from studio.domain.stages import Depth
from tests.fakes.command_lab import CommandLab

BAD = {
    "empty": (b"", "is empty"),
    "blank": (b" \n\t\n", "is empty"),
    "front-only": (b"---\ntitle: x\n---\n", "is empty"),
    "latin": ("Füge hinzu".encode("latin-1"), "is not UTF-8 (byte 1)"),
    "nul": (b"a\0b", "NUL"),
    "big": (b"word " * 1_000_000, "5.0 MB"),
    "open": (b"---\ntitle: x\n\nDo it.\n", "is not closed"),
    "yaml": (b"---\ntitle: [x\n---\nDo it.\n", "is not YAML"),
    "key": (b"---\ncolour: red\n---\nDo it.\n", "colour"),
    "kind": (b"---\nbudget: much\n---\nDo it.\n", "budget"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_brief_is_refused_and_no_host_is_started(name: str, lab: CommandLab) -> None:
    content, what = BAD[name]
    lab.write(f"{name}.md", content)
    done = lab.studio("run", f"{name}.md", "--model", "auto")

    lines = done.stderr.splitlines()
    assert (done.returncode, done.stdout, len(lines)) == (2, "", 2)
    assert what in lines[0]
    assert lines[1].strip()
    assert not lab.places.state.exists()


def test_a_brief_from_standard_input_is_bounded(lab: CommandLab) -> None:
    done = lab.studio("run", "-", "--model", "auto", stdin=b"word " * 1_000_000)

    assert done.returncode == 2
    assert "standard input is 1.0 MB; at most 1 MB" in done.stderr


def test_a_directory_is_no_brief(lab: CommandLab) -> None:
    (lab.root / "dir.md").mkdir()
    done = lab.studio("run", "dir.md", "--model", "auto")

    assert done.returncode == 2
    assert "There is no brief dir.md" in done.stderr


def test_a_name_no_file_can_have(lab: CommandLab) -> None:
    done = lab.studio("run", "long" * 100, "--model", "auto")

    assert done.returncode == 2
    assert "cannot be read: File name too long" in done.stderr


def test_a_brief_is_found_by_its_name(lab: CommandLab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.write(".studio/briefs/greet.md", "# Greet\r\n\r\nSay hello.\r\n")
    monkeypatch.chdir(lab.root)

    assert read_brief(lab.places, "greet") == ("greet", "# Greet\n\nSay hello.\n")
    assert read_brief(lab.places, "greet.md") == ("greet", "# Greet\n\nSay hello.\n")


def test_a_file_comes_before_a_name(lab: CommandLab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.write(".studio/briefs/greet.md", "# Kept\n\nSay hello.\n")
    lab.write("greet.md", "# Here\n\nSay hello.\n")
    monkeypatch.chdir(lab.root)

    assert read_brief(lab.places, "greet.md")[1].startswith("# Here")
    with pytest.raises(BriefError):
        read_brief(lab.places, "nowhere")


@pytest.mark.parametrize(
    ("spec", "absolute"),
    [
        ("auto", "auto"),
        ("anthropic/claude-sonnet-4-5", "anthropic/claude-sonnet-4-5"),
        ("ollama/qwen3:8b", "ollama/qwen3:8b"),
        ("replay:/a/b.jsonl", "replay:/a/b.jsonl"),
    ],
)
def test_a_spec_that_needs_no_directory_stays(spec: str, absolute: str) -> None:
    assert absolute_spec(spec) == absolute


def test_files_of_a_spec_are_those_of_this_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert absolute_spec("replay:b.jsonl") == f"replay:{tmp_path}/b.jsonl"
    assert absolute_spec("manual:desk") == f"manual:{tmp_path}/desk"


NOTHING_GIVEN = {
    "model": None,
    "depth": None,
    "budget": None,
    "on_gate": None,
    "record": None,
    "api_base": None,
    "sandbox": None,
}


def test_what_is_not_given_is_left_to_the_host() -> None:
    assert options_of(argparse.Namespace(**NOTHING_GIVEN)) == RunOptions("", on_gate=OnGate.FAIL)


def test_a_fork_keeps_what_is_not_given_but_the_recording() -> None:
    old = RunOptions("m", Depth.QUICK, Budget(5.0, 100, 60.0), OnGate.FAIL, "/r.jsonl", sandbox="docker")
    given = argparse.Namespace(**{**NOTHING_GIVEN, "depth": "deep", "budget": 0.0, "on_gate": "default"})

    wanted = RunOptions("m", Depth.DEEP, Budget(0.0, 100, 60.0), OnGate.DEFAULT, "", sandbox="docker")
    assert options_of(given, old) == wanted
