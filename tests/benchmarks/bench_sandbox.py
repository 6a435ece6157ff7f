"""How long a command takes in each sandbox that works here, beside the floor: the same command with no sandbox.

Run as `python tests/benchmarks/bench_sandbox.py`. Prints medians and quartiles in milliseconds.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from studio.domain.config import Config
from studio.domain.errors import SandboxUnavailable
from studio.domain.sandbox import Command
from studio.ports.sandbox import Sandbox
from studio.sandbox.choose import choose

ROUNDS = 40
TREES = (10, 100, 1000)


def plant(tree: Path, files: int) -> None:
    """Fill `tree` with small files, twenty to a directory."""
    for number in range(files):
        place = tree / f"d{number // 20}"
        place.mkdir(exist_ok=True)
        (place / f"f{number}.py").write_text("value = 1\n" * 20, encoding="utf-8")


async def measure(name: str, once: Callable[[], Awaitable[object]], rounds: int = ROUNDS) -> None:
    """Print the quartiles of `rounds` runs, after one that is not counted."""
    await once()
    times: list[float] = []
    for _ in range(rounds):
        started = time.perf_counter()
        await once()
        times.append((time.perf_counter() - started) * 1000)
    low, middle, high = statistics.quantiles(times, n=4)
    print(f"{name:<44}{middle:8.1f}   [{low:.1f} … {high:.1f}]")


async def bench(sandbox: Sandbox) -> None:
    """Measure one backend."""
    for files in TREES:
        with tempfile.TemporaryDirectory() as name:
            tree = Path(name)
            plant(tree, files)
            rounds = ROUNDS if files < TREES[-1] else ROUNDS // 4
            for writable in (False, True):
                label = f"{sandbox.level}: true, {files} files{', writable' if writable else ''}"
                command = Command(("true",), writable=writable)
                await measure(label, lambda tree=tree, command=command: sandbox.run(tree, command), rounds)


async def main() -> None:
    """Measure the floor, then every backend that works."""
    await measure("no sandbox: true", lambda: asyncio.to_thread(subprocess.run, ["true"], check=True))
    for level in ("bubblewrap", "docker"):
        try:
            sandbox, _ = await choose(level, Config())
        except SandboxUnavailable as error:
            print(f"{level}: {error.what}")
            continue
        if sandbox is not None:
            await bench(sandbox)
            await sandbox.close()


if __name__ == "__main__":
    asyncio.run(main())
