"""What the doctor looks at, a subject at a time."""

from __future__ import annotations

import os
import py_compile
import sys
from pathlib import Path

import pytest

from studio.cli.checkup import engine, machine
from studio.cli.checkup.finding import Finding, State, guarded
from studio.domain.config import Config, MemoryConfig, ModelConfig
from studio.domain.errors import UsageError

HEAVY = ("textual", "litellm", "chromadb", "dbos", "sqlalchemy")


def test_a_module_is_compiled_when_its_bytecode_is_of_its_source(tmp_path: Path) -> None:
    source = tmp_path / "module.py"
    source.write_text("x = 1\n")
    assert not machine._compiled(source)

    py_compile.compile(str(source))
    assert machine._compiled(source)

    source.write_text("x = 1000\n")
    assert not machine._compiled(source)


@pytest.mark.parametrize("package", HEAVY)
def test_what_was_installed_is_compiled(package: str) -> None:
    """`make setup` compiles: without it, starting takes two to three times as long."""
    assert [source for source in machine._sources(package) if not machine._compiled(source)] == []


def test_what_is_not_compiled_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "fresh"
    package.mkdir()
    (package / "__init__.py").touch()
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(machine, "_PACKAGES", ("fresh",))

    (finding,) = machine.bytecode()
    assert (finding.state, finding.found) == (State.ADVICE, "1 of 1 modules are not compiled: fresh (1)")
    assert "make setup" in finding.do


@pytest.mark.parametrize("term", ["", "dumb"])
def test_a_terminal_that_cannot_show_the_studio(term: str) -> None:
    (finding,) = machine.terminal({"TERM": term})

    assert finding.state is State.ADVICE
    assert "studio run" in finding.do


def test_a_terminal_over_ssh() -> None:
    (finding,) = machine.terminal({"TERM": "xterm-256color", "COLORTERM": "truecolor", "SSH_TTY": "/dev/pts/1"})

    assert "COLORTERM=truecolor" in finding.found
    assert "over ssh" in finding.found


def test_a_socket_directory_of_ones_own(tmp_path: Path) -> None:
    environ = {"XDG_RUNTIME_DIR": str(tmp_path)}
    (absent,) = machine.sockets(environ)
    assert (absent.state, "will be made" in absent.found) == (State.OK, True)
    assert list(tmp_path.iterdir()) == []

    directory = tmp_path / "quantumlayer-studio"
    directory.mkdir(mode=0o700)
    assert machine.sockets(environ)[0].state is State.OK

    directory.chmod(0o755)
    assert machine.sockets(environ)[0].state is State.ADVICE


def test_a_socket_directory_that_is_a_link(tmp_path: Path) -> None:
    (tmp_path / "quantumlayer-studio").symlink_to(tmp_path)
    (finding,) = machine.sockets({"XDG_RUNTIME_DIR": str(tmp_path)})

    assert finding.state is State.BROKEN


def test_git_that_is_too_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "git"
    program.write_text("#!/bin/sh\necho git version 2.30.2\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    (finding,) = machine.git()
    assert (finding.state, finding.found) == (State.BROKEN, "git version 2.30.2")


def test_no_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert machine.git()[0].state is State.BROKEN


def test_models_are_named_by_how_they_were_found(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.endswith("_API_KEY")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MISTRAL_API_KEY", "very-secret")

    (finding,) = engine.models(Config(models=ModelConfig(default="openai/gpt-5.4")))
    assert "openai/gpt-5.4 (configuration)" in finding.found
    assert "MISTRAL_API_KEY is set, auto" in finding.found
    assert "very-secret" not in repr(finding)
    assert "None was asked" in finding.means


def test_memory_says_what_it_did_not_try() -> None:
    (named,) = engine.memory(Config(memory=MemoryConfig(embedder="openai/text-embedding-3-small")))
    assert "The embedder was not asked." in named.means

    (none,) = engine.memory(Config(memory=MemoryConfig(embedder="none")))
    assert "no embedder" in none.found
    assert none.do == ""


def test_one_broken_part_hides_no_other() -> None:
    def refuse() -> list[Finding]:
        raise UsageError("It is wrong.", "Mend it.")

    def fail() -> list[Finding]:
        raise OSError(5, "disk on fire")

    assert guarded("part", refuse) == [
        Finding("part", State.BROKEN, "It is wrong.", "It cannot be used as it is.", "Mend it.")
    ]
    assert "disk on fire" in guarded("part", fail)[0].found
