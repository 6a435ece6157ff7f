"""The index's cache: tags by blob id and a full-text index by blob id, in one SQLite file that may go at any time."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from studio.context.extract import FileTags
from studio.domain.words import split_words

__all__ = ["IndexCache"]

VERSION = 1
MAX_HELD = 60_000
"""Files whose tags are held in memory."""
MAX_INDEXED = 24_000
"""Characters of a file that enter the full-text index."""

_PRAGMAS = "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; PRAGMA busy_timeout=5000;"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS tags (blob TEXT PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS texts (id INTEGER PRIMARY KEY, blob TEXT NOT NULL UNIQUE);
CREATE VIRTUAL TABLE IF NOT EXISTS search USING fts5 (path, body, content='', tokenize='porter unicode61');
"""
_BATCH = 500


class IndexCache:
    """Thread-safe. A file that SQLite cannot use is replaced by an empty one; without a path all stays in memory."""

    def __init__(self, path: Path | None) -> None:
        self._lock = threading.Lock()
        self._memory: dict[str, FileTags] = {}
        self._decoder = msgspec.msgpack.Decoder(FileTags)
        self._encoder = msgspec.msgpack.Encoder()
        try:
            self._db = _open(path)
        except sqlite3.DatabaseError:
            if path is not None:
                path.unlink(missing_ok=True)
            self._db = _open(path)

    def tags(self, blobs: Sequence[str]) -> dict[str, FileTags]:
        """Return what is known of the blobs."""
        with self._lock:
            found = {blob: self._memory[blob] for blob in blobs if blob in self._memory}
            missing = [blob for blob in blobs if blob and blob not in found]
            for start in range(0, len(missing), _BATCH):
                batch = missing[start : start + _BATCH]
                marks = ",".join("?" * len(batch))
                rows = self._db.execute(f"SELECT blob, data FROM tags WHERE blob IN ({marks})", batch)  # noqa: S608 -- marks only
                for blob, data in rows:
                    try:
                        found[blob] = self._decoder.decode(data)
                    except msgspec.MsgspecError:
                        continue
            self._hold(found)
        return found

    def _hold(self, tags: dict[str, FileTags]) -> None:
        if len(self._memory) > MAX_HELD:
            self._memory.clear()
        self._memory.update(tags)

    def keep(self, tags: dict[str, FileTags]) -> None:
        """Keep tags by blob."""
        with self._lock, self._db:
            self._hold(tags)
            rows = [(blob, self._encoder.encode(value)) for blob, value in tags.items()]
            self._db.executemany("INSERT OR REPLACE INTO tags VALUES (?, ?)", rows)

    def unindexed(self, blobs: Iterable[str]) -> set[str]:
        """Return the blobs whose text is not in the full-text index."""
        with self._lock:
            known = {row[0] for row in self._db.execute("SELECT blob FROM texts")}
        return {blob for blob in blobs if blob and blob not in known}

    def index(self, texts: Iterable[tuple[str, str, str]]) -> None:
        """Add (blob, path, text) to the full-text index."""
        with self._lock, self._db:
            for blob, path, text in texts:
                cursor = self._db.execute("INSERT OR IGNORE INTO texts (blob) VALUES (?)", (blob,))
                if cursor.rowcount:
                    words = (" ".join(split_words(path)), " ".join(split_words(text[:MAX_INDEXED])))
                    self._db.execute(
                        "INSERT INTO search (rowid, path, body) VALUES (?, ?, ?)", (cursor.lastrowid, *words)
                    )

    def search(self, terms: Sequence[str], limit: int = 400) -> list[str]:
        """Return blobs that hold any of the terms, best first by BM25, the path counting four times."""
        query = " OR ".join(f'"{term}"' for term in terms if '"' not in term)
        if not query:
            return []
        with self._lock:
            rows = self._db.execute(
                "SELECT texts.blob FROM search JOIN texts ON texts.id = search.rowid WHERE search MATCH ?"
                " ORDER BY bm25(search, 4.0, 1.0) LIMIT ?",
                (query, limit),
            )
            return [row[0] for row in rows]

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()


def _open(path: Path | None) -> sqlite3.Connection:
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(path or ":memory:", check_same_thread=False)
    try:
        db.executescript(_PRAGMAS)
        if db.execute("PRAGMA user_version").fetchone()[0] not in {0, VERSION}:
            db.executescript("DROP TABLE IF EXISTS tags; DROP TABLE IF EXISTS texts; DROP TABLE IF EXISTS search;")
        db.executescript(f"{_SCHEMA}PRAGMA user_version={VERSION};")
    except sqlite3.DatabaseError:
        db.close()
        raise
    return db
