"""`make setup` says what is missing and what to do, and costs nothing when nothing changed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

TOOLS = ("sh", "awk", "rm", "id", "date", "touch", "uname", "mkdir", "dirname")


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """Return a directory of programs, for PATH, with an old Python."""
    directory = tmp_path / "bin"
    directory.mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found is not None
        (directory / tool).symlink_to(found)
    old = directory / "python3"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.2 && exit 0\nexit 1\n')
    old.chmod(0o755)
    return directory


def setup(root: Path, programs: Path, venv: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [programs / "sh", root / ".ci" / "setup", venv, venv / "stamp"],
        cwd=root,
        env={"PATH": str(programs), "HOME": str(venv.parent)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_old_python_is_named(root: Path, programs: Path, tmp_path: Path) -> None:
    done = setup(root, programs, tmp_path / "venv")

    what, do = done.stderr.splitlines()
    assert done.returncode == 2
    assert what == "setup: Python 3.11 or newer is needed; found: Python 3.9.2."
    assert "make setup PYTHON=" in do
    assert not (tmp_path / "venv").exists()


def test_no_git_is_named(root: Path, programs: Path, tmp_path: Path) -> None:
    recent = programs / "python3.12"
    recent.write_text("#!/bin/sh\nexit 0\n")
    recent.chmod(0o755)
    done = setup(root, programs, tmp_path / "venv")

    assert done.returncode == 2
    assert "git is needed and was not found" in done.stderr


def test_the_stamp_follows_what_is_installed(root: Path, tmp_path: Path) -> None:
    """With a stamp newer than what it depends on, make has nothing to do."""
    venv = tmp_path / "venv"
    venv.mkdir()
    (venv / ".setup-stamp").touch()

    done = subprocess.run(["make", "-q", "setup", f"VENV={venv}"], cwd=root, capture_output=True, check=False)
    assert done.returncode == 0
