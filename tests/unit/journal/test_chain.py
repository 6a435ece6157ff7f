"""Tampering: any changed byte of a header or a payload is found."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.domain.events import Draft, RunTold, StageStarted
from studio.domain.ids import RunId
from studio.domain.stages import Stage
from studio.journal import open_journal
from studio.journal.chain import GENESIS, Header, link, payload_digest

RECORDS = 6
TEXT = ("run", "step", "kind", "actor", "payload_digest", "digest")
NUMBERS = ("seq", "at", "n")


@pytest.fixture(scope="module")
def path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory) / "journal.sqlite"
        journal = open_journal(place)
        for n in range(RECORDS // 2):
            run = RunId("r-1")
            journal.append(
                [Draft(StageStarted(Stage.BUILD), run, "build", n, "w"), Draft(RunTold("hé"), run, "", 0, "ada")]
            )
        journal.close()
        yield place


def verdict_after(path: Path, seq: int, column: str, value: object) -> int:
    """Return the first broken record once a value was changed; the change is taken back."""
    connection = sqlite3.connect(path, isolation_level=None)
    (before,) = connection.execute(f"SELECT {column} FROM events WHERE seq = ?", (seq,)).fetchone()  # noqa: S608
    connection.execute(f"UPDATE events SET {column} = ? WHERE seq = ?", (value, seq))  # noqa: S608
    journal = open_journal(path)
    try:
        return journal.audit().first_broken
    finally:
        journal.close()
        now = value if column == "seq" else seq
        connection.execute(f"UPDATE events SET {column} = ? WHERE seq = ?", (before, now))  # noqa: S608
        connection.close()


def value_of(path: Path, seq: int, column: str) -> str | bytes | int:
    connection = sqlite3.connect(path)
    (value,) = connection.execute(f"SELECT {column} FROM events WHERE seq = ?", (seq,)).fetchone()  # noqa: S608
    connection.close()
    return value


@given(seq=st.integers(1, RECORDS), data=st.data())
def test_a_changed_byte_of_a_payload_is_found(path: Path, seq: int, data: st.DataObject) -> None:
    payload = value_of(path, seq, "payload")
    assert isinstance(payload, bytes)
    at = data.draw(st.integers(0, len(payload) - 1))
    flip = data.draw(st.integers(1, 255))
    changed = payload[:at] + bytes([payload[at] ^ flip]) + payload[at + 1 :]
    assert verdict_after(path, seq, "payload", changed) == seq


@given(seq=st.integers(1, RECORDS), column=st.sampled_from(TEXT), data=st.data())
def test_a_changed_text_is_found(path: Path, seq: int, column: str, data: st.DataObject) -> None:
    text = value_of(path, seq, column)
    characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
    changed = data.draw(st.text(characters, max_size=70).filter(lambda other: other != text))
    assert verdict_after(path, seq, column, changed) == seq


@given(seq=st.integers(1, RECORDS), column=st.sampled_from(NUMBERS), data=st.data())
def test_a_changed_number_is_found(path: Path, seq: int, column: str, data: st.DataObject) -> None:
    number = value_of(path, seq, column)
    changed = data.draw(st.integers(RECORDS + 1, 2**40).filter(lambda other: other != number))
    assert verdict_after(path, seq, column, changed) == seq


def test_the_audit_is_whole_when_everything_was_put_back(path: Path) -> None:
    journal = open_journal(path)
    assert journal.audit().ok
    journal.close()


def test_a_link_covers_its_three_parts() -> None:
    header = Header(1, 2, "r", "s", 0, "k", "a")
    digest = link(GENESIS, header, payload_digest(b"{}"))
    assert len(digest) == 64
    assert digest == link(GENESIS, header, payload_digest(b"{}"))
    others = {
        link(digest, header, payload_digest(b"{}")),
        link(GENESIS, header, payload_digest(b"{ }")),
        *(link(GENESIS, header._replace(**{name: 7}), payload_digest(b"{}")) for name in ("seq", "at", "n")),
        *(link(GENESIS, header._replace(**{name: "x"}), payload_digest(b"{}")) for name in ("run", "step", "kind")),
        link(GENESIS, header._replace(run="rs", step=""), payload_digest(b"{}")),
        digest,
    }
    assert len(others) == 10


def test_an_erased_payload_is_not_in_the_file_any_more(tmp_path: Path) -> None:
    place = tmp_path / "journal.sqlite"
    journal = open_journal(place)
    journal.append([Draft(RunTold(f"secret-{number} " + "s" * 3000)) for number in range(3)])
    journal.erase([1, 2, 3], "secrets", "ada")
    stored = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"secret-" not in stored
    assert journal.audit().erased == (1, 2, 3)
    journal.close()


def test_a_long_log_is_verified_to_its_end(tmp_path: Path) -> None:
    place = tmp_path / "journal.sqlite"
    journal = open_journal(place)
    journal.append([Draft(RunTold(str(number))) for number in range(1200)])
    assert journal.audit().records == 1200
    journal.close()
    assert verdict_after(place, 1100, "actor", "eve") == 1100
    assert verdict_after(place, 500, "actor", "eve") == 500
