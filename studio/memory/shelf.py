"""The items in SQLite: the truth of an embedded store, lexical search, and what ChromaDB has yet to be told."""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

from studio.domain.memory import Collection, MemoryItem, MemoryState
from studio.domain.value import Value, decode, encode
from studio.domain.words import split_words

__all__ = ["Hit", "Shelf", "terms_of"]

MAX_TERMS = 64
_SCHEMA = """
CREATE TABLE IF NOT EXISTS items (
  number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, collection TEXT NOT NULL, project TEXT NOT NULL,
  recallable INTEGER NOT NULL, created REAL NOT NULL, expires REAL NOT NULL, data BLOB NOT NULL, told INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS gone (id TEXT PRIMARY KEY, collection TEXT NOT NULL) WITHOUT ROWID;
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (tags, text, tokenize='porter unicode61');
"""
_RECALLABLE = "items.recallable AND items.project IN (?, '') AND (items.expires = 0 OR items.expires > ?) AND items.collection IN "
_MARKED = re.compile("\x02(.*?)\x03")
_STOP = frozenset(
    """
    a about after all also an and any are as at be because been but by can could do does each for from get had has have
    how i if in into is it its like may more must no not of on one or our out same should so some such than that the
    their them then there these they this to use used was we were what when where which who will with would you
    """.split()  # noqa: SIM905 -- a word list reads better as words
)


class Hit(Value, frozen=True):
    """An item found by its words."""

    item: MemoryItem
    score: float
    words: tuple[str, ...]


def terms_of(query: str) -> list[str]:
    """Return the words of a query worth looking for."""
    words = [word for word in split_words(query) if word not in _STOP]
    return list(dict.fromkeys(words))[:MAX_TERMS]


