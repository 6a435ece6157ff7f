"""Connecting to the repository's host, starting it where there is none."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import studio
from studio.domain.errors import InternalError, UsageError
from studio.domain.places import Places
from studio.protocol.locate import git_environment
from studio.protocol.sockets import HostLock, address_of, check_owner, check_peer, prepare_directory

__all__ = ["Streams", "connect", "connect_or_start", "host_command", "output_file"]

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

_POLL_SECONDS = 0.02
_READ_BYTES = 1024 * 1024
_TAIL_BYTES = 64 * 1024
_MAX_OUTPUT_BYTES = 256 * 1024
_WHAT = "studio: "
"""What a command's first line of an error begins with; the second is indented."""
_ABSENT = (FileNotFoundError, ConnectionRefusedError)

_started: list[subprocess.Popen[bytes]] = []
"""Hosts this process started. They outlive it; while it lives it reaps those that end."""


def host_command(places: Places) -> list[str]:
    """Return the command that runs the host of a repository in the foreground."""
    return [sys.executable, "-m", "studio", "host", "--repo", places.worktree]


def output_file(places: Places) -> Path:
    """Return the file a host's standard output and error go to: what it says before its log is open."""
    return places.logs / "host.out"


async def connect(places: Places) -> Streams:
    """Return streams to the host's socket.

    Raises:
        FileNotFoundError: there is no socket.
        ConnectionRefusedError: nobody listens on it.
        UsageError: it is another user's, or the process behind it is.

    """
    address = address_of(places)
    try:
        check_owner(address)
        reader, writer = await asyncio.open_unix_connection(address, limit=_READ_BYTES)
    except PermissionError:
        raise UsageError(
            f"You may not use the socket {address}.", "Remove it, or point XDG_RUNTIME_DIR at a directory of your own."
        ) from None
    try:
        peer: socket.socket = writer.get_extra_info("socket")
        check_peer(peer)
    except BaseException:
        writer.close()
        raise
    return reader, writer


async def connect_or_start(places: Places, command: Sequence[str] | None = None, seconds: float = 30.0) -> Streams:
    """Return streams to the host's socket, starting the host if nobody answers there.

    Any number of processes may do this at once: of the hosts they start one takes the lock, the others end, and all
    connect to it.

    Raises:
        InternalError: no host answered within `seconds`; the last line it wrote says why.
        UsageError: the socket, its directory or the host is another user's; or the host refused bad input, such as a broken
            configuration.

    """
    deadline = asyncio.get_running_loop().time() + seconds
    process: subprocess.Popen[bytes] | None = None
    output, offset = output_file(places), 0
    lock, others = HostLock(places), False
    while True:
        try:
            return await connect(places)
        except _ABSENT:
            if lock.held():
                # Another host is starting or ending; where it ends, one more is started.
                _refuse_other_users_host(lock)
                holder = lock.holder()
                others = others or process is None or (holder is not None and holder.pid != process.pid)
            elif process is None or (process.poll() is not None and others):
                offset, others = _prepare(places, output), False
                process = _spawn(list(command or host_command(places)), output)
            elif process.poll() is not None:
                raise _ended(process.returncode, output, offset) from None
        if asyncio.get_running_loop().time() > deadline:
            raise _start_failure(f"did not answer within {seconds:.0f} s", output, offset)
        await asyncio.sleep(_POLL_SECONDS)


def _refuse_other_users_host(lock: HostLock) -> None:
    holder = lock.holder()
    if holder is not None and holder.uid != os.geteuid():
        raise UsageError(
            f"Another user (uid {holder.uid}) has a studio open on this repository (host process {holder.pid}).",
            "Wait until it is closed, or work in a clone of your own.",
        )


def _prepare(places: Places, output: Path) -> int:
    """Make the directories a host needs; return the size of its output file."""
    prepare_directory(places.socket().parent)
    output.parent.mkdir(parents=True, exist_ok=True)
    try:
        size = output.stat().st_size
    except FileNotFoundError:
        return 0
    if size > _MAX_OUTPUT_BYTES:
        os.truncate(output, 0)
        return 0
    return size


def _spawn(command: list[str], output: Path, environ: Mapping[str, str] = os.environ) -> subprocess.Popen[bytes]:
    """Start the host as a daemon: a session of its own, no terminal, and a working directory that nobody else writes.

    The directory matters: `python -m` looks for modules there first, and the repository may hold one named `studio`.
    """
    _started[:] = [process for process in _started if process.poll() is None]
    with output.open("ab") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=Path(studio.__file__).resolve().parent.parent,
            env=_daemon_environment(environ),
            start_new_session=True,
        )
    _started.append(process)
    return process


def _daemon_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the person's environment, keys included, without what points git at another repository."""
    cleaned = git_environment(environ)
    for name in ("LC_ALL", "GIT_OPTIONAL_LOCKS", "GIT_TERMINAL_PROMPT"):
        if name in environ:
            cleaned[name] = environ[name]
        else:
            del cleaned[name]
    return cleaned


def _ended(code: int, output: Path, offset: int) -> UsageError | InternalError:
    """Return the error of a host that ended: its own, if it told it in two lines as commands do."""
    told = [line.rstrip() for line in _said(output, offset).splitlines() if line.strip()][-2:]
    if len(told) == 2 and told[0].startswith(_WHAT) and told[1].startswith(" "):  # noqa: PLR2004  # the two lines
        kind = UsageError if code == UsageError.exit_code else InternalError
        return kind(told[0].removeprefix(_WHAT), told[1].strip())
    return _start_failure(f"ended with exit code {code}", output, offset)


def _start_failure(what: str, output: Path, offset: int) -> InternalError:
    lines = [line.strip() for line in _said(output, offset).splitlines() if line.strip()]
    said = lines[-1] if lines else ""
    return InternalError(
        f"The studio's host {what}{': ' + said if said else ''}.".replace("..", "."), f"All it said is in {output}."
    )


def _said(output: Path, offset: int) -> str:
    """Return the end of what a host wrote from `offset` on."""
    try:
        with output.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(offset, end - _TAIL_BYTES))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""
