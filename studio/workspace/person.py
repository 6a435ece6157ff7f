"""The person's repository: where it is, what is checked out, how its files are read."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from studio.domain.errors import RepositoryError, UsageError
from studio.domain.places import Places
from studio.workspace.git import Git, require_version

__all__ = ["Head", "Person", "discover"]

_FORWARDED = "autocrlf|eol|excludesfile|attributesfile|ignorecase|precomposeunicode|symlinks|filemode"


@dataclass(frozen=True)
class Head:
    """What is checked out."""

    commit: str
    """Empty before the first commit."""
    branch: str
    """Empty when detached."""


@dataclass(frozen=True)
class Person:
    """A person's working tree and the repository it belongs to."""

    git_dir: Path
    """Of this working tree: a linked worktree has its own."""
    common: Path
    worktree: Path

    @property
    def git(self) -> Git:
        """Git on their repository."""
        return Git.person(self.git_dir, self.worktree)

    @property
    def index(self) -> Path:
        """Their index file."""
        return self.git_dir / "index"

    def head(self) -> Head:
        """Return what is checked out."""
        commit = self.git.call("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
        branch = self.git.call("symbolic-ref", "--quiet", "--short", "HEAD")
        return Head(commit.stdout.decode().strip(), os.fsdecode(branch.stdout).strip())

    def settings(self) -> tuple[str, ...]:
        """Return the settings that change how a working file is read, as `name=value`."""
        output = self.git.call("config", "-z", "--get-regexp", rf"^core\.({_FORWARDED})$").stdout
        pairs = (os.fsdecode(item).partition("\n") for item in output.split(b"\0") if item)
        found = {name: value if newline else "true" for name, newline, value in pairs}
        for name in ("core.excludesfile", "core.attributesfile"):
            if name in found:
                found[name] = str(Path(found[name]).expanduser())
        return tuple(f"{name}={value}" for name, value in found.items())

    def identity(self, role: str) -> str:
        """Return `Name <mail> seconds zone` of the person as `AUTHOR` or `COMMITTER`.

        Raises:
            UsageError: git does not know who they are.

        """
        done = self.git.call("var", f"GIT_{role}_IDENT")
        if done.returncode != 0:
            raise UsageError(
                "git does not know who you are, so it cannot make a commit.",
                "Run `git config user.name NAME` and `git config user.email MAIL`.",
            )
        return done.stdout.decode("utf-8", "replace").strip()


def discover(directory: Path) -> Places:
    """Return the places of the repository that `directory` is in.

    Raises:
        RepositoryError: not a repository, a bare one, one of another owner, one with SHA-256 objects, or no git.

    """
    person = find_person(directory)
    return Places(str(person.common), str(person.worktree))


def find_person(directory: Path) -> Person:
    """Return the repository and working tree that `directory` is in.

    Raises:
        RepositoryError: as `discover`.

    """
    require_version()
    env = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")} | {"LC_ALL": "C"}
    flags = ("--is-bare-repository", "--is-inside-work-tree", "--show-object-format")
    done = subprocess.run(
        ["git", "-C", str(directory), "rev-parse", *flags, "--absolute-git-dir", "--git-common-dir"],
        capture_output=True,
        check=False,
        env=env,
        timeout=60,
    )
    if done.returncode != 0:
        raise _not_found(directory, done.stderr.decode("utf-8", "replace"))
    bare, inside, objects, git_dir, common = os.fsdecode(done.stdout).rstrip("\n").split("\n")[:5]
    if bare == "true":
        raise RepositoryError(
            f"{directory} is a bare repository.", "Run the studio in a working tree: `git worktree add`."
        )
    if inside != "true":
        raise RepositoryError(f"{directory} is inside a git directory.", "Run the studio in the working tree.")
    if objects != "sha1":
        raise RepositoryError(f"{directory} uses {objects} objects.", "Use a repository with SHA-1 objects.")
    top = subprocess.run(
        ["git", "-C", str(directory), "rev-parse", "--show-toplevel"],
        capture_output=True,
        check=True,
        env=env,
        timeout=60,
    )
    worktree = Path(os.fsdecode(top.stdout).rstrip("\n")).resolve()
    return Person(Path(git_dir).resolve(), (directory / common).resolve(), worktree)


def _not_found(directory: Path, stderr: str) -> RepositoryError:
    if "dubious ownership" in stderr:
        return RepositoryError(
            f"{directory} belongs to another user.",
            f"If you trust it: git config --global --add safe.directory {directory}.",
        )
    if "not a git repository" in stderr:
        return RepositoryError(f"{directory} is not in a git repository.", "Run `git init`, or go to a repository.")
    first = next(iter(stderr.splitlines()), "no message")
    return RepositoryError(f"git cannot read {directory}: {first}.", "Run `git status` there and repair what it names.")
