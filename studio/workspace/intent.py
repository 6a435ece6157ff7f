"""What a landing is about to do, on disk before it does it: what recovery reads, and what `why` reads afterwards."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import msgspec

from studio.domain.changes import Landing
from studio.domain.ids import LandingId
from studio.domain.value import Value, decode, encode

__all__ = ["FileOp", "IndexOp", "Intent", "Intents", "Phase", "RefOp"]


class Phase(StrEnum):
    """How far a landing is."""

    PREPARED = "prepared"
    """Nothing, part or all of the files are swapped: recovery reverts them."""
    DECIDED = "decided"
    """All is swapped and verified: recovery finishes."""
    CLOSED = "closed"
    """Nothing is left to do."""


class FileOp(Value, frozen=True):
    """One file to swap. Digests are SHA-256 of the bytes on disk, empty where there is no file."""

    path: str
    staged: str
    """Name of the prepared file, later of the displaced one."""
    before: str
    after: str
    inode: int = 0
    """Of the prepared file: tells it from what people put in its place."""
    beside: bool = False
    """Staged in the directory of `path`, on another file system than the staging directory."""


class IndexOp(Value, frozen=True):
    """A new index file, prepared in the staging directory."""

    staged: str
    before: str
    """Digest of the index it was made from."""
    inode: int


class RefOp(Value, frozen=True):
    """A reference to move; ids are empty where it does not exist."""

    name: str
    old: str
    new: str


class Intent(Value, frozen=True):
    """A landing in progress or done."""

    landing: Landing
    worktree: str
    git_dir: str
    files: tuple[FileOp, ...] = ()
    made: tuple[str, ...] = ()
    """Directories of the working tree made for it, outermost first."""
    index: IndexOp | None = None
    ref: RefOp | None = None
    phase: Phase = Phase.PREPARED
    lines: dict[str, tuple[str, ...]] = {}
    """By hunk: digests of the lines it added, in order."""


class Intents:
    """The records, one file a landing, with a staging directory each while it runs."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @property
    def lock(self) -> Path:
        """The lock that one landing at a time holds."""
        return self._directory / "lock"

    def staging(self, landing: LandingId) -> Path:
        """Return the staging directory of a landing."""
        return self._directory / f"{landing}.d"

    def save(self, intent: Intent) -> None:
        """Write a record so that it survives a crash of the machine."""
        target = self._file(intent.landing.id)
        self._directory.mkdir(parents=True, exist_ok=True)
        fresh = target.with_suffix(".new")
        with fresh.open("wb") as file:
            file.write(encode(intent))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(target)
        sync_directory(self._directory)

    def load(self, landing: LandingId) -> Intent | None:
        """Return a record, None if there is none that can be read."""
        try:
            return decode(self._file(landing).read_bytes(), Intent)
        except (FileNotFoundError, msgspec.MsgspecError):
            return None

    def drop(self, landing: LandingId) -> None:
        """Forget a landing that did not happen."""
        self._file(landing).unlink(missing_ok=True)
        self.clear(landing)

    def clear(self, landing: LandingId) -> None:
        """Remove the staging directory of a landing."""
        shutil.rmtree(self.staging(landing), ignore_errors=True)

    def unfinished(self) -> Iterator[Intent]:
        """Give the records of landings that are not closed, and clear staging directories without a record."""
        for file in sorted(self._directory.glob("*.json")) if self._directory.is_dir() else ():
            intent = self.load(LandingId(file.stem))
            if intent is not None and intent.phase is not Phase.CLOSED:
                yield intent
        for directory in self._directory.glob("*.d"):
            if not self._file(LandingId(directory.stem)).exists():
                self.clear(LandingId(directory.stem))

    def _file(self, landing: LandingId) -> Path:
        return self._directory / f"{landing}.json"


def sync_directory(directory: Path) -> None:
    """Make renames in a directory durable."""
    with contextlib.suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
