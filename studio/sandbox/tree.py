"""Copying a tree into a sandbox, and what changed back out of it, trusting nothing that is met on the way.

A sandbox may hold any name, link, device, size or depth. So every step down is an `openat` of one name with O_NOFOLLOW
from a directory already open, only regular files and directories are looked at, and depth, count and bytes are bounded.
What is refused is listed with its reason and never touched. The way back runs only when every process of the sandbox is
dead, and writes each file beside its place and renames it, so that a reader of the host sees the old or the new one.

Only the standard library is used: the module runs in the warden, which is started without site packages.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress

__all__ = [
    "MAX_DEPTH",
    "READ",
    "Excess",
    "Stamp",
    "copy_in",
    "copy_out",
    "excluded",
    "has_directory",
    "is_changed",
    "kind_changed",
    "opened_directory",
    "refusal",
    "shown",
    "survey",
    "walk",
]

MAX_DEPTH = 100
_MAX_SKIPPED = 200
_CHUNK = 1 << 20
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
"""How a file of an untrusted tree is opened."""
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_CACHES = frozenset({"__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache"})
_PARTIAL = ".studio-partial"

Stamp = tuple[int, int, int, int]
"""What tells a changed entry: mode, size, inode, change time in ns. A process cannot set the change time back."""


class Excess(Exception):
    """The tree does not fit the limits; the message says which."""


def excluded(path: str) -> bool:
    """Tell whether `path` never crosses: git's own files at any depth, and the studio's settings at the top."""
    first, _, _ = path.partition("/")
    name = path.rpartition("/")[2]
    return name.casefold() == ".git" or first.casefold() == ".studio"


def shown(name: str) -> str:
    """Return `name` as text that is safe to encode and to print."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def walk(root: int) -> Iterator[tuple[str, str, int, os.stat_result]]:
    """Yield `(path, name, descriptor of its directory, lstat)` of all below `root`, parents before children.

    The descriptor is valid until the next step. Directories deeper than MAX_DEPTH, tools' caches and what is excluded are
    yielded and not entered.
    """
    stack: list[tuple[str, int]] = [("", 0)]
    while stack:
        prefix, depth = stack.pop()
        with opened_directory(root, prefix) as here:
            if here is None:
                continue
            with os.scandir(here) as entries:
                found = sorted((entry.name, entry.stat(follow_symlinks=False)) for entry in entries)
            for name, info in found:
                path = prefix + name
                yield path, name, here, info
                if stat.S_ISDIR(info.st_mode) and depth < MAX_DEPTH and name not in _CACHES and not excluded(path):
                    stack.append((path + "/", depth + 1))


@contextmanager
def opened_directory(root: int, path: str, *, create: bool = False) -> Generator[int | None]:
    """Open the directory `path` below `root`, one name at a time; None where a part is no directory."""
    here = os.dup(root)
    try:
        for name in path.split("/"):
            if not name:
                continue
            if create:
                with suppress(FileExistsError):
                    os.mkdir(name, 0o755, dir_fd=here)
            try:
                below = os.open(name, _DIRECTORY, dir_fd=here)
            except OSError:
                yield None
                return
            os.close(here)
            here = below
        yield here
    finally:
        os.close(here)


def has_directory(root: int, path: str, *, create: bool = False) -> bool:
    """Tell whether `path` below `root` is a directory reached through no link; with `create`, make it where absent."""
    with opened_directory(root, "" if path == "." else path, create=create) as found:
        return found is not None


def _copy_bytes(source: int, target: int, most: int) -> int:
    """Copy at most `most` bytes between two open files, and return how many there were."""
    copied = 0
    while data := os.read(source, _CHUNK):
        copied += len(data)
        if copied > most:
            raise Excess("bytes")
        view = memoryview(data)
        while view:
            view = view[os.write(target, view) :]
    return copied


