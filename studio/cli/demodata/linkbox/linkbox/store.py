"""Links in a SQLite file."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path

SCHEMA = """
CREATE TABLE IF NOT EXISTS links (
    id INTEGER PRIMARY KEY,
    url TEXT NOT NULL,
    created REAL NOT NULL
)
"""


@dataclass(frozen=True)
class Link:
    """A stored link."""

    id: int
    url: str
    created: float


class LinkStore:
    """Links in the SQLite file at `path`."""

    def __init__(self, path: Path | str) -> None:
        self._connection = sqlite3.connect(path)
        self._connection.execute(SCHEMA)

    def add(self, url: str) -> Link:
        """Store a link and return it."""
        created = time.time()
        with self._connection:
            cursor = self._connection.execute(
                "INSERT INTO links (url, created) VALUES (?, ?)", (url, created)
            )
        return Link(cursor.lastrowid or 0, url, created)

    def all(self) -> list[Link]:
        """Return all links, oldest first."""
        rows = self._connection.execute("SELECT id, url, created FROM links ORDER BY id")
        return [Link(*row) for row in rows]

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
