"""Replay files: JSON lines, a header and then one entry a reply, addressed by where in a run it was given.

A replay file may be committed and read in a diff: entries are sorted by nothing but the order they came in, one a line.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Generator
from pathlib import Path

import msgspec

from studio.domain.errors import UsageError
from studio.domain.models import CallAddress, Message, ModelReply, ModelRequest, Usage
from studio.domain.value import Value, decode, encode
from studio.models.wire import input_digest

__all__ = [
    "Tape",
    "TapeEntry",
    "TapeHeader",
    "entry_of",
    "locked",
    "new_header",
    "read_tape",
    "write_atomically",
    "write_tape",
]

_VERSION = 1
_LARGEST_BYTES = 256 * 1024 * 1024


class TapeHeader(Value, frozen=True):
    """The first line."""

    studio_replay: int
    """The format's version."""
    recorded: str
    """When: ISO 8601, UTC."""
    model: str
    title: str = ""
    """The brief's title."""
    run: str = ""


class TapeEntry(Value, frozen=True):
    """A reply."""

    address: CallAddress
    role: str
    request_digest: str
    message: Message
    model: str
    usage: Usage = Usage()
    cost_usd: float = 0.0
    duration_ms: int = 0
    finish: str = "stop"

    @property
    def key(self) -> str:
        """Where in a run it stands."""
        return str(self.address)


class Tape(Value, frozen=True):
    """A file's content."""

    header: TapeHeader
    entries: tuple[TapeEntry, ...] = ()

    def with_entry(self, entry: TapeEntry) -> Tape:
        """Return the tape with `entry` in place of the one with its address, or at the end."""
        kept = {old.key: old for old in self.entries}
        kept[entry.key] = entry
        return Tape(self.header, tuple(kept.values()))


def entry_of(request: ModelRequest, reply: ModelReply, message: Message) -> TapeEntry:
    """Return the entry of a reply; `message` is what is written of it."""
    return TapeEntry(
        request.address, request.role, input_digest(request), message, reply.model, reply.usage, reply.cost_usd,
        reply.duration_ms, reply.finish,
    )  # fmt: skip


def new_header(model: str, title: str, run: str, recorded: str) -> TapeHeader:
    """Return a header of this version."""
    return TapeHeader(_VERSION, recorded, model, title, run)


def read_tape(path: Path) -> Tape:
    """Return a replay file's content.

    Raises:
        UsageError: there is no such file, or it is not one of this version.

    """
    try:
        if path.exists() and not path.is_file():  # a device or a pipe may be read for ever
            raise UsageError(f"{path} is no file.", "Name a file that --record wrote.")
        if path.stat().st_size > _LARGEST_BYTES:
            raise UsageError(f"{path} is larger than {_LARGEST_BYTES >> 20} MiB.", "Name a file that --record wrote.")
        lines = [line for line in path.read_bytes().split(b"\n") if line.strip()]
    except OSError as error:
        raise UsageError(
            f"Cannot read the replay {path}: {error.strerror}.", "Name a file that --record wrote."
        ) from error
    number = 1
    try:
        header = decode(lines[0] if lines else b"", TapeHeader)
        if header.studio_replay > _VERSION:
            raise UsageError(
                f"{path} is a replay of version {header.studio_replay}; this studio reads {_VERSION}.",
                "Update the studio.",
            )
        entries: list[TapeEntry] = []
        for line in lines[1:]:
            number += 1
            entries.append(decode(line, TapeEntry))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(
            f"{path} is not a replay: line {number}: {error}.", "Name a file that --record wrote."
        ) from error
    return Tape(header, tuple(entries))


def write_tape(path: Path, tape: Tape) -> None:
    """Write a replay file, all or nothing.

    Raises:
        UsageError: it cannot be written there.

    """
    data = b"\n".join(encode(part) for part in (tape.header, *tape.entries)) + b"\n"
    write_atomically(path, data)


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that readers see all of it or nothing.

    Raises:
        UsageError: it cannot be written there.

    """
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UsageError(f"Cannot write {path}: {error.strerror}.", "Choose a place that can be written to.") from error


@contextlib.contextmanager
def locked(folder: Path) -> Generator[None]:
    """Hold a folder's lock against other processes and threads.

    Raises:
        UsageError: the folder is not there.

    """
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise UsageError(
            f"Cannot open {folder}: {error.strerror}.", "Choose a place that can be written to."
        ) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
