"""Watching the memory of a process tree where no control group can bound it.

Per-process limits (RLIMIT_DATA) hold each process by itself and at once; the watch holds their sum, a moment late. It adds
the proportional set sizes, which count a page shared by several processes once.

Only the standard library is used: the module runs in the warden, which is started without site packages.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

__all__ = ["Watch"]


class Watch:
    """The memory of all descendants of one process."""

    def __init__(self, root: int, limit: int) -> None:
        """Watch the descendants of `root`, which is not counted, against `limit` bytes."""
        self._root = root
        self._limit = limit

    def exceeded(self) -> bool:
        """Tell whether the descendants use more than the limit now."""
        return sum(map(_memory, _descendants(self._root))) > self._limit


def _descendants(root: int) -> list[int]:
    """Return the ids of all descendants of `root`, from proc_pid_task_children(5)."""
    found: list[int] = []
    waiting = [root]
    while waiting:
        tasks = Path("/proc", str(waiting.pop()), "task")
        with suppress(OSError):
            for task in tasks.iterdir():
                children = [int(child) for child in (task / "children").read_text(encoding="ascii").split()]
                found += children
                waiting += children
    return found


def _memory(pid: int) -> int:
    """Return the bytes that a process holds: its proportional share, or its resident set where that is not told."""
    for name, key in (("smaps_rollup", "Pss:"), ("status", "VmRSS:")):
        with suppress(OSError, ValueError):
            for line in Path("/proc", str(pid), name).read_text(encoding="ascii", errors="replace").splitlines():
                if line.startswith(key):
                    return int(line.split()[1]) * 1024
    return 0
