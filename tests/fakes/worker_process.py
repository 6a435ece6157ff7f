"""A worker that speaks the control protocol and does no work: `worker_process.py WORKTREE NAME LIFE-DESCRIPTOR MODE`.

Modes: `serve` answers jobs by a script; `die` ends at once. A subset passes when its tree holds `needed.txt`, or no
`broken.txt`.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from pathlib import Path

import msgspec

from studio.domain.checks import CheckResult, Outcome, SubsetVerdict
from studio.domain.errors import UsageError
from studio.domain.places import Places
from studio.domain.sandbox import CommandResult, Ending
from studio.domain.value import Value, encode
from studio.protocol import messages as msg
from studio.protocol.commands import Execute, Memories, SearchMemory
from studio.protocol.frames import Channel
from studio.protocol.locate import locate
from studio.protocol.start import connect


def _answer(places: Places, job: msg.Job) -> Value:
    if isinstance(job, SearchMemory):
        return Memories((), "lexical")
    if isinstance(job, Execute):
        return CommandResult(0, Ending.EXITED, " ".join(job.argv).encode(), 0, 1, "bubblewrap")
    if isinstance(job, msg.SubsetJob):
        listed = subprocess.run(
            ["git", "--git-dir", str(places.store), "ls-tree", "-r", "--name-only", job.tree],
            capture_output=True,
            check=True,
            text=True,
        ).stdout.split()
        passed = "broken.txt" not in listed or "needed.txt" in listed
        outcome = Outcome.PASSED if passed else Outcome.FAILED
        return SubsetVerdict(job.tree, (CheckResult("syntax", outcome, job.tree, "bubblewrap"),))
    raise UsageError("The scripted worker does not do that.")


async def main(places: Places, name: str) -> None:
    reader, writer = await connect(places)
    channel: Channel[msg.ToWorker] = Channel(reader, writer, msg.ToWorker)
    await channel.send(msg.Hello(msg.PROTOCOL_VERSION, "worker", name, os.getpid()))
    while (message := await channel.receive()) is not None:
        if not isinstance(message, msg.Assign):
            continue
        if isinstance(message.job, Execute):
            await channel.send(msg.Streamed(message.job.command, 0, b"live\n"))
        try:
            result = await asyncio.to_thread(_answer, places, message.job)
            done = msg.Completed(message.id, msgspec.Raw(encode(result)))
        except UsageError as error:
            done = msg.Completed(message.id, problem=error.problem)
        await channel.send(done)


def _die_with(life: int) -> None:
    os.read(life, 1)
    os._exit(0)


if __name__ == "__main__":
    directory, worker, descriptor, mode = sys.argv[1:]
    if mode == "die":
        sys.exit(3)
    threading.Thread(target=_die_with, args=(int(descriptor),), daemon=True).start()
    asyncio.run(main(locate(Path(directory)), worker))
