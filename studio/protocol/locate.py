"""Finding the repository of a directory, and the person's name. Git is asked by a subprocess: nothing heavy is loaded."""

from __future__ import annotations

import os
import pwd
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from studio.domain.errors import RepositoryError, UsageError
from studio.domain.places import Places

__all__ = ["git_environment", "locate", "person_name"]

_OWNERSHIP = re.compile(r"detected dubious ownership")


def git_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment for git: without `GIT_DIR` and its like, which a git hook that runs the studio would pass on."""
    kept = {name: value for name, value in environ.items() if not name.startswith("GIT_") or name == "GIT_EXEC_PATH"}
    return kept | {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}


def locate(directory: Path) -> Places:
    """Return the places of the repository that `directory` is in.

    A linked worktree shares its repository's common directory; a submodule has its own.

    Raises:
        UsageError: no such directory, or no permission to read it.
        RepositoryError: not in a repository, bare, inside its git directory, owned by another user, read-only, no git.

    """
    directory = _readable(directory)
    answer = _git(directory, "rev-parse", "--git-common-dir", "--is-bare-repository", "--show-toplevel")
    lines = answer.stdout.splitlines()
    if len(lines) < 2:  # noqa: PLR2004  # not even the git directory was found
        raise _not_found(directory, answer.stderr)
    common = (directory / lines[0]).resolve()
    if lines[1] == "true":
        raise RepositoryError(
            f"{common} is a bare repository: there is no working tree to land in.",
            "Clone it, or add a worktree with `git worktree add DIR`, and start there.",
        )
    if answer.returncode != 0 or len(lines) < 3:  # noqa: PLR2004  # no working tree around
        raise RepositoryError(
            f"{directory} is inside a repository's git directory, not in its working tree.",
            "Start in the working tree.",
        )
    worktree = Path("\n".join(lines[2:])).resolve()
    _writable(common)
    return Places(str(common), str(worktree))


def person_name(places: Places, configured: str = "") -> str:
    """Return who is at work: the configured name, git's `user.name`, else the login name."""
    if configured:
        return configured
    named = _git(Path(places.worktree), "config", "user.name").stdout.strip()
    if named:
        return named.splitlines()[0]
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"


def _readable(directory: Path) -> Path:
    try:
        resolved = directory.expanduser().resolve()
        exists, is_directory = resolved.exists(), resolved.is_dir()
    except (OSError, RuntimeError) as error:
        raise UsageError(f"{directory} cannot be read ({error}).", "Give a directory you may read.") from None
    if not exists:
        raise UsageError(f"{directory} does not exist.", "Give the directory of a git repository.")
    if not is_directory:
        raise UsageError(f"{directory} is not a directory.", "Give the directory of a git repository.")
    if not os.access(resolved, os.R_OK | os.X_OK):
        raise UsageError(f"You may not read {directory}.", "Give a directory you may read.")
    return resolved


def _git(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["git", "-C", str(directory), *arguments],
            capture_output=True,
            check=False,
            env=git_environment(),
            stdin=subprocess.DEVNULL,
            encoding="utf-8",
            errors="surrogateescape",
        )
    except FileNotFoundError:
        raise RepositoryError("git is not installed, or not on PATH.", "Install git and start again.") from None


def _not_found(directory: Path, stderr: str) -> RepositoryError:
    if _OWNERSHIP.search(stderr):
        return RepositoryError(
            f"git refuses the repository at {directory}: another user owns it.",
            f"If you trust it: `git config --global --add safe.directory {directory}`.",
        )
    first = stderr.strip().splitlines()[0] if stderr.strip() else ""
    if first and "not a git repository" not in first:
        return RepositoryError(
            f"git cannot read the repository at {directory}: {first.removeprefix('fatal: ')}.",
            "Repair it until `git status` works there.",
        )
    return RepositoryError(
        f"{directory} is not in a git repository.",
        f"Make one with `git init {directory}`, or give another directory with `--repo DIR`.",
    )


def _writable(common: Path) -> None:
    """Refuse a git directory in which the studio cannot keep its journal."""
    for place in (common / "studio", common):
        if place.exists():
            if not os.access(place, os.W_OK | os.X_OK):
                raise RepositoryError(
                    f"{place} is read-only: the studio keeps its journal and its store there.",
                    "Make it writable for you, or work in a clone of your own.",
                )
            return
