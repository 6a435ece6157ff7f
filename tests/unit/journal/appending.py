"""Processes that append, for the tests: run as a script, it forks them and says what they were told.

`together PLACE PROCESSES BATCHES`: processes open the journal at once and append; prints nothing.
`killed PLACE ROUNDS SEED`: in each round one process appends until it is killed; prints a line for each batch it was told
is in the log: `STEP FIRST_SEQ`.
"""

from __future__ import annotations

import os
import random
import select
import signal
import sys
import time
from collections.abc import Callable

from studio.domain.events import Draft, StageFinished, StageStarted
from studio.domain.ids import RunId
from studio.domain.stages import Stage
from studio.journal import open_journal
from studio.journal.log import EventLog

RUN = RunId("r-1")


def batch(step: str) -> list[Draft]:
    return [
        Draft(StageStarted(Stage.BUILD), RUN, step, 0, "worker"),
        Draft(StageFinished(Stage.BUILD, summary="x" * 200), RUN, step, 1, "worker"),
    ]


def fork(work: Callable[[], None]) -> int:
    child = os.fork()
    if child:
        return child
    try:
        work()
        os._exit(0)
    except BaseException as error:  # noqa: BLE001 - the parent sees the exit code, a person the message
        sys.stderr.write(f"{error!r}\n")
        sys.stderr.flush()
        os._exit(1)


def append_some(place: str, name: int, batches: int) -> None:
    journal = open_journal(place)
    for number in range(batches):
        journal.append(batch(f"own/{name}/{number}"))
        journal.append(batch(f"shared/{number}"))
    journal.close()


def append_for_ever(journal: EventLog, name: int, told: int) -> None:
    number = 0
    while True:
        step = f"killed/{name}/{number}"
        first = journal.append(batch(step))[0]
        os.write(told, f"{step} {first.seq}\n".encode())
        number += 1


def together(place: str, processes: int, batches: int) -> None:
    children = [fork(lambda name=name: append_some(place, name, batches)) for name in range(processes)]
    for child in children:
        assert os.waitpid(child, 0)[1] == 0


def killed(place: str, rounds: int, seed: int) -> None:
    moments = random.Random(seed)  # noqa: S311 - not for secrets
    for name in range(rounds):
        reading, writing = os.pipe()
        child = fork(lambda name=name, told=writing: append_for_ever(open_journal(place), name, told))
        os.close(writing)
        if name % 5:  # else it may be killed while it opens the journal
            select.select([reading], [], [], 30)
        time.sleep(moments.uniform(0, 0.02))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with os.fdopen(reading) as lines:
            sys.stdout.write(lines.read())
            sys.stdout.flush()


if __name__ == "__main__":
    kind, where, *numbers = sys.argv[1:]
    {"together": together, "killed": killed}[kind](where, *map(int, numbers))