def copy_in(tree: int, work: int, owner: tuple[int, int] | None, most_bytes: int, most_files: int) -> None:
    """Copy the directory open as `tree` into the empty one open as `work`.

    Links are copied as links (they lead nowhere but into the sandbox), other special files are left out.

    Args:
        tree: descriptor of the host's directory.
        work: descriptor of the private directory.
        owner: uid and gid to give all to, where they are not the caller's.
        most_bytes: bound of all files together.
        most_files: bound of files, links and directories together.

    Raises:
        Excess: the tree is larger than the bounds.
        OSError: a file cannot be read.

    """
    count = size = 0
    if owner is not None:
        os.fchown(work, *owner)
    for path, name, source, info in walk(tree):
        if excluded(path):
            continue
        count += 1
        if count > most_files:
            raise Excess(f"the tree has more than {most_files} files")
        with opened_directory(work, path.rpartition("/")[0]) as target:
            if target is None:
                continue
            size += _copy_entry(name, source, target, info, most_bytes - size)
            if owner is not None and not _is_special(info.st_mode):
                os.chown(name, *owner, dir_fd=target, follow_symlinks=False)


def _is_special(mode: int) -> bool:
    return not (stat.S_ISDIR(mode) or stat.S_ISREG(mode) or stat.S_ISLNK(mode))


def _copy_entry(name: str, source: int, target: int, info: os.stat_result, most: int) -> int:
    """Copy one entry of any kind between two open directories, and return its bytes."""
    if stat.S_ISDIR(info.st_mode):
        os.mkdir(name, 0o755, dir_fd=target)
    elif stat.S_ISLNK(info.st_mode):
        os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
    elif stat.S_ISREG(info.st_mode):
        reading = os.open(name, READ, dir_fd=source)
        try:
            writing = os.open(name, _CREATE, 0o755 if info.st_mode & 0o100 else 0o644, dir_fd=target)
            try:
                return _copy_bytes(reading, writing, most)
            except Excess:
                raise Excess("the tree is larger than the disk limit") from None
            finally:
                os.close(writing)
        finally:
            os.close(reading)
    return 0


def survey(root: int, most_files: int) -> tuple[dict[str, Stamp], list[str]]:
    """Return a stamp for every entry below `root`, and what was not looked at, with the reason.

    Raises:
        Excess: there are more than `most_files`.

    """
    stamps: dict[str, Stamp] = {}
    refused: list[str] = []
    for path, name, _, info in walk(root):
        if name in _CACHES:
            continue
        if excluded(path):
            refused.append(f"{shown(path)}: never copied")
            continue
        if len(stamps) >= most_files:
            raise Excess(f"more than {most_files} files")
        if stat.S_ISDIR(info.st_mode) and path.count("/") >= MAX_DEPTH:
            refused.append(f"{shown(path[:80])}…: deeper than {MAX_DEPTH}")
        stamps[path] = (info.st_mode, info.st_size, info.st_ino, info.st_ctime_ns)
    return stamps, refused


