"""Swapping files of a working tree one by one: never over bytes that were not looked at, always revertible.

The state of an operation is read from the disk alone, so that undoing it in this process and after a crash is the same code:
a replacement has happened when the staged name no longer has the prepared inode, a creation when the staged name is gone, a
deletion when it is there.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Generator
from pathlib import Path

from studio.workspace.intent import FileOp, sync_directory
from studio.workspace.rename import At, exchange, place, take

__all__ = ["Swapper", "digest_of", "read_regular"]

_NOT_REGULAR = "not a regular file"


def read_regular(at: At) -> tuple[bytes, os.stat_result] | None:
    """Return the bytes and status of a regular file, None if there is none; follows no link, hangs on no pipe.

    Raises:
        IsADirectoryError: something else is there.

    """
    try:
        descriptor = os.open(at[1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=at[0])
    except FileNotFoundError:
        return None
    except OSError as error:
        raise IsADirectoryError(error.errno, _NOT_REGULAR, at[1]) from error
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise IsADirectoryError(0, _NOT_REGULAR, at[1])
        return file.read(), status


def digest_of(content: bytes | None) -> str:
    """Return the digest an operation records: empty for no file."""
    return "" if content is None else hashlib.sha256(content).hexdigest()


class Swapper:
    """Swaps files of one working tree for one landing."""

    def __init__(self, worktree: Path, staging: Path) -> None:
        self._worktree = worktree
        self._staging = staging

    @contextlib.contextmanager
    def _at(self, path: str) -> Generator[At]:
        """Open the directory of `path`, following no link on the way."""
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        *parents, name = path.split("/")
        descriptor = os.open(self._worktree, flags)
        try:
            for parent in parents:
                inner = os.open(parent, flags, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = inner
            yield descriptor, name
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def _both(self, op: FileOp) -> Generator[tuple[At, At]]:
        """Open the staged name and the path of an operation."""
        with self._at(op.path) as path:
            if op.beside:
                yield (path[0], op.staged), path
                return
            descriptor = os.open(self._staging, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                yield (descriptor, op.staged), path
            finally:
                os.close(descriptor)

    def read(self, path: str) -> tuple[bytes, os.stat_result] | None:
        """Return the bytes and status of a file of the working tree, None if it or its directory is not there.

        Raises:
            OSError: something else is there, or a link is on the way.

        """
        try:
            with self._at(path) as at:
                return read_regular(at)
        except FileNotFoundError:
            return None

    def missing_parents(self, path: str) -> list[str]:
        """Return the directories that must be made for `path`, outermost first."""
        parents = [str(parent) for parent in reversed(Path(path).parents)][1:]
        return [parent for parent in parents if not os.path.lexists(self._worktree / parent)]

    def make_parents(self, parents: tuple[str, ...]) -> None:
        """Make directories."""
        for parent in parents:
            with self._at(parent) as at, contextlib.suppress(FileExistsError):
                os.mkdir(at[1], dir_fd=at[0])

    def prune(self, directories: tuple[str, ...]) -> None:
        """Remove directories that are empty, innermost first."""
        for directory in reversed(directories):
            with contextlib.suppress(OSError), self._at(directory) as at:
                os.rmdir(at[1], dir_fd=at[0])

    def stage(
        self, number: int, path: str, before: bytes | None, after: bytes | None, executable: bool | None
    ) -> FileOp:
        """Prepare the file that will be at `path`; the parents must exist.

        Args:
            number: unique in the landing.
            path: in the working tree.
            before: what is there now.
            after: what will be there; None deletes.
            executable: None keeps the mode.

        """
        with self._at(path) as at:
            beside = os.fstat(at[0]).st_dev != self._staging.stat().st_dev
        op = FileOp(path, f".studio-{self._staging.stem}-{number}", digest_of(before), digest_of(after), 0, beside)
        if after is None:
            return op
        with self._both(op) as (staged, current):
            mode = 0o777 if executable else 0o666
            descriptor = os.open(staged[1], os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode, dir_fd=staged[0])
            with os.fdopen(descriptor, "wb") as file:
                file.write(after)
                file.flush()
                if before is not None:
                    _inherit(file.fileno(), current, executable)
                os.fsync(file.fileno())
                inode = os.fstat(file.fileno()).st_ino
        return FileOp(op.path, op.staged, op.before, op.after, inode, beside)

    def apply(self, op: FileOp) -> bool:
        """Swap; return whether what was displaced is what was expected. If not, `revert` puts it back."""
        try:
            with self._both(op) as (staged, path):
                if not op.after:
                    take(path, staged)
                elif op.before:
                    exchange(staged, path)
                else:
                    place(staged, path)
                os.fsync(path[0])
        except (FileNotFoundError, FileExistsError, NotADirectoryError):
            return False
        return self.verify(op)

    def verify(self, op: FileOp) -> bool:
        """Whether the displaced file still has the bytes that were merged: someone may hold it open."""
        if not op.before:
            return True
        with self._both(op) as (staged, _):
            return _digest_at(staged) == op.before

    def revert(self, op: FileOp) -> None:
        """Undo a swap, if it happened. Where people have saved since, the newest save stays."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), self._both(op) as (staged, path):
            if not op.after:
                with contextlib.suppress(FileNotFoundError, FileExistsError):
                    place(staged, path)
            elif op.before:
                _revert_exchange(op, staged, path)
            else:
                _revert_creation(op, staged, path)

    def close(self, op: FileOp) -> None:
        """Remove what is staged."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), self._both(op) as (staged, path):
            os.unlink(staged[1], dir_fd=staged[0])
            os.fsync(path[0])

    def sync(self) -> None:
        """Make what is staged durable."""
        sync_directory(self._staging)


def _inode(at: At) -> int:
    try:
        return os.stat(at[1], dir_fd=at[0], follow_symlinks=False).st_ino
    except FileNotFoundError:
        return 0


def _digest_at(at: At) -> str:
    try:
        found = read_regular(at)
    except OSError:
        return _NOT_REGULAR
    return digest_of(None if found is None else found[0])


def _is_ours(op: FileOp, at: At) -> bool:
    return _inode(at) == op.inode and _digest_at(at) == op.after


def _revert_exchange(op: FileOp, staged: At, path: At) -> None:
    aside = (staged[0], f"{staged[1]}.aside")
    if _inode(aside):  # the slow exchange was cut short: the displaced file has the other name
        if _inode(staged) and not _inode(path):
            place(aside, path)
            return
        os.replace(aside[1], staged[1], src_dir_fd=aside[0], dst_dir_fd=staged[0])
    if _inode(staged) == op.inode:
        return
    if not _inode(path):
        with contextlib.suppress(FileExistsError):
            place(staged, path)
        return
    if not _is_ours(op, path):
        return
    put_back = _inode(staged)
    exchange(staged, path)
    if _is_ours(op, staged):
        return
    # Someone saved between the look and the exchange: the newest save goes back until none displaces a newer one.
    while _inode(staged) not in {put_back, 0}:
        newest = _inode(staged)
        exchange(staged, path)
        if _inode(staged) == put_back:
            return
        put_back = newest


def _revert_creation(op: FileOp, staged: At, path: At) -> None:
    if _inode(staged) or not _is_ours(op, path):
        return
    take(path, staged)
    if not _is_ours(op, staged):
        with contextlib.suppress(FileExistsError):
            place(staged, path)


def _inherit(descriptor: int, current: At, executable: bool | None) -> None:
    """Give a prepared file the mode, owner and extended attributes of the one it replaces."""
    status = os.stat(current[1], dir_fd=current[0], follow_symlinks=False)
    with contextlib.suppress(OSError):
        os.fchown(descriptor, status.st_uid, status.st_gid)
    mode = stat.S_IMODE(status.st_mode)
    if executable is not None:
        mode = mode | ((mode & 0o444) >> 2) if executable else mode & ~0o111
    os.fchmod(descriptor, mode)
    with contextlib.suppress(OSError, AttributeError):
        source = os.open(current[1], os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=current[0])
        try:
            for name in os.listxattr(source):
                os.setxattr(descriptor, name, os.getxattr(source, name))
        finally:
            os.close(source)
