"""The host's socket and lock: where they are, whose they are, and who is at the other end."""

from __future__ import annotations

import fcntl
import os
import socket
import stat
import struct
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from studio.domain.errors import UsageError
from studio.domain.places import Places
from studio.domain.value import Value, encode

__all__ = [
    "HostLock",
    "LockHolder",
    "address_of",
    "check_owner",
    "check_peer",
    "own_address",
    "peer_uid",
    "prepare_directory",
]

_MAX_ADDRESS_BYTES = 103
"""What every Unix leaves of `sun_path`; Linux would take four more."""
_PRIVATE = 0o700


class LockHolder(Value, frozen=True):
    """What a host writes into the lock file it holds."""

    pid: int
    uid: int
    socket: str


def prepare_directory(path: Path) -> None:
    """Make the socket directory `path`, for nobody but this user.

    Raises:
        UsageError: it is a link, or another user's, or cannot be made.

    """
    try:
        path.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
        found = path.lstat()
    except FileExistsError:
        raise UsageError(f"{path} is not a directory.", "Remove it and start again.") from None
    except OSError as error:
        raise UsageError(
            f"The socket directory {path} cannot be made ({error.strerror}).",
            "Point XDG_RUNTIME_DIR at a directory of your own.",
        ) from None
    if not stat.S_ISDIR(found.st_mode):
        raise UsageError(f"{path} is a link, which another user may have made.", "Remove it and start again.")
    _refuse_other_owner(path, found.st_uid)
    if stat.S_IMODE(found.st_mode) & 0o077:
        path.chmod(_PRIVATE)


def check_owner(address: Path) -> None:
    """Refuse a socket, or a socket directory, that is another user's.

    Raises:
        FileNotFoundError: nothing is there.
        UsageError: it is another user's, or no socket.

    """
    _refuse_other_owner(address.parent, address.parent.lstat().st_uid)
    found = address.lstat()
    _refuse_other_owner(address, found.st_uid)
    if not stat.S_ISSOCK(found.st_mode):
        raise UsageError(f"{address} is not a socket.", "Remove it and start again.")


def _refuse_other_owner(path: Path, uid: int) -> None:
    if uid != os.geteuid():
        raise UsageError(
            f"{path} belongs to another user (uid {uid}); the studio does not talk through it.",
            "Remove it, or point XDG_RUNTIME_DIR at a directory of your own.",
        )


def peer_uid(connection: socket.socket) -> int | None:
    """Return the user id of the process at the other end; None where the system does not tell."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return None
    credentials = struct.Struct("3i")
    return int(credentials.unpack(connection.getsockopt(socket.SOL_SOCKET, option, credentials.size))[1])


def check_peer(connection: socket.socket) -> None:
    """Refuse a peer that another user runs.

    Raises:
        UsageError: the peer's user is not ours.

    """
    uid = peer_uid(connection)
    if uid is not None and uid != os.geteuid():
        raise UsageError(
            f"The process at the other end of the socket belongs to another user (uid {uid}).",
            "Each person uses a studio of their own account; pair over ssh to one account instead.",
        )


def address_of(places: Places) -> Path:
    """Return the socket of the repository's host: the one its lock file names, else where one would be made.

    The lock file is asked first because XDG_RUNTIME_DIR may differ between two sessions of the same person.

    Raises:
        UsageError: the address is too long for a socket.

    """
    holder = HostLock(places).holder()
    expected = places.socket()
    if holder is not None and not expected.exists() and holder.uid == os.geteuid():
        expected = Path(holder.socket)
    return _short(expected)


def own_address(places: Places) -> Path:
    """Return the socket a host of this session listens on.

    Raises:
        UsageError: the address is too long for a socket.

    """
    return _short(places.socket())


def _short(address: Path) -> Path:
    if len(os.fsencode(address)) > _MAX_ADDRESS_BYTES:
        raise UsageError(
            f"The socket's path is too long for a socket: {address}.", "Point XDG_RUNTIME_DIR at a shorter directory."
        )
    return address


class HostLock:
    """The lock a host holds for its life, beside the journal: one host per repository, whoever starts it.

    The kernel drops it when the process ends, however it ends; the file stays and means nothing by itself.
    """

    def __init__(self, places: Places) -> None:
        self._path = places.state / "host.lock"
        self._socket = places.socket()
        self._file: int | None = None

    def holder(self) -> LockHolder | None:
        """Return what the last host wrote into the lock file, None if there is nothing to read."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=LockHolder)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            return None

    def held(self) -> bool:
        """Tell whether some process holds the lock now."""
        try:
            handle = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(handle)
        return False

    def acquire(self) -> bool:
        """Take the lock; False if another process holds it.

        Raises:
            OSError: the file cannot be made.

        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        os.ftruncate(handle, 0)
        os.pwrite(handle, encode(LockHolder(os.getpid(), os.geteuid(), str(self._socket))), 0)
        self._file = handle
        return True

    def release(self) -> None:
        """Let go of the lock."""
        if self._file is not None:
            os.ftruncate(self._file, 0)
            os.close(self._file)
            self._file = None

    def __enter__(self) -> Self:
        """Return the lock."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of the lock."""
        self.release()
