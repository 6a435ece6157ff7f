"""Local workers: started as children that die with their host, restarted with growing patience."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import studio
from studio.domain.events import WorkerStopped

__all__ = ["Supervisor", "backoff_seconds"]

log = logging.getLogger(__name__)

FIRST_WAIT = 0.5
LONGEST_WAIT = 30.0
HEALTHY_SECONDS = 60.0
"""A worker that lived this long starts with the shortest wait again."""
END_SECONDS = 5.0
_INSTALLED = Path(studio.__file__).resolve().parent.parent


def backoff_seconds(failures: int) -> float:
    """Return how long to wait before the next start, after so many short lives in a row."""
    return min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(failures, 16))


class Supervisor:
    """Keeps `count` workers running. `stopped` records the end of one."""

    def __init__(
        self,
        command: Callable[[str, int], Sequence[str]],
        count: int,
        output: Path,
        stopped: Callable[[WorkerStopped], Awaitable[object]],
        wait: Callable[[int], float] = backoff_seconds,
    ) -> None:
        self._command = command
        self._count = count
        self._output = output
        self._stopped = stopped
        self._wait = wait

    async def run(self) -> None:
        """Run the workers until cancelled, then end them: by closing their pipe, by SIGTERM, by SIGKILL."""
        async with asyncio.TaskGroup() as group:
            for number in range(1, self._count + 1):
                group.create_task(self._keep(f"worker-{number}"))

    async def _keep(self, worker: str) -> None:
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            began = loop.time()
            code = await self._live(worker)
            failures = 0 if loop.time() - began >= HEALTHY_SECONDS else failures + 1
            pause = self._wait(failures)
            log.warning("%s ended with exit code %d; it starts again in %.1f s", worker, code, pause)
            await self._stopped(WorkerStopped(worker, code, pause))
            await asyncio.sleep(pause)

    async def _live(self, worker: str) -> int:
        """Start a worker, wait for its end, return its exit code (negative: the signal that ended it)."""
        life, ours = os.pipe()
        try:
            self._output.parent.mkdir(parents=True, exist_ok=True)
            with self._output.open("ab") as output:
                process = await asyncio.create_subprocess_exec(
                    *self._command(worker, life),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    pass_fds=(life,),
                    # `python -m` looks for modules here first: not in a repository, which may hold one named `studio`.
                    cwd=_INSTALLED,
                )
        except OSError as error:
            log.warning("%s cannot be started: %s", worker, error)
            os.close(ours)
            return 127
        finally:
            os.close(life)
        try:
            return await process.wait()
        finally:
            os.close(ours)
            if process.returncode is None:
                await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    """See a worker, whose pipe is closed, to its end."""
    for insist in (process.terminate, process.kill):
        try:
            async with asyncio.timeout(END_SECONDS):
                await process.wait()
        except TimeoutError:
            insist()
    await process.wait()
