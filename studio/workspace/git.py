"""The one place that calls git: a fixed environment, a null configuration, and errors people can read.

Three kinds of caller:

- `Git.null`: a repository of ours, with nothing of anyone's configuration, attributes or hooks.
- `Git.view`: reads a person's working tree through an empty repository of ours, so that eol attributes and ignore rules
  count, and programs (hooks, filters, diff drivers, fsmonitor) named by any configuration do not run.
- `Git.person`: the person's own repository, for what only it knows (references, identity). Hooks and fsmonitor are off;
  no command that could run a filter or a driver is ever given to it.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import ClassVar

from studio.domain.errors import InternalError, RepositoryError

__all__ = ["EMPTY_TREE", "Entry", "Git", "GitFailed", "literal", "parse_raw", "require_version"]

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
_MINIMUM = (2, 38)
_TIMEOUT_SECONDS = 600
_SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.untrackedCache=false",
    "core.quotePath=true",
    "core.safecrlf=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "merge.directoryRenames=false",
    "checkout.workers=0",
    "advice.detachedHead=false",
)
_KEPT = ("PATH", "HOME", "TMPDIR", "XDG_CONFIG_HOME", "LD_LIBRARY_PATH", "SYSTEMROOT")
_NULL = {
    "LC_ALL": "C",
    "LANGUAGE": "C",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ADVICE": "0",
}
_NO_CONFIG = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_ATTR_NOSYSTEM": "1"}


class GitFailed(InternalError):
    """A git command failed in a way its caller did not expect."""

    def __init__(self, command: str, code: int, stderr: str) -> None:
        first = next((line for line in stderr.splitlines() if line.strip()), "no message")
        super().__init__(f"git {command} failed ({code}): {first.strip()}", "see the log; `studio doctor` checks git")
        self.code = code
        self.stderr = stderr


class Entry:
    """One record of `git diff-* --raw -z`."""

    __slots__ = ("new_blob", "new_mode", "old_blob", "old_mode", "old_path", "path", "status")

    def __init__(self, meta: str, path: str, old_path: str) -> None:
        self.old_mode, self.new_mode, self.old_blob, self.new_blob, status = meta.lstrip(":").split(" ")
        self.status = status[0]
        self.path = path
        self.old_path = old_path


@dataclass(frozen=True)
class Git:
    """Git on one repository."""

    git_dir: Path
    work_tree: Path | None = None
    index: Path | None = None
    settings: tuple[str, ...] = ()
    """`-c` settings, `name=value`."""
    extra: Mapping[str, str] = field(default_factory=dict[str, str])
    """More environment."""
    config: bool = False
    """Whether the user's and system's configuration are read."""

    COMMON: ClassVar[tuple[str, ...]] = _SETTINGS

    @classmethod
    def null(cls, git_dir: Path) -> Git:
        """Return git on a repository of ours, which no configuration but its own and no home directory reaches."""
        return cls(git_dir, extra={"HOME": os.devnull, "XDG_CONFIG_HOME": os.devnull})

    @classmethod
    def view(cls, git_dir: Path, work_tree: Path, objects: Path, settings: tuple[str, ...]) -> Git:
        """Return git that reads a person's working tree through `git_dir`, an empty repository, writing to `objects`."""
        return cls(git_dir, work_tree, settings=settings, extra={"GIT_OBJECT_DIRECTORY": str(objects)})

    @classmethod
    def person(cls, git_dir: Path, work_tree: Path | None = None) -> Git:
        """Return git on the person's repository, with their configuration."""
        return cls(git_dir, work_tree, config=True)

    def with_index(self, index: Path) -> Git:
        """Return the same with another index file."""
        return replace(self, index=index)

    def with_tree(self, work_tree: Path) -> Git:
        """Return the same with another working tree."""
        return replace(self, work_tree=work_tree)

    def with_env(self, **extra: str) -> Git:
        """Return the same with more environment."""
        return replace(self, extra={**self.extra, **extra})

    def environment(self) -> dict[str, str]:
        """Return the whole environment of a call."""
        if self.config:
            identity = ("GIT_AUTHOR_", "GIT_COMMITTER_")
            kept = {k: v for k, v in os.environ.items() if not k.startswith("GIT_") or k.startswith(identity)}
        else:
            kept = {key: os.environ[key] for key in _KEPT if key in os.environ} | _NO_CONFIG
        env = kept | _NULL | dict(self.extra)
        if self.index is not None:
            env["GIT_INDEX_FILE"] = str(self.index)
        return env

    def call(self, *args: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run git and return what it said, whatever its exit code.

        Raises:
            RepositoryError: there is no git.
            InternalError: git did not end in ten minutes.

        """
        command = ["git", f"--git-dir={self.git_dir}"]
        if self.work_tree is not None:
            command.append(f"--work-tree={self.work_tree}")
        for setting in (*self.COMMON, *self.settings):
            command += ["-c", setting]
        command += args
        cwd = self.work_tree if self.work_tree is not None and self.work_tree.is_dir() else self.git_dir
        try:
            return subprocess.run(
                command,
                input=data,
                capture_output=True,
                check=False,
                cwd=cwd,
                env=self.environment(),
                timeout=_TIMEOUT_SECONDS,
            )
        except FileNotFoundError as missing:
            if missing.filename == "git":
                raise RepositoryError("git is not installed.", "Install git 2.38 or later.") from missing
            raise RepositoryError(f"{cwd} is gone.", "Run the studio inside a repository.") from missing
        except subprocess.TimeoutExpired as late:
            raise InternalError(f"git {args[0]} did not end.", "Look for a stuck file system.") from late

    def run(self, *args: str, data: bytes = b"") -> bytes:
        """Run git and return its output.

        Raises:
            RepositoryError: the repository cannot be written to.
            InternalError: the disk is full.
            GitFailed: any other non-zero exit code.

        """
        done = self.call(*args, data=data)
        if done.returncode == 0:
            return done.stdout
        stderr = done.stderr.decode("utf-8", "replace")
        if re.search(r"Read-only file system|Permission denied|insufficient permission", stderr):
            raise RepositoryError(
                f"{self.git_dir} cannot be written to.", "Make the repository writable, or clone it somewhere that is."
            )
        if re.search(r"No space left on device|Disk quota exceeded", stderr):
            raise InternalError(f"The disk is full, git wrote nothing to {self.git_dir}.", "Free space and try again.")
        raise GitFailed(args[0], done.returncode, stderr)

    def text(self, *args: str, data: bytes = b"") -> str:
        """Run git and return its output as text without the trailing newline."""
        return os.fsdecode(self.run(*args, data=data)).rstrip("\n")

    def paths(self, *args: str, data: bytes = b"") -> list[str]:
        """Run git and return its NUL-terminated output as strings."""
        return [os.fsdecode(item) for item in self.run(*args, data=data).split(b"\0") if item]


def parse_raw(output: bytes) -> list[Entry]:
    """Return the records of `git diff-* --raw -z --no-abbrev`."""
    fields = iter(output.split(b"\0"))
    entries: list[Entry] = []
    for meta in fields:
        if not meta.startswith(b":"):
            continue
        text = meta.decode("ascii")
        first = os.fsdecode(next(fields))
        renamed = text.rsplit(" ", 1)[1][0] in "RC"
        entries.append(Entry(text, os.fsdecode(next(fields)) if renamed else first, first))
    return entries


def literal(paths: Iterable[str]) -> bytes:
    """Return paths as NUL-terminated bytes, for `-z --stdin`."""
    return b"".join(os.fsencode(path) + b"\0" for path in paths)


@cache
def require_version() -> tuple[int, ...]:
    """Return git's version.

    Raises:
        RepositoryError: git is missing or older than 2.38, which cannot merge trees without a working tree.

    """
    try:
        said = subprocess.run(["git", "version"], capture_output=True, check=False, timeout=60).stdout.decode()
    except FileNotFoundError as missing:
        raise RepositoryError("git is not installed.", "Install git 2.38 or later.") from missing
    found = re.search(r"(\d+)\.(\d+)", said)
    version = tuple(int(part) for part in found.groups()) if found else ()
    if version < _MINIMUM:
        raise RepositoryError(f"git is {said.strip() or 'unknown'}, too old.", "Install git 2.38 or later.")
    return version
