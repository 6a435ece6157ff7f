"""Reading a worktree for edits, and writing an outcome into it, following no symbolic link on the way.

Every path is walked from the root by directory descriptors opened with O_NOFOLLOW, so that a link planted at any moment is an
error, never a way out. Files are prepared beside their place and renamed into it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Generator
from pathlib import Path

from studio.agents.edits.apply import EditOutcome
from studio.agents.edits.paths import EditPolicy
from studio.domain.errors import UsageError
from studio.ports.engine import SyntaxGate

__all__ = ["WorktreeFiles", "write_outcome"]

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_DEFAULT_MODE = 0o644


@contextlib.contextmanager
def _directory(root: Path, parts: tuple[str, ...], *, make: bool = False) -> Generator[int]:
    """Open the directory `parts` below `root`."""
    here = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in parts:
            if part in {"", ".", ".."} or "/" in part or "\0" in part:
                raise UsageError(f"{'/'.join(parts)} is not a path inside the worktree.")
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, dir_fd=here)
            below = os.open(part, _DIRECTORY, dir_fd=here)
            os.close(here)
            here = below
        yield here
    finally:
        os.close(here)


def _split(path: str) -> tuple[tuple[str, ...], str]:
    *parents, name = path.split("/")
    if name in {"", ".", ".."} or "\0" in name:
        raise UsageError(f"{path!r} is not a path inside the worktree.")
    return tuple(parents), name


class WorktreeFiles:
    """A worktree's files, for `apply_edits`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, path: str) -> bytes | None:
        """Return a regular file's bytes, None where there is none or a link is on the way."""
        try:
            parents, name = _split(path)
            with _directory(self.root, parents) as here:
                descriptor = os.open(name, _FILE, dir_fd=here)
        except (OSError, UsageError, ValueError):
            return None
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            return None
        with os.fdopen(descriptor, "rb") as file:
            return file.read()

    def mode(self, path: str) -> int | None:
        """Return a file's permission bits."""
        status = self._status(path)
        return stat.S_IMODE(status.st_mode) if status else None

    def link_on(self, path: str) -> str:
        """Return the part of `path` that is a symbolic link or a special file, empty if there is none."""
        parts = path.split("/")
        for count in range(1, len(parts) + 1):
            part = "/".join(parts[:count])
            status = self._status(part)
            if status is None:
                return ""
            if not stat.S_ISDIR(status.st_mode) and not stat.S_ISREG(status.st_mode):
                return part
        return ""

    def paths(self) -> tuple[str, ...]:
        """Return every file's path, sorted."""
        found: list[str] = []
        for directory, below, names in os.walk(self.root):
            below[:] = [name for name in below if name != ".git"]
            base = Path(directory).relative_to(self.root)
            found.extend((base / name).as_posix() for name in names)
        return tuple(sorted(found))

    def policy(self, protect: tuple[str, ...] = (), syntax: SyntaxGate | None = None) -> EditPolicy:
        """Return the policy edits of this worktree are held to."""
        return EditPolicy(self.paths(), protect, syntax, self.link_on, self.mode)

    def _status(self, path: str) -> os.stat_result | None:
        try:
            parents, name = _split(path)
            with _directory(self.root, parents) as here:
                return os.stat(name, dir_fd=here, follow_symlinks=False)
        except (OSError, UsageError, ValueError):
            return None


def write_outcome(root: Path, outcome: EditOutcome) -> None:
    """Write an outcome's files below `root`: first all contents beside their places, then the renames and deletions.

    Raises:
        UsageError: a link, a special file or a directory is where a file should be; no file was changed.

    """
    prepared: list[tuple[str, str]] = []
    try:
        for path, data in outcome.files.items():
            if data is not None:
                prepared.append((path, _prepare(root, path, data, outcome.modes.get(path))))
    except (OSError, UsageError) as error:
        for path, temporary in prepared:
            _drop(root, path, temporary)
        if isinstance(error, UsageError):
            raise
        raise UsageError(
            f"The edits were not written: {error.strerror} ({error.filename}).",
            "Look at what changed the worktree meanwhile.",
        ) from None
    for path, data in outcome.files.items():
        if data is None:
            _delete(root, path)
    for path, temporary in prepared:
        parents, name = _split(path)
        with _directory(root, parents) as here:
            os.rename(temporary, name, src_dir_fd=here, dst_dir_fd=here)


def _prepare(root: Path, path: str, data: bytes, mode: int | None) -> str:
    parents, name = _split(path)
    with _directory(root, parents, make=True) as here:
        bits = _bits(here, name, path)
        temporary = f".{name[:80]}.{secrets.token_hex(6)}.tmp"
        descriptor = os.open(temporary, _NEW, 0o600, dir_fd=here)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                os.fchmod(file.fileno(), (bits if mode is None else mode) & 0o777)
        except OSError:
            os.unlink(temporary, dir_fd=here)
            raise
        return temporary


def _bits(here: int, name: str, path: str) -> int:
    try:
        status = os.stat(name, dir_fd=here, follow_symlinks=False)
    except FileNotFoundError:
        return _DEFAULT_MODE
    if not stat.S_ISREG(status.st_mode):
        raise UsageError(f"{path} is not a regular file.", "Edits write regular files only.")
    return status.st_mode


def _drop(root: Path, path: str, temporary: str) -> None:
    parents, _ = _split(path)
    with contextlib.suppress(OSError), _directory(root, parents) as here:
        os.unlink(temporary, dir_fd=here)


def _delete(root: Path, path: str) -> None:
    """Delete a file, and the directories it leaves empty."""
    parents, name = _split(path)
    with contextlib.suppress(FileNotFoundError), _directory(root, parents) as here:
        os.unlink(name, dir_fd=here)
    for count in range(len(parents), 0, -1):
        try:
            with _directory(root, parents[: count - 1]) as here:
                os.rmdir(parents[count - 1], dir_fd=here)
        except OSError:
            return
