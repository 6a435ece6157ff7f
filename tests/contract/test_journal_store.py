"""The journal's ports, on SQLite and on PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from studio.domain.errors import BudgetSpent, InternalError, UsageError
from studio.domain.events import Draft, PayloadErased, RunTold, StageFinished, StageStarted, UnknownEvent
from studio.domain.ids import ArtifactId, RunId
from studio.domain.models import Message, ModelReply
from studio.domain.places import Places
from studio.domain.runs import Budget
from studio.domain.stages import Stage
from studio.domain.state import StudioState
from studio.journal import JournalStore, open_journal, open_store
from studio.ports.journal import Artifacts, Journal, Ledger, Replies, Reuse, Streams

RUN = RunId("r-1")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    return "" if request.param == "sqlite" else request.getfixturevalue("postgresql_url")


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(str(tmp_path / "common"), str(tmp_path))


@pytest.fixture
def store(places: Places, database_url: str) -> Iterator[JournalStore]:
    with open_store(places, database_url) as opened:
        yield opened


def told(text: str, step: str = "", n: int = 0) -> Draft:
    return Draft(RunTold(text), RUN, step, n, "ada")


def reply(text: str) -> ModelReply:
    return ModelReply(Message("assistant", text), "m")


def test_the_parts_fulfil_their_ports(store: JournalStore) -> None:
    journal: Journal = store.journal
    artifacts: Artifacts = store.artifacts
    streams: Streams = store.streams
    reuse: Reuse = store.reuse
    replies: Replies = store.replies
    ledger: Ledger = store.ledger
    assert all((journal, artifacts, streams, reuse, replies, ledger))


def test_records_are_numbered_from_one_without_gaps_and_read_back(store: JournalStore) -> None:
    first = store.journal.append([told("a"), told("b")])
    second = store.journal.append([Draft(StageStarted(Stage.BUILD), RunId("r-2"), "build", 1, "worker-1")])
    assert [record.seq for record in first + second] == [1, 2, 3]
    assert store.journal.head() == 3
    assert store.journal.read() == first + second
    assert store.journal.read(after=1, limit=1) == first[1:]
    assert store.journal.read(run=RunId("r-2")) == second
    assert store.journal.read(after=3) == []
    assert store.journal.append([]) == []


def test_a_repeated_step_adds_nothing(store: JournalStore) -> None:
    first = store.journal.append([told("a", "build/T1/1", 0), told("b", "build/T1/1", 1)])
    again = store.journal.append([told("b, differently", "build/T1/1", 1), told("c", "build/T1/1", 2)])
    assert again[0] == first[1]
    assert again[1].seq == 3
    assert store.journal.head() == 3
    twice = store.journal.append([told("d", "build/T2/1", 0), told("e", "build/T2/1", 0)])
    assert twice[0] == twice[1]
    assert store.journal.head() == 4


def test_events_outside_a_step_are_never_taken_for_repeats(store: JournalStore) -> None:
    store.journal.append([told("a"), told("a")])
    assert store.journal.head() == 2


def test_an_unknown_event_is_not_written(store: JournalStore) -> None:
    with pytest.raises(InternalError):
        store.journal.append([told("a"), Draft(UnknownEvent("later"))])
    assert store.journal.head() == 0


def test_two_stores_see_each_other(store: JournalStore, places: Places, database_url: str) -> None:
    with open_store(places, database_url) as other:
        store.journal.append([told("a")])
        assert other.journal.head() == 1
        other.journal.append([told("b")])
        assert store.journal.read() == other.journal.read()


def test_waiting_ends_when_another_store_appends(store: JournalStore, places: Places, database_url: str) -> None:
    heads: list[int] = []
    waiter = threading.Thread(target=lambda: heads.append(store.journal.wait(0, 60)))
    waiter.start()
    with open_store(places, database_url) as other:
        other.journal.append([told("a")])
        waiter.join(30)
    assert heads == [1]


def test_waiting_ends_when_the_same_store_appends(store: JournalStore) -> None:
    heads: list[int] = []
    waiter = threading.Thread(target=lambda: heads.append(store.journal.wait(0, 60)))
    waiter.start()
    store.journal.append([told("a")])
    waiter.join(30)
    assert heads == [1]


def test_waiting_gives_up(store: JournalStore) -> None:
    assert store.journal.wait(0, 0.01) == 0
    store.journal.append([told("a")])
    assert store.journal.wait(1, 0.0) == 1
    assert store.journal.wait(0, 60) == 1


def test_closing_ends_the_waiting(store: JournalStore) -> None:
    ended = threading.Event()

    def wait() -> None:
        with pytest.raises(InternalError):
            store.journal.wait(0, 60)
        ended.set()

    waiter = threading.Thread(target=wait)
    waiter.start()
    time.sleep(0.05)
    store.close()
    assert ended.wait(30)
    waiter.join(30)
    with pytest.raises(InternalError, match="closed"):
        store.journal.append([told("a")])


def test_an_erased_payload_is_gone_and_the_audit_passes_and_says_so(store: JournalStore) -> None:
    store.journal.append([told("a"), told("my-password"), told("c")])
    store.snapshots.save(StudioState(seq=3))
    store.journal.erase([2, 2], "a leaked secret", "ada")
    verdict = store.journal.audit()
    assert (verdict.ok, verdict.records, verdict.erased) == (True, 4, (2,))
    records = store.journal.read()
    assert records[1].event == UnknownEvent("run.told", erased=True)
    assert records[3].event == PayloadErased((2,), "a leaked secret")
    assert records[3].actor == "ada"
    assert store.snapshots.load() is None


@pytest.mark.parametrize("wanted", [[9], [1, 9], [2]])
def test_what_cannot_be_erased_erases_nothing(store: JournalStore, wanted: list[int]) -> None:
    store.journal.append([told("a"), Draft(PayloadErased((), "nothing"))])
    with pytest.raises(UsageError):
        store.journal.erase(wanted, "", "ada")
    store.journal.erase([], "", "ada")
    assert store.journal.head() == 2
    assert store.journal.audit().erased == ()


def test_a_payload_that_is_gone_without_a_record_is_found(store: JournalStore) -> None:
    store.journal.append([told("a"), told("b"), told("c")])
    with store._database.write() as connection:
        connection.execute(sa.text("UPDATE events SET payload = NULL WHERE seq = 2"))
    assert store.journal.audit().first_broken == 2


@pytest.mark.parametrize(
    ("statement", "broken"),
    [
        ("DELETE FROM events WHERE seq = 2", 2),
        ("DELETE FROM events WHERE seq = 3", 3),
        ("DELETE FROM events", 1),
        ("UPDATE events SET actor = 'eve' WHERE seq = 2", 2),
        ("UPDATE events SET at = at + 1 WHERE seq = 1", 1),
        ("UPDATE events SET digest = 'not hexadecimal' WHERE seq = 3", 3),
        ("UPDATE events SET payload_digest = digest WHERE seq = 2", 2),
        ("UPDATE events SET seq = 0 WHERE seq = 1", 1),
        ("UPDATE log_head SET digest = 'other'", 3),
    ],
)
def test_the_audit_names_the_first_broken_record(store: JournalStore, statement: str, broken: int) -> None:
    store.journal.append([told("a"), told("b"), told("c")])
    with store._database.write() as connection:
        connection.execute(sa.text(statement))
    verdict = store.journal.audit()
    assert (verdict.ok, verdict.first_broken) == (False, broken)
    assert verdict.detail


def test_an_empty_log_is_whole(store: JournalStore) -> None:
    verdict = store.journal.audit()
    assert (verdict.ok, verdict.records) == (True, 0)


def test_events_and_fields_from_the_future_are_kept(store: JournalStore) -> None:
    store.journal.append([told("a")])
    with store._database.write() as connection:
        connection.execute(sa.text("UPDATE events SET kind = 'quantum.leapt' WHERE seq = 1"))
    assert store.journal.read()[0].event == UnknownEvent("quantum.leapt")


def test_a_stream_is_bounded_and_becomes_an_artifact(store: JournalStore) -> None:
    store.streams._bound = 8
    for part in (b"abc", b"", b"defgh", b"ijk", b"lm"):
        store.streams.append("call:1", part)
    store.streams.append("other", b"x")
    assert store.streams.read("call:1") == b"abcdefgh"
    assert store.streams.read("call:1", 2) == b"cdefgh"
    assert store.streams.read("call:1", 4) == b"efgh"
    assert store.streams.read("call:1", 99) == b""
    assert store.streams.dropped("call:1") == 5
    assert store.streams.idle(0.0) == ["call:1", "other"]
    assert store.streams.idle(3600.0) == []
    artifact = store.streams.finish("call:1")
    assert store.artifacts.get(artifact) == b"abcdefgh"
    assert store.streams.read("call:1") == b""
    assert store.streams.idle(0.0) == ["other"]
    store.streams.append("call:1", b"anew")
    assert store.streams.read("call:1") == b"anew"
    assert store.artifacts.get(store.streams.finish("never")) == b""


def test_the_first_result_under_a_key_stays(store: JournalStore) -> None:
    assert store.reuse.find("k") is None
    store.reuse.keep("k", ArtifactId("a" * 40), 0.25, RUN)
    store.reuse.keep("k", ArtifactId("b" * 40), 9.0, RunId("r-2"))
    found = store.reuse.find("k")
    assert found is not None
    assert (found.artifact, found.cost_usd, found.run) == ("a" * 40, 0.25, RUN)


def test_a_reply_is_committed_once_and_cached_by_its_request(store: JournalStore) -> None:
    replies = store.replies
    assert replies.begin(RUN, "build/T1/1/1") is False
    assert replies.find(RUN, "build/T1/1/1") is None
    assert replies.begin(RUN, "build/T1/1/1") is True
    replies.commit(RUN, "build/T1/1/1", "digest", reply("first"))
    replies.commit(RUN, "build/T1/1/1", "digest", reply("second"))
    assert replies.begin(RUN, "build/T1/1/1") is False
    assert replies.find(RUN, "build/T1/1/1") == reply("first")
    assert replies.find(RunId("r-2"), "build/T1/1/1") is None
    replies.commit(RunId("r-2"), "plan/-/1/1", "digest", reply("third"))
    assert replies.cached("digest") == reply("first")
    assert replies.cached("another") is None
    assert replies.cached("") is None


def test_reservations_count_until_settled(store: JournalStore) -> None:
    budget = Budget(usd=1.0, tokens=100)
    ledger = store.ledger
    first = ledger.reserve(RUN, budget, 0.7, 50, "build", 60)
    with pytest.raises(BudgetSpent):
        ledger.reserve(RUN, budget, 0.4, 1, "build", 60)
    with pytest.raises(BudgetSpent):
        ledger.reserve(RUN, budget, 0.1, 51, "build", 60)
    ledger.reserve(RunId("r-2"), budget, 1.0, 100, "build", 60)
    ledger.settle(first, 0.1, 10)
    assert ledger.spent(RUN) == (0.1, 10)
    second = ledger.reserve(RUN, budget, 0.9, 90, "build", 60)
    ledger.settle(second, 0.2, 20)
    assert ledger.spent(RUN) == (pytest.approx(0.3), 30)


def test_a_lease_expires_and_a_late_settlement_counts(store: JournalStore) -> None:
    budget = Budget(usd=1.0, tokens=100)
    orphan = store.ledger.reserve(RUN, budget, 1.0, 100, "build", 0.0)
    time.sleep(0.001)
    store.ledger.reserve(RUN, budget, 1.0, 100, "build", 60)
    assert store.ledger.spent(RUN) == (0.0, 0)
    store.ledger.settle(orphan, 0.5, 5)
    assert store.ledger.spent(RUN) == (0.5, 5)


def test_a_budget_of_zero_allows_what_costs_nothing(store: JournalStore) -> None:
    free = store.ledger.reserve(RUN, Budget(usd=0.0, tokens=0), 0.0, 0, "build", 60)
    store.ledger.settle(free, 0.0, 0)
    with pytest.raises(BudgetSpent):
        store.ledger.reserve(RUN, Budget(usd=0.0), 0.0001, 1, "build", 60)


def test_settling_what_was_not_reserved_is_refused(store: JournalStore) -> None:
    reserved = store.ledger.reserve(RUN, Budget(), 0.1, 1, "build", 60)
    with pytest.raises(InternalError):
        store.ledger.settle(type(reserved)(reserved.id + 1, 0.1, 1), 0.1, 1)


def test_threads_cannot_overspend_together(store: JournalStore) -> None:
    budget = Budget(usd=1.0, tokens=1000)
    granted: list[int] = []

    def reserve() -> None:
        for _ in range(5):
            try:
                granted.append(store.ledger.reserve(RUN, budget, 0.1, 1, "build", 60).id)
            except BudgetSpent:
                return

    threads = [threading.Thread(target=reserve) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(granted) == len(set(granted)) == 10


def test_the_latest_snapshot_of_this_log_is_loaded(store: JournalStore) -> None:
    assert store.snapshots.load() is None
    store.journal.append([told("a"), told("b"), told("c")])
    for seq in (1, 2, 3):
        store.snapshots.save(StudioState(seq=seq, at=float(seq)))
    store.snapshots.save(StudioState(seq=3, at=3.5))
    store.snapshots.save(StudioState(seq=4, at=4.0))
    assert store.snapshots.load() == StudioState(seq=3, at=3.5)
    with store._database.write() as connection:
        connection.execute(sa.text("UPDATE snapshots SET digest = 'of another log' WHERE seq = 3"))
    assert store.snapshots.load() == StudioState(seq=2, at=2.0)
    with store._database.write() as connection:
        connection.execute(sa.text("UPDATE snapshots SET version = 99 WHERE seq = 2"))
    assert store.snapshots.load() is None


def test_artifacts_named_in_the_log_are_listed_with_what_they_name(store: JournalStore) -> None:
    inner = store.artifacts.put(b"inner")
    outer = store.artifacts.put(f'{{"patch": "{inner}"}}'.encode())
    kept = store.artifacts.put(b"kept for reuse")
    store.artifacts.put(b"garbage")
    store.journal.append([Draft(StageFinished(Stage.BUILD, result=outer, key="f" * 64), RUN)])
    store.reuse.keep("key", kept, 0.0, RUN)
    assert store.referenced_artifacts() == {inner, outer, kept}


def test_a_journal_of_a_newer_version_is_refused(store: JournalStore, places: Places, database_url: str) -> None:
    with store._database.write() as connection:
        connection.execute(sa.text("UPDATE journal_schema SET version = 99"))
    with pytest.raises(InternalError, match="schema 99"):
        open_store(places, database_url)


def test_processes_append_to_a_server_at_once(postgresql_url: str) -> None:
    script = Path(__file__).parents[1] / "unit" / "journal" / "appending.py"
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, str(script), "together", postgresql_url, "3", "10"]
    subprocess.run(command, env=environment, check=True, timeout=100)
    killed = [sys.executable, str(script), "killed", postgresql_url, "5", "3"]
    told = subprocess.run(killed, env=environment, check=True, timeout=100, capture_output=True, text=True).stdout
    journal = open_journal(postgresql_url)
    records = journal.read(limit=10**6)
    assert journal.audit().ok
    journal.close()
    assert [record.seq for record in records] == list(range(1, len(records) + 1))
    at = {(record.step, record.n): record.seq for record in records}
    assert len(at) == len(records) >= 3 * 20 + 20
    assert all(at[step, 0] == int(first) for step, first in map(str.split, told.splitlines()))


def test_a_server_that_dropped_its_connections_is_connected_to_again(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("studio.journal.database._TRUSTED_SECONDS", 0.0)
    journal, other = open_journal(postgresql_url), open_journal(postgresql_url)
    journal.append([told("a")])
    assert journal.wait(0, 60) == 1
    pid = sa.text("SELECT pg_backend_pid()")
    with journal._database.write() as connection:
        pids = [connection.execute(pid).scalar_one()]
    with journal._database.read() as connection:
        pids.append(connection.execute(pid).scalar_one())
    with other._database.read() as connection:
        dropped = sa.text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = ANY(:pids)")
        connection.execute(dropped, {"pids": pids})
        listeners = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'LISTEN studio_journal'"
        connection.execute(sa.text(listeners))
    assert journal.head() == 1
    assert journal.append([told("b")])[0].seq == 2
    other.append([told("c")])
    assert journal.wait(2, 60) == 3
    journal.close()
    other.close()
