"""A full disk: nothing is appended, the error says what to do, and the journal goes on when there is space again."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from studio.domain.errors import InternalError
from studio.domain.events import Draft, RunTold
from studio.journal import open_journal
from studio.journal.log import EventLog


def fill(journal: EventLog) -> int:
    """Append until the disk is full; return the head before the batch that failed."""
    for _ in range(200):
        head = journal.head()
        try:
            journal.append([Draft(RunTold("x" * 20_000)), Draft(RunTold("y" * 20_000))])
        except InternalError as error:
            if "full" not in error.what or not error.do:
                raise
            return head
    pytest.fail("the disk did not fill")


def goes_on(journal: EventLog, head: int) -> None:
    assert journal.head() == head
    journal.append([Draft(RunTold("again"))])
    assert journal.head() == head + 1
    assert journal.audit().ok


def test_a_full_database_appends_nothing(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "journal.sqlite")
    with journal._database.write() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count=100")
    head = fill(journal)
    assert journal.audit().ok
    goes_on(journal, head)  # a writer that failed connects anew, which lifts the limit
    journal.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("a file system can be mounted by root only; the page limit's test covers the same error")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_full_file_system_appends_nothing(small_disk: Path) -> None:
    journal = open_journal(small_disk / "journal.sqlite")
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 200_000)
    head = fill(journal)
    assert journal.audit().ok
    ballast.unlink()
    goes_on(journal, head)
    journal.close()


def test_a_directory_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InternalError, match="cannot be made"):
        open_journal(tmp_path / "file" / "journal.sqlite")


def test_a_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite").write_bytes(b"not a database" * 1000)
    with pytest.raises(InternalError, match="not a database"):
        open_journal(tmp_path / "journal.sqlite")


def test_a_locked_journal_is_said(tmp_path: Path) -> None:
    import sqlite3

    import sqlalchemy as sa

    from studio.journal.database import Database

    path = tmp_path / "journal.sqlite"
    journal = EventLog(Database(sa.URL.create("sqlite", database=str(path)), busy_seconds=0.01))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(InternalError, match="locked"):
        journal.append([Draft(RunTold("a"))])
    other.execute("ROLLBACK")
    other.close()
    assert journal.append([Draft(RunTold("a"))])[0].seq == 1
    journal.close()
