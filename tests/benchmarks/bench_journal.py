"""An empty DBOS step with its two events, against an empty DBOS step, both in WAL. Bar: at most 1.5 times.

Run it: `python tests/benchmarks/bench_journal.py [PAIRS]`. Pairs are interleaved, and which of the two comes first
alternates, so that a machine that gets slower meanwhile slows both alike.
"""

from __future__ import annotations

import logging
import sqlite3
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, cast

from dbos import DBOS, DBOSConfig

from studio.domain.events import Draft, StageFinished, StageStarted
from studio.domain.ids import RunId
from studio.domain.stages import Stage
from studio.journal import open_journal
from studio.journal.log import EventLog

BAR = 1.5
STEPS = 50
"""Steps a workflow; a pair is one workflow of each kind."""
_journals: list[EventLog] = []


@DBOS.step()
def bare_step(number: int) -> int:
    """Do nothing."""
    return number


@DBOS.step()
def step_with_events(run: str, number: int) -> int:
    """Do nothing, and say so: one append when it begins, one when it ends."""
    step = f"build/{number}"
    _journals[0].append([Draft(StageStarted(Stage.BUILD), RunId(run), step, 0, "worker-1")])
    _journals[0].append([Draft(StageFinished(Stage.BUILD, summary="done"), RunId(run), step, 1, "worker-1")])
    return number


@DBOS.workflow()
def bare_workflow() -> float:
    """Return the seconds a bare step takes."""
    started = time.perf_counter()
    for number in range(STEPS):
        bare_step(number)
    return (time.perf_counter() - started) / STEPS


@DBOS.workflow()
def workflow_with_events() -> float:
    """Return the seconds a step with its two events takes."""
    run = cast("str", DBOS.workflow_id)
    started = time.perf_counter()
    for number in range(STEPS):
        step_with_events(run, number)
    return (time.perf_counter() - started) / STEPS


def measure(directory: Path, pairs: int) -> tuple[list[float], list[float]]:
    """Return the seconds a step of each pair took: bare, with events."""
    engine_file = directory / "engine.sqlite"
    connection = sqlite3.connect(engine_file)
    assert connection.execute("PRAGMA journal_mode=WAL").fetchone() == ("wal",)
    connection.close()
    config: DBOSConfig = {
        "name": "bench",
        "system_database_url": f"sqlite:///{engine_file}",
        "log_level": "ERROR",
    }
    logging.getLogger("dbos").setLevel(logging.ERROR)
    DBOS(config=config)
    DBOS.launch()
    _journals[:] = [open_journal(directory / "journal.sqlite")]
    bare: list[float] = []
    full: list[float] = []
    try:
        for workflow in (bare_workflow, workflow_with_events):
            workflow()  # what is done once is not measured
        for pair in range(pairs):
            kinds: list[tuple[Any, list[float]]] = [(bare_workflow, bare), (workflow_with_events, full)]
            for workflow, times in kinds if pair % 2 else reversed(kinds):
                times.append(workflow())
    finally:
        DBOS.destroy()
        _journals[0].close()
    return bare, full


def main() -> int:
    """Print medians and ratio; 1 when the bar is not met."""
    pairs = max(int(sys.argv[1]) if len(sys.argv) > 1 else 30, 20)
    with tempfile.TemporaryDirectory() as directory:
        bare, full = measure(Path(directory), pairs)
    ratio = statistics.median(with_events / alone for with_events, alone in zip(full, bare, strict=True))
    print(f"{pairs} pairs of {STEPS} steps, SQLite in WAL mode")
    print(f"empty DBOS step                     {statistics.median(bare) * 1e3:7.3f} ms")
    print(f"empty DBOS step and its two events  {statistics.median(full) * 1e3:7.3f} ms")
    print(f"ratio, median of the pairs          {ratio:7.2f}     (bar: at most {BAR})")
    return 0 if ratio <= BAR else 1


if __name__ == "__main__":
    sys.exit(main())
