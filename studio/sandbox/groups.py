"""Control groups: the hard bound on memory and processes, where this process may make them.

Both hierarchies are tried by making a group and writing its limits, never by version. Where neither can be written (an
ordinary user without delegation), the caller falls back to per-process limits and the watch in `watch.py`.

Only the standard library is used: the module runs in the warden, which is started without site packages.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

__all__ = ["Group", "bases", "make", "sweep"]

_PREFIX = "quantumlayer-studio-"


class Group:
    """One command's groups, held by descriptors, so that they can be read and removed from another root."""

    def __init__(self, parts: list[tuple[int, str]]) -> None:
        self._parts = parts
        self._procs = [os.open(f"{name}/cgroup.procs", os.O_WRONLY | os.O_CLOEXEC, dir_fd=base) for base, name in parts]

    def join(self) -> None:
        """Put the calling process into the groups."""
        for procs in self._procs:
            os.write(procs, b"0")

    def memory_kills(self) -> int:
        """Return how many processes the kernel killed for memory."""
        for base, name in self._parts:
            for file in ("memory.events", "memory.oom_control"):
                with suppress(OSError, ValueError):
                    for line in _read(base, f"{name}/{file}").splitlines():
                        if line.startswith("oom_kill "):
                            return int(line.split()[1])
        return 0

    def remove(self) -> None:
        """Remove the groups, which are empty by now."""
        for procs in self._procs:
            os.close(procs)
        for base, name in self._parts:
            with suppress(OSError):
                os.rmdir(name, dir_fd=base)


def _read(base: int, name: str) -> str:
    file = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=base)
    try:
        return os.read(file, 65536).decode()
    finally:
        os.close(file)


def _write(base: int, name: str, value: int) -> None:
    file = os.open(name, os.O_WRONLY | os.O_CLOEXEC, dir_fd=base)
    try:
        os.write(file, str(value).encode())
    finally:
        os.close(file)


def bases() -> list[tuple[str, int]]:
    """Return `(hierarchy, descriptor)` of where groups may be made: `v2`, or `memory` and `pids`."""
    found: list[tuple[str, int]] = []
    for hierarchy, path in _own_groups():
        with suppress(OSError):
            found.append((hierarchy, os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)))
    return found


def _own_groups() -> list[tuple[str, str]]:
    """Return the directories of this process's groups, from proc_pid_cgroup(5) and proc_pid_mountinfo(5)."""
    mounts: dict[str, tuple[str, str]] = {}
    with Path("/proc/self/mountinfo").open(encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            left, _, right = line.partition(" - ")
            kind, _, options = right.split(maxsplit=2)
            root, target = left.split()[3:5]
            if kind == "cgroup2":
                mounts["v2"] = (root, target)
            elif kind == "cgroup":
                for controller in {"memory", "pids"} & set(options.strip().split(",")):
                    mounts[controller] = (root, target)
    found: list[tuple[str, str]] = []
    with Path("/proc/self/cgroup").open(encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            _, controllers, path = line.rstrip("\n").split(":", 2)
            for name in controllers.split(",") if controllers else ["v2"]:
                if name in mounts:
                    root, target = mounts[name]
                    inside = path if root == "/" else path.removeprefix(root)
                    found.append((name, target + (inside if inside != "/" else "")))
    return found


def make(places: list[tuple[str, int]], name: str, memory: int, processes: int) -> Group | None:
    """Make a group with both limits, or return None where this process may not.

    Args:
        places: what `bases` returned.
        name: unique among live commands.
        memory: bytes, swap included.
        processes: how many processes and threads.

    """
    by_name = dict(places)
    name = _PREFIX + name
    wanted = (
        {"v2": [("memory.max", memory), ("memory.swap.max", 0), ("pids.max", processes)]},
        {
            "memory": [("memory.limit_in_bytes", memory), ("memory.memsw.limit_in_bytes", memory)],
            "pids": [("pids.max", processes)],
        },
    )
    for hierarchies in wanted:
        if all(hierarchy in by_name for hierarchy in hierarchies):
            parts = [(by_name[hierarchy], name) for hierarchy in hierarchies]
            try:
                for (base, _), settings in zip(parts, hierarchies.values(), strict=True):
                    os.mkdir(name, dir_fd=base)
                    for file, value in settings:
                        _set(base, f"{name}/{file}", value)
                return Group(parts)
            except OSError:
                for base, _ in parts:
                    with suppress(OSError):
                        os.rmdir(name, dir_fd=base)
    return None


def _set(base: int, file: str, value: int) -> None:
    """Write one limit; the two about swap are absent on kernels that account none, which is as good as zero."""
    try:
        _write(base, file, value)
    except FileNotFoundError:
        if "sw" not in file.rpartition("/")[2]:
            raise


def sweep(places: list[tuple[str, int]]) -> None:
    """Remove empty groups that a killed process of ours left behind; one with processes refuses by itself."""
    for _, base in places:
        for name in os.listdir(base):  # noqa: PTH208 - an open directory has no Path
            owner = name.removeprefix(_PREFIX).partition("-")[0]
            if name.startswith(_PREFIX) and owner.isdigit() and not Path("/proc", owner).exists():
                with suppress(OSError):
                    os.rmdir(name, dir_fd=base)
