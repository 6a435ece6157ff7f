"""Several processes at once, and processes killed at random moments."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from studio.domain.events import Draft, RunTold
from studio.domain.ids import RunId
from studio.journal import open_journal

ROOT = Path(__file__).parents[3]


def appending(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("appending.py")), *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("attempt", range(3))
def test_processes_that_open_and_append_at_once_lose_and_double_nothing(tmp_path: Path, attempt: int) -> None:
    place = str(tmp_path / "studio" / "journal.sqlite")
    processes, batches = 4, 15
    appending("together", place, str(processes), str(batches))
    journal = open_journal(place)
    records = journal.read()
    verdict = journal.audit()
    journal.close()
    assert verdict.ok
    assert [record.seq for record in records] == list(range(1, len(records) + 1))
    expected = {(f"own/{name}/{number}", n) for name in range(processes) for number in range(batches) for n in (0, 1)}
    expected |= {(f"shared/{number}", n) for number in range(batches) for n in (0, 1)}
    assert sorted((record.step, record.n) for record in records) == sorted(expected)


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    place = str(tmp_path / "journal.sqlite")
    told = [line.split() for line in appending("killed", place, "25", "7").splitlines()]
    journal = open_journal(place)
    verdict = journal.audit()
    records = journal.read(limit=10**6)
    journal.close()
    assert verdict.ok
    at = {(record.step, record.n): record.seq for record in records}
    assert len(at) == len(records) == verdict.records
    assert len(told) >= 20
    for step, first in told:
        assert at[step, 0] == int(first)
        assert at[step, 1] == int(first) + 1
    # A batch is one transaction: the one that was not acknowledged is there whole or not at all.
    assert len(records) % 2 == 0


def test_a_fork_shares_no_connection(tmp_path: Path) -> None:
    code = """
import os, sys
from studio.domain.events import Draft, RunTold
from studio.journal import open_journal
journal = open_journal(sys.argv[1])
journal.append([Draft(RunTold("before"))])
child = os.fork()
journal.append([Draft(RunTold("child" if child == 0 else "parent"))])
if child == 0:
    journal.close()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
journal.append([Draft(RunTold("after"))])
assert journal.head() == 4 and journal.audit().ok
"""
    place = tmp_path / "journal.sqlite"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code, str(place)], env=environment, check=True, timeout=60)
    journal = open_journal(place)
    texts = {record.event.text for record in journal.read() if isinstance(record.event, RunTold)}
    journal.append([Draft(RunTold("later"), RunId("r-1"))])
    journal.close()
    assert texts == {"before", "child", "parent", "after"}
