"""Opening."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from studio.domain.errors import UsageError
from studio.domain.events import Draft, RunTold
from studio.domain.places import Places
from studio.journal import open_journal, open_store


@pytest.mark.parametrize("url", ["mysql://x/y", "sqlite://", "sqlite:///:memory:", "http:// no url", "sqlite:///"])
def test_a_url_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(UsageError):
        open_journal(url)


def test_a_sqlite_url_is_a_path(tmp_path: Path) -> None:
    first = open_journal(f"sqlite:///{tmp_path}/journal.sqlite")
    first.append([Draft(RunTold("a"))])
    second = open_journal(str(tmp_path / "journal.sqlite"))
    assert second.head() == 1
    first.close()
    second.close()


def test_everything_is_below_the_state_directory_and_in_wal_mode(tmp_path: Path) -> None:
    places = Places(str(tmp_path / "common"), str(tmp_path / "tree"))
    with open_store(places) as store:
        store.journal.append([Draft(RunTold("a"))])
        assert [entry.name for entry in tmp_path.iterdir()] == ["common"]
        assert places.journal.exists()
        assert places.store.is_dir()
        assert places.state.stat().st_mode & 0o077 == 0
        connection = sqlite3.connect(places.journal)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        connection.close()
    store.close()