class _Outward:
    """One copy back: the bounds that are left, and what was skipped."""

    def __init__(self, work: int, tree: int, most_bytes: int) -> None:
        self.work = work
        self.tree = tree
        self.left = most_bytes
        self.skipped: list[str] = []

    def skip(self, path: str, reason: str) -> None:
        """List `path` as not copied."""
        if len(self.skipped) < _MAX_SKIPPED:
            self.skipped.append(f"{shown(path[:200])}: {reason}")

    def remove(self, path: str, *, directory: bool) -> None:
        """Remove what is gone from the sandbox; a directory only when it is empty."""
        parent, _, name = path.rpartition("/")
        with opened_directory(self.tree, parent) as here:
            if here is None:
                return
            with suppress(OSError):
                if directory:
                    os.rmdir(name, dir_fd=here)
                else:
                    os.unlink(name, dir_fd=here)

    def bring(self, path: str, mode: int, size: int) -> None:
        """Copy the file or directory `path` back, or list why not."""
        reason = refusal(path, mode)
        if not reason and stat.S_ISREG(mode) and size > self.left:
            reason = "larger than the disk limit"
        if reason:
            self.skip(path, reason)
        elif stat.S_ISDIR(mode):
            with opened_directory(self.tree, path, create=True) as made:
                if made is None:
                    self.skip(path, "a file or link is in its place")
        else:
            self._bring_file(path, mode)

    def _bring_file(self, path: str, mode: int) -> None:
        parent, _, name = path.rpartition("/")
        with (
            opened_directory(self.work, parent) as source,
            opened_directory(self.tree, parent, create=True) as target,
        ):
            if source is None or target is None:
                self.skip(path, "a file or link is in its directory's place")
                return
            try:
                self._replace(source, target, name, 0o755 if mode & 0o100 else 0o644)
            except Excess:
                self.skip(path, "larger than the disk limit")
            except OSError as error:
                self.skip(path, error.strerror or "could not be written")

    def _replace(self, source: int, target: int, name: str, mode: int) -> None:
        """Write the file beside its place, then rename it there."""
        partial = f"{_PARTIAL}-{os.getpid()}"
        reading = os.open(name, READ, dir_fd=source)
        try:
            writing = os.open(partial, _CREATE, mode, dir_fd=target)
            try:
                os.fchmod(writing, mode)
                _give_to_owner_of(target, writing)
                self.left -= _copy_bytes(reading, writing, self.left)
                os.rename(partial, name, src_dir_fd=target, dst_dir_fd=target)
            except BaseException:
                os.unlink(partial, dir_fd=target)
                raise
            finally:
                os.close(writing)
        finally:
            os.close(reading)


def _give_to_owner_of(directory: int, file: int) -> None:
    """Let a new file belong to whom its directory belongs, where the caller may say so."""
    owner = os.fstat(directory)
    if owner.st_uid != os.fstat(file).st_uid:
        with suppress(OSError):
            os.fchown(file, owner.st_uid, owner.st_gid)


def refusal(path: str, mode: int) -> str:
    """Return why an entry is never copied back, or nothing."""
    if stat.S_ISLNK(mode):
        return "symbolic link"
    if _is_special(mode):
        return {stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket"}.get(stat.S_IFMT(mode), "device")
    name = path.rpartition("/")[2]
    if not name.isprintable() or name.startswith(_PARTIAL):
        return "name"
    return ""


def copy_out(work: int, tree: int, before: dict[str, Stamp], most_bytes: int, most_files: int) -> list[str]:
    """Bring what changed below `work` since `before` into the host's directory `tree`; return what was skipped.

    Files whose stamp changed are written with mode 0644, or 0755 where the owner may execute them: no set-uid bit and no
    odd permission crosses. Files, links and empty directories that are gone are removed. Links, pipes, sockets, devices,
    unprintable names, and git's and the studio's own files never cross. With more files than `most_files` nothing does.
    """
    outward = _Outward(work, tree, most_bytes)
    try:
        after, refused = survey(work, most_files)
    except Excess as excess:
        return [f".: {excess}; nothing was copied back"]
    outward.skipped += refused[:_MAX_SKIPPED]
    gone = [path for path in before if path not in after or kind_changed(before[path], after[path])]
    for path in reversed(gone):
        outward.remove(path, directory=stat.S_ISDIR(before[path][0]))
    for path, now in after.items():
        if is_changed(before.get(path), now):
            outward.bring(path, now[0], now[1])
    return outward.skipped


def is_changed(was: Stamp | None, now: Stamp) -> bool:
    """Tell whether an entry has to be brought back: it is new, of another kind, or a file with another stamp."""
    if was is None or kind_changed(was, now):
        return True
    return not stat.S_ISDIR(now[0]) and was != now


def kind_changed(one: Stamp, other: Stamp) -> bool:
    """Tell whether two stamps are of different kinds of entry: file, directory, link, …."""
    return stat.S_IFMT(one[0]) != stat.S_IFMT(other[0])
