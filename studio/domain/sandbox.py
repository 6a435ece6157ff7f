"""What is run in a sandbox, within which limits, and how it ended."""

from __future__ import annotations

from enum import StrEnum

from studio.domain.value import Value

__all__ = ["Command", "CommandResult", "Ending", "Limits", "Probe"]

MEBI = 1024 * 1024


class Limits(Value, frozen=True):
    """Bounds of one command. Every one of them is enforced or the backend refuses to run."""

    seconds: float = 120.0
    memory_bytes: int = 2048 * MEBI
    processes: int = 256
    output_bytes: int = 4 * MEBI
    """What is kept of stdout and stderr together; what is over is dropped and counted."""
    disk_bytes: int = 1024 * MEBI
    files: int = 100_000


class Command(Value, frozen=True):
    """A command to run in a tree. The tree is a directory of the host, presented as `/work`."""

    argv: tuple[str, ...]
    cwd: str = "."
    """Relative to the tree."""
    env: tuple[tuple[str, str], ...] = ()
    limits: Limits = Limits()
    network: bool = False
    writable: bool = True
    """Whether changes to the tree are copied back to the host directory."""
    stdin: bytes = b""
    mounts: tuple[tuple[str, str], ...] = ()
    """(host path, path in the tree) of what is shown read-only in the tree: `node_modules`, `.venv`."""


class Ending(StrEnum):
    """Why a command ended."""

    EXITED = "exited"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    CANCELLED = "cancelled"
    REFUSED = "refused"
    """The sandbox itself failed; `output` says why. The command did not run."""


class CommandResult(Value, frozen=True):
    """How a command ended. Output is raw bytes of an untrusted program, stdout and stderr interleaved as they came."""

    exit_code: int
    """128 + signal where a signal ended it."""
    ending: Ending
    output: bytes
    dropped_bytes: int
    duration_ms: int
    level: str
    """The sandbox level it ran in: `bubblewrap` or `docker`."""
    stdout: bytes = b""
    """stdout alone, bounded likewise."""
    skipped: tuple[str, ...] = ()
    """Paths that were not copied back, with the reason: `name: device`."""


class Probe(Value, frozen=True):
    """What trying a backend showed."""

    backend: str
    works: bool
    detail: str
    """What was tried and what came of it, one line."""
    do: str = ""
    """What to do to make it work."""
    toolchains: tuple[str, ...] = ()
    """Languages whose toolchain ran in it."""
