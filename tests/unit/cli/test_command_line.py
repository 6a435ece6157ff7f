"""What is refused before anything is done, and how it is told: one line on what, one on what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from studio import __version__
from studio.cli import COMMANDS, make_parser, run_command_line, usage
from studio.cli.common import plain, print_json
from studio.domain.errors import Problem
from studio.domain.value import decode
from tests.fakes.command_lab import CommandLab

BAD = [
    (["rnu"], "rnu is neither a command nor a directory", "studio run"),
    (["xyzzy"], "xyzzy is neither a command nor a directory", "--help"),
    (["./nowhere"], "nowhere does not exist", "directory"),
    (["app.py"], "app.py is not a directory", "studio run app.py"),
    (["--nonsense"], "--nonsense", "studio --help"),
    (["run"], "BRIEF", "studio run --help"),
    (["run", "nowhere.md"], "There is no brief nowhere.md", ".studio/briefs"),
    (["run", "x.md", "--depth", "bottomless"], "--depth", "studio run --help"),
    (["run", "good.md", "--budget", "-1"], "no amount", "0 or more"),
    (["run", "good.md", "--budget", "nan"], "no amount", "0 or more"),
    (["run", "good.md", "--budget", "much"], "--budget", "studio run --help"),
    (["show"], "RUN", "studio show --help"),
    (["fork", "r-1", "--from", "nowhere"], "--from", "studio fork --help"),
    (["why", "app.py"], "is not FILE:LINE", "src/app.py:12"),
    (["accept", "r-1", "--all", "--to", "moon"], "no landing target", "worktree"),
    (["accept", "r-1", "--all", "--to", "branch:"], "no landing target", "worktree"),
    (["exec"], "There is no command", "--"),
    (["exec", "--timeout", "0", "--", "true"], "more than nothing", "--timeout"),
    (["exec", "--lang", "cobol", "--", "1"], "--lang", "studio exec --help"),
    (["map", "--tokens", "0"], "more than nothing", "--tokens"),
    (["map", "--focus", "../other.py"], "is not in", "Give a path in the repository"),
    (["check", "nowhere"], "nowhere is not a directory", "Give a directory"),
    (["memory"], "search|show", "studio memory --help"),
    (["forget", "1"], "--reason", "studio forget --help"),
    (["forget", "one", "--reason", "x"], "SEQ", "studio forget --help"),
]


@pytest.mark.parametrize(("arguments", "what", "do"), BAD, ids=[" ".join(bad[0]) for bad in BAD])
def test_bad_input_is_told_in_two_lines(
    arguments: list[str],
    what: str,
    do: str,
    lab: CommandLab,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lab.write("good.md", "# Good\n\nSay hello.\n")
    monkeypatch.chdir(lab.root)
    monkeypatch.setenv("XDG_RUNTIME_DIR", lab.environ["XDG_RUNTIME_DIR"])

    assert run_command_line(arguments) == 2

    said = capsys.readouterr()
    lines = said.err.splitlines()
    assert said.out == ""
    assert len(lines) == 2
    assert lines[0].startswith("studio: ")
    assert what in lines[0]
    assert lines[1].startswith("        ")
    assert do in lines[1]


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_helps(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line([name, "--help"]) == 0

    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: studio {name}")
    assert COMMANDS[name][1][1:] in " ".join(shown.split())


def test_help_names_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["help", "run"]) == 0

    assert capsys.readouterr().out.startswith("usage: studio run")


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["help"], ["help", "nothing"]])
def test_help_lists_every_command(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(arguments) == 0

    shown = capsys.readouterr().out
    assert shown == usage() + "\n"
    assert [name for name in COMMANDS if f"studio {name} " not in shown] == []


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["--version"]) == 0

    assert capsys.readouterr().out == f"studio {__version__}\n"


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {"demo"}))
def test_every_command_takes_a_repository(name: str) -> None:
    assert "--repo" in make_parser(name).format_help()


@pytest.mark.parametrize("arguments", [["runs"], ["run", "brief.md"], ["map"], ["audit"], ["host"], ["."]])
def test_outside_a_repository_git_init_is_offered(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    assert run_command_line(arguments) == 2

    what, do = capsys.readouterr().err.splitlines()
    assert what.endswith("is not in a git repository.")
    assert f"git init {tmp_path}" in do


def test_the_studio_needs_a_terminal(lab: CommandLab) -> None:
    done = lab.studio()

    assert done.returncode == 2
    assert "needs a terminal" in done.stderr
    assert "studio run BRIEF" in done.stderr


def test_a_directory_that_is_named_like_a_command_is_opened_by_its_path(lab: CommandLab) -> None:
    (lab.root / "runs").mkdir()

    assert "needs a terminal" in lab.studio("./runs").stderr


def test_a_bug_is_told_in_two_lines_and_kept_in_a_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> int:
        raise ZeroDivisionError("by a bug")

    monkeypatch.setattr("studio.cli.upkeep.run", fail)

    assert run_command_line(["models"]) == 1

    what, do = capsys.readouterr().err.splitlines()
    assert what == "studio: an internal error: ZeroDivisionError: by a bug"
    path = Path(do.split("The traceback is in ")[1].split(";")[0])
    assert "ZeroDivisionError: by a bug" in path.read_text()
    assert path.stat().st_mode & 0o077 == 0
    path.unlink()


def test_a_closed_pipe_ends_it_silently(lab: CommandLab) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "studio", "--help"]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, env=lab.environ, check=False)
    os.close(writer)

    assert (done.returncode, done.stderr) == (141, b"")


def test_output_may_be_closed(lab: CommandLab) -> None:
    command = f"{sys.executable} -m studio --help >&-"
    done = subprocess.run(
        ["sh", "-c", command], cwd=lab.root, env=lab.environ, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_an_encoding_that_lacks_a_character_is_no_error(lab: CommandLab) -> None:
    done = lab.studio("--help", environ={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})

    assert done.returncode == 0
    assert "? 2 bad input ?" in done.stdout


@pytest.mark.parametrize(
    ("text", "shown"), [("a\tb\n", "a\tb\n"), ("\x1b[2Jgone", "�[2Jgone"), ("\u202eright", "�right"), ("é✓", "é✓")]
)
def test_control_characters_are_not_printed(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_json_on_a_terminal_is_only_shown(capsys: pytest.CaptureFixture[str]) -> None:
    value = Problem("Odd", "a\x1b[2J b\x9b31m c\u202ed\x7f é")
    print_json(value)
    printed = capsys.readouterr().out
    assert printed.rstrip("\n").isprintable()
    assert decode(printed.encode(), Problem) == value


def test_a_host_whose_socket_would_be_too_long_says_so(lab: CommandLab, tmp_path: Path) -> None:
    done = lab.studio("host", environ={"XDG_RUNTIME_DIR": str(tmp_path / ("long" * 30))})
    assert done.returncode == 2
    assert "too long for a socket" in done.stderr
    assert "Point XDG_RUNTIME_DIR at a shorter directory." in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / ("long" * 30)).exists()