class Shelf:
    """Thread-safe. Every change is committed when the call returns; what ChromaDB was not told of is marked."""

    def __init__(self, path: Path | None) -> None:
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path or ":memory:", check_same_thread=False)
        self._db.executescript(f"PRAGMA journal_mode=WAL; PRAGMA busy_timeout=5000; PRAGMA secure_delete=ON; {_SCHEMA}")

    def put(self, items: Sequence[MemoryItem], *, told: bool = False) -> None:
        """Add items, or replace those with the same id."""
        with self._lock, self._db:
            for item in items:
                self._put(item, told=told)

    def _put(self, item: MemoryItem, *, told: bool) -> None:
        self._drop(item.id, told=told)
        cursor = self._db.execute(
            "INSERT INTO items (id, collection, project, recallable, created, expires, data, told)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                item.id,
                item.collection.value,
                item.project,
                item.state is not MemoryState.RETRACTED,
                item.created,
                item.expires,
                encode(item),
                told,
            ),
        )
        self._db.execute("DELETE FROM gone WHERE id = ? AND collection = ?", (item.id, item.collection.value))
        self._db.execute(
            "INSERT INTO words (rowid, tags, text) VALUES (?, ?, ?)",
            (cursor.lastrowid, " ".join(split_words(" ".join(item.tags))), " ".join(split_words(item.text))),
        )

    def _drop(self, item: str, *, told: bool) -> bool:
        row = self._db.execute("SELECT number, collection FROM items WHERE id = ?", (item,)).fetchone()
        if row is None:
            return False
        self._db.execute("DELETE FROM words WHERE rowid = ?", (row[0],))
        self._db.execute("DELETE FROM items WHERE number = ?", (row[0],))
        if not told:
            self._db.execute("INSERT OR REPLACE INTO gone VALUES (?, ?)", (item, row[1]))
        return True

    def drop(self, item: str, *, told: bool = False) -> bool:
        """Remove an item, so that nothing of it is left in the file; return whether it was there."""
        with self._lock:
            with self._db:
                there = self._drop(item, told=told)
                if there:
                    # What is deleted from the index of words stays in its segments until they are merged.
                    self._db.execute("INSERT INTO words(words) VALUES ('optimize')")
            if there:
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return there

    def replace(self, items: Sequence[MemoryItem]) -> None:
        """Hold exactly these."""
        with self._lock, self._db:
            for (old,) in self._db.execute("SELECT id FROM items").fetchall():
                self._drop(old, told=False)
            for item in items:
                self._put(item, told=False)

    def get(self, item: str) -> MemoryItem | None:
        """Return an item."""
        with self._lock:
            row = self._db.execute("SELECT data FROM items WHERE id = ?", (item,)).fetchone()
        return decode(row[0], MemoryItem) if row else None

    def ids(self, collection: Collection) -> set[str]:
        """Return the ids of a collection."""
        with self._lock:
            rows = self._db.execute("SELECT id FROM items WHERE collection = ?", (collection.value,))
            return {row[0] for row in rows}

    def search(
        self, terms: Sequence[str], collections: Sequence[Collection], project: str, now: float, limit: int
    ) -> list[Hit]:
        """Return recallable items that hold any of the terms, best first by BM25, tags counting four times."""
        query = " OR ".join(f'"{term}"' for term in terms)
        if not query or not collections:
            return []
        sql = (
            "SELECT items.data, -bm25(words, 4.0, 1.0) AS score, highlight(words, 0, char(2), char(3)) || ' ' ||"  # noqa: S608 -- only marks are put in
            " highlight(words, 1, char(2), char(3)) FROM words JOIN items ON items.number = words.rowid"
            f" WHERE words MATCH ? AND {_RECALLABLE}{_marks(collections)} ORDER BY score DESC, items.created DESC LIMIT ?"
        )
        with self._lock:
            rows = self._db.execute(sql, (query, project, now, *collections, limit)).fetchall()
        return [
            Hit(decode(data, MemoryItem), score, tuple(dict.fromkeys(_MARKED.findall(marked))))
            for data, score, marked in rows
        ]

    def newest(self, collections: Sequence[Collection], project: str, now: float, limit: int) -> list[MemoryItem]:
        """Return recallable items, newest first."""
        sql = f"SELECT data FROM items WHERE {_RECALLABLE}{_marks(collections)} ORDER BY created DESC, number DESC LIMIT ?"  # noqa: S608 -- only marks are put in
        with self._lock:
            rows = self._db.execute(sql, (project, now, *collections, limit)).fetchall()
        return [decode(row[0], MemoryItem) for row in rows]

    def expire(self, now: float) -> int:
        """Remove what has expired; return how many."""
        with self._lock, self._db:
            old = self._db.execute("SELECT id FROM items WHERE expires > 0 AND expires <= ?", (now,)).fetchall()
            for (item,) in old:
                self._drop(item, told=False)
        return len(old)

    def untold(self, limit: int) -> tuple[list[MemoryItem], list[tuple[str, str]]]:
        """Return items ChromaDB does not hold yet, and (id, collection) of those it must drop."""
        with self._lock:
            rows = self._db.execute(
                "SELECT data FROM items WHERE NOT told ORDER BY number LIMIT ?", (limit,)
            ).fetchall()
            gone = self._db.execute("SELECT id, collection FROM gone LIMIT ?", (limit,)).fetchall()
        return [decode(row[0], MemoryItem) for row in rows], gone

    def told(self, items: Iterable[MemoryItem], gone: Iterable[tuple[str, str]]) -> None:
        """Note what ChromaDB was told; an item that changed meanwhile stays marked."""
        with self._lock, self._db:
            rows = [(item.id, encode(item)) for item in items]
            self._db.executemany("UPDATE items SET told = 1 WHERE id = ? AND data = ?", rows)
            self._db.executemany("DELETE FROM gone WHERE id = ? AND collection = ?", list(gone))

    def forget_told(self) -> None:
        """Mark all items as unknown to ChromaDB."""
        with self._lock, self._db:
            self._db.execute("UPDATE items SET told = 0")

    def count(self, collection: Collection) -> int:
        """Return how many items a collection has."""
        with self._lock:
            row = self._db.execute("SELECT count(*) FROM items WHERE collection = ?", (collection.value,)).fetchone()
        return int(row[0])

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()


def _marks(values: Sequence[object]) -> str:
    return f"({','.join('?' * len(values))})"
