"""Worktrees of runs: directories without a `.git`, written from trees and read back with nothing of theirs believed."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from studio.domain.errors import InternalError, RepositoryError, UsageError
from studio.domain.ids import RunId
from studio.workspace.git import Git, parse_raw
from studio.workspace.guard import is_git_name
from studio.workspace.snapshot import is_text_name, stage
from studio.workspace.store import Store

__all__ = ["TreeLimits", "Worktrees"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_LINK_TARGET_BYTES = 4096


@dataclass(frozen=True)
class TreeLimits:
    """What a run's worktree may hold: beyond, it is refused as a whole."""

    depth: int = 64
    files: int = 200_000
    file_bytes: int = 100 * 1024 * 1024
    total_bytes: int = 4 * 1024 * 1024 * 1024


class Worktrees:
    """The worktrees of runs, at `<state>/work/<run>/<name>`, their index files beside them and out of their reach."""

    def __init__(self, store: Store, limits: TreeLimits) -> None:
        self._store = store
        self._limits = limits

    def directory(self, run: RunId, name: str) -> Path:
        """Return where a worktree is.

        Raises:
            UsageError: a name that is not plain.

        """
        for part in (run, name):
            if not _NAME.fullmatch(part):
                raise UsageError(f"`{part}` cannot name a worktree.", "Use letters, digits, dots and dashes.")
        return self._store.places.worktrees / run / name

    def _git(self, run: RunId, name: str) -> Git:
        index = self._store.places.state / "index" / run / name
        index.parent.mkdir(parents=True, exist_ok=True)
        return self._store.git.with_tree(self.directory(run, name)).with_index(index)

    def checkout(self, run: RunId, name: str, tree: str) -> Path:
        """Make the worktree hold exactly `tree`."""
        directory = self.directory(run, name)
        git = self._git(run, name)
        if directory.is_symlink() or (directory.exists() and not directory.is_dir()):
            directory.unlink()
        directory.mkdir(parents=True, exist_ok=True)
        git.run("read-tree", "--reset", tree)
        kept = set(git.paths("ls-files", "-z"))
        folders = {parent for path in kept for parent in _parents(path)}
        for entry, path in self._walk(directory, prune=lambda path: path not in folders):
            if path not in (folders if entry.is_dir(follow_symlinks=False) else kept):
                _remove(Path(entry.path))
        git.run("checkout-index", "-f", "-u", "-a", "-q")
        return directory

    def write_tree(self, run: RunId, name: str) -> str:
        """Record the worktree as it is now; files ignored by git, special files and links out of it are left out.

        Raises:
            UsageError: there is no such worktree.
            RepositoryError: it is deeper, larger or has more files than the limits.

        """
        directory = self.directory(run, name)
        git = self._git(run, name)
        if directory.is_symlink() or not directory.is_dir():
            raise UsageError(f"Run {run} has no worktree `{name}`.", "Check it out first.")
        self._sweep(directory)
        changed = parse_raw(git.run("diff-files", "--raw", "-z", "--no-abbrev", "--ignore-submodules=all"))
        exclude = Path(self._store.places.common) / "info" / "exclude"
        ignore = [f"--exclude-from={exclude}"] if exclude.is_file() else []
        found = git.paths("ls-files", "-o", "-z", "--exclude-per-directory=.gitignore", *ignore)
        names = [entry.path for entry in changed if entry.old_mode != "160000" and is_text_name(entry.path)]
        names += [path for path in found if is_text_name(path) and not path.endswith("/")]
        written = [path for path in names if _is_plain(directory, path)]
        stage(git, set(names).difference(written), written)
        return git.text("write-tree")

    def drop(self, run: RunId) -> None:
        """Remove the worktrees of a run."""
        directory = self.directory(run, "all").parent
        if directory.exists():
            _remove(directory)
        shutil.rmtree(self._store.places.state / "index" / run, ignore_errors=True)

    def _sweep(self, directory: Path) -> None:
        """Refuse bombs, and remove what git would stumble over: planted repositories, special files named for git."""
        count = total = 0
        for entry, path in self._walk(directory, prune=lambda path: is_git_name(path.rpartition("/")[2])):
            name = path.rpartition("/")[2]
            status = entry.stat(follow_symlinks=False)
            special = not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode))
            if is_git_name(name) or (special and name in {".gitignore", ".gitattributes", ".gitmodules"}):
                _remove(Path(entry.path))
                continue
            count += 1
            total += status.st_blocks * 512
            if status.st_size > self._limits.file_bytes and stat.S_ISREG(status.st_mode):
                raise _too("large", f"{path} has {status.st_size:,} bytes")
            if count > self._limits.files:
                raise _too("large", f"more than {self._limits.files:,} files")
            if total > self._limits.total_bytes:
                raise _too("large", f"more than {self._limits.total_bytes:,} bytes")

    def _walk(self, top: Path, prune: Callable[[str], bool]) -> Iterator[tuple[os.DirEntry[str], str]]:
        """Give every entry below `top` with its path, directories first, not entering links or pruned directories."""
        pending = [(str(top), "")]
        while pending:
            directory, prefix = pending.pop()
            found = _entries(directory)
            for entry in found:
                path = f"{prefix}{entry.name}"
                if entry.is_dir(follow_symlinks=False) and not prune(path):
                    if path.count("/") >= self._limits.depth:
                        raise _too("deep", f"more than {self._limits.depth} directories")
                    pending.append((entry.path, f"{path}/"))
                yield entry, path


def _entries(directory: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            return list(entries)
    except PermissionError:
        Path(directory).chmod(stat.S_IRWXU)
        with os.scandir(directory) as entries:
            return list(entries)


def _parents(path: str) -> Iterator[str]:
    position = path.find("/")
    while position != -1:
        yield path[:position]
        position = path.find("/", position + 1)


def _is_plain(directory: Path, path: str) -> bool:
    """Whether a path is a regular file, or a link that stays inside the worktree."""
    file = directory / path
    try:
        status = file.lstat()
    except OSError:
        return False
    if stat.S_ISLNK(status.st_mode):
        target = str(file.readlink())
        inside = os.path.normpath(os.path.join(os.path.dirname(path), target))  # noqa: PTH118, PTH120 - lexical, not on disk
        return not target.startswith("/") and inside.split("/")[0] != ".." and len(target) < _LINK_TARGET_BYTES
    return stat.S_ISREG(status.st_mode)


def _remove(path: Path) -> None:
    """Remove a tree of any depth, whatever its permissions; links are not followed."""
    if not path.is_dir() or path.is_symlink():
        path.unlink(missing_ok=True)
        return
    for _ in range(2):
        if subprocess.run(["rm", "-rf", "--", str(path)], capture_output=True, check=False).returncode == 0:
            return
        subprocess.run(["chmod", "-R", "u+rwx", "--", str(path)], capture_output=True, check=False)
    raise InternalError(f"{path} cannot be removed.", "Look at its owner and permissions.")


def _too(word: str, detail: str) -> RepositoryError:
    return RepositoryError(
        f"The run's worktree is too {word}: {detail}.", "Have the run make less, or ignore it in .gitignore."
    )
