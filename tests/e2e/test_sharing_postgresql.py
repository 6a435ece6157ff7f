"""A PostgreSQL URL as the configuration's `database`: a whole run, from brief to undone landing, without a SQLite journal."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.fakes.belongings import belongings, quick, scripted
from tests.fakes.studio_lab import Lab

_SERVERS = Path(__file__).parents[1] / "contract" / "conftest.py"
_spec = importlib.util.spec_from_file_location("contract_servers", _SERVERS)
assert _spec
assert _spec.loader
_servers = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_servers)
postgresql_server = _servers.postgresql_server
postgresql_url = _servers.postgresql_url


@pytest.fixture
def lab(postgresql_url: str, tmp_path: Path) -> Iterator[Lab]:
    config = f'database = "{postgresql_url}"\nsandbox = "bubblewrap"\n'
    with Lab(tmp_path, scripted(), config=config) as lab:
        yield lab


def test_a_run_on_postgresql_is_proposed_landed_undone_and_survives_its_host(lab: Lab, postgresql_url: str) -> None:
    before = belongings(lab.repo)
    run = quick(lab)
    assert not (lab.state / "journal.sqlite").exists()
    assert not (lab.state / "engine.sqlite").exists()
    lab.end_host()
    assert lab.json("show", run)["status"] == "ready"
    lab.studio("accept", run, "--all", "--unchecked")
    assert (lab.repo / "mul.py").exists()
    lab.studio("undo")
    assert belongings(lab.repo) == before
    assert lab.json("audit")["ok"] is True
    engine = sa.create_engine(postgresql_url)
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM events")).scalar_one() > 10
    engine.dispose()
