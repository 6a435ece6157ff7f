"""What is a person's in a repository, to compare before and after; and how an error is told to them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

from tests.fakes.studio_lab import Lab, git

__all__ = ["belongings", "quick", "scripted", "told"]


def belongings(worktree: Path) -> dict[str, object]:
    """Return everything a person has in a working tree and its repository: files, index, references, stash, configuration."""
    directory = Path(git(worktree, "rev-parse", "--absolute-git-dir").strip())
    common = Path(git(worktree, "rev-parse", "--path-format=absolute", "--git-common-dir").strip())
    index = directory / "index"
    return {
        "files": _files(worktree),
        "index": index.read_bytes() if index.exists() else b"",
        "head": (directory / "HEAD").read_text(),
        "refs": git(worktree, "for-each-ref"),
        "stash": git(worktree, "stash", "list"),
        "worktrees": git(worktree, "worktree", "list"),
        "config": (common / "config").read_bytes(),
    }


def _files(worktree: Path) -> dict[str, tuple[int, bytes]]:
    found: dict[str, tuple[int, bytes]] = {}
    for folder, folders, names in os.walk(worktree):
        folders[:] = [name for name in folders if name != ".git"]
        for path in (Path(folder) / name for name in names if name != ".git"):
            content = os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes()
            found[str(path.relative_to(worktree))] = (path.lstat().st_mode, content)
    return found


def told(done: subprocess.CompletedProcess[str], code: int, what: str, do: str = "") -> None:
    """Check that a command failed as commands do: its exit code, one line on what is wrong, one on what to do.

    Args:
        done: What the command left.
        code: The exit code wanted.
        what: Must be in the first line.
        do: Must be in the second.

    """
    assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    lines = done.stderr.splitlines()
    assert len(lines) > 1, done.stderr
    assert lines[-2].startswith("studio: "), done.stderr
    assert lines[-1].startswith("        "), done.stderr
    assert what in lines[-2], done.stderr
    assert do in lines[-1], done.stderr
    assert "Traceback" not in done.stderr


def scripted(
    path: str = "mul.py", content: str = "def mul(a: int, b: int) -> int:\n    return a * b\n"
) -> dict[str, Any]:
    """Return the script of an instant model that writes one file, whatever it is asked."""
    call = {"name": "edit", "arguments": {"path": path, "content": content, "done": True}}
    return {"rules": [{"contains": ["You are the builder"], "reply": "Done.", "tool_calls": [call]}]}


def quick(lab: Lab, text: str = "# Multiply\n\nAdd mul to mul.py.", *options: str, name: str = "brief") -> str:
    """Run a brief at depth quick to its change set and return the run's id."""
    run = lab.json("run", lab.brief(text, name), *lab.model(), "--depth", "quick", *options)
    assert run["status"] == "ready", run
    return str(run["run"])
