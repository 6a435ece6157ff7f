"""Files of a run's tree, and of the working tree."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path

from studio.domain.changes import ChangeKind, ChangeSet, FileChange
from studio.domain.errors import RepositoryError, UsageError
from studio.domain.places import Places
from studio.host.context import Caller, Context
from studio.protocol import commands as c
from studio.protocol.locate import git_environment

__all__ = ["line_count", "list_files", "read_file"]

MAX_FILE_BYTES = 2 * 1024 * 1024
MAX_FILES = 50_000
_MARKS = {ChangeKind.ADDED: "A", ChangeKind.DELETED: "D", ChangeKind.RENAMED: "R"}


async def list_files(context: Context, caller: Caller, command: c.ListFiles) -> c.FileEntries:
    """Return the paths of a tree with what changed in them."""
    if not command.run:
        return c.FileEntries(await asyncio.to_thread(_working_tree, caller.places))
    run = context.run(command.run)
    workspace = context.workspace(caller.places)
    listed = await asyncio.to_thread(workspace.list_tree, run.changed_tree or run.base_tree)
    entries = {path: c.FileEntry(path) for path, _, _ in listed}
    if run.changeset:
        entries |= _marked(await context.changes(run))
    return c.FileEntries(tuple(entries[path] for path in sorted(entries)[:MAX_FILES]))


def _marked(changes: ChangeSet) -> dict[str, c.FileEntry]:
    return {file.path: _entry(file) for file in changes.files}


def _entry(file: FileChange) -> c.FileEntry:
    ops = [line.op for hunk in file.hunks for line in hunk.lines]
    return c.FileEntry(file.path, _MARKS.get(file.kind, "M"), ops.count("+"), ops.count("-"))


def _git(places: Places, *arguments: str) -> list[str]:
    done = subprocess.run(
        ["git", "-c", "core.fsmonitor=false", "-C", places.worktree, *arguments],
        capture_output=True,
        check=False,
        env=git_environment(),
        stdin=subprocess.DEVNULL,
    )
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no message"]
        raise RepositoryError(f"git {arguments[0]} failed: {said[0]}.", "Repair the repository until it works.")
    return [os.fsdecode(part) for part in done.stdout.split(b"\0") if part]


def _working_tree(places: Places) -> tuple[c.FileEntry, ...]:
    paths = _git(places, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    marks: dict[str, str] = {}
    status = iter(_git(places, "status", "--porcelain=v1", "-z", "--untracked-files=all"))
    for line in status:
        code, path = line[:2], line[3:]
        if "R" in code or "C" in code:
            next(status, None)  # the path it had before
        marks[path] = next((mark for mark in "?RADM" if mark in code), "M")
    known = sorted({*paths, *marks})
    return tuple(c.FileEntry(_printable(path), marks.get(path, "")) for path in known[:MAX_FILES])


def _printable(path: str) -> str:
    """Return a path as text: JSON carries no bytes that are not UTF-8."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _inside(places: Places, path: str) -> Path:
    """Return a file of the working tree.

    Raises:
        UsageError: it leads out of the tree, into `.git`, or is no file.

    """
    root = Path(places.worktree)
    wanted = root / path
    try:
        real = wanted.resolve()
    except (OSError, ValueError, RuntimeError):
        raise UsageError(f"{path!r} is no path.", "Give a path of the working tree.") from None
    if not real.is_relative_to(root) or real.is_relative_to(places.common) or ".git" in real.relative_to(root).parts:
        raise UsageError(f"{path} is outside the working tree.", "Give a path of the working tree.")
    if not real.is_file():
        raise UsageError(f"{path} is no file of the working tree.", "`git ls-files` lists them.")
    return real


def _bytes_of(places: Places, path: str) -> tuple[bytes, int]:
    real = _inside(places, path)
    try:
        handle = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            return file.read(MAX_FILE_BYTES), os.fstat(file.fileno()).st_size
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}).", "Check its permissions.") from None


def line_count(places: Places, path: str) -> int:
    """Return how many lines a file of the working tree has.

    Raises:
        UsageError: there is no such file.

    """
    data, _ = _bytes_of(places, path)
    return len(data.splitlines())


async def read_file(context: Context, caller: Caller, command: c.ReadFile) -> c.Blob:
    """Return a file's bytes, cut off at 2 MiB."""
    if not command.run:
        return c.Blob(*await asyncio.to_thread(_bytes_of, caller.places, command.path))
    run = context.run(command.run)
    tree = run.changed_tree or run.base_tree
    data = await asyncio.to_thread(context.workspace(caller.places).read_blob, tree, command.path)
    if data is None:
        raise UsageError(f"Run {run.id} has no file {command.path}.", "List its files first.")
    return c.Blob(data[:MAX_FILE_BYTES], len(data))
