"""Waiting for the log to grow, at next to no cost while it does not."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from studio.journal.database import Database
from studio.journal.listening import Listener

__all__ = ["Follower"]

_SHORTEST, _LONGEST = 0.005, 0.05
"""Seconds between two looks at SQLite's data version: short after something happened, longer the longer nothing does."""
_SERVER_PAUSE = 1.0
"""Seconds between two looks at a PostgreSQL head when no notification comes: what is left while the listener is down."""


class Follower:
    """Wakes those who wait: at once for appends of this process and for `poke`, else by the database's own means.

    SQLite: `PRAGMA data_version`, which reads shared memory and no table. PostgreSQL: LISTEN on a connection of its own.
    """

    def __init__(self, database: Database, head: Callable[[], int]) -> None:
        self._database = database
        self._head = head
        self._changed = threading.Condition()
        self._pokes = 0
        self._listener: Listener | None = None

    def poke(self) -> None:
        """Make every waiter look at the log now."""
        with self._changed:
            self._pokes += 1
            self._changed.notify_all()

    def wait(self, after: int, timeout: float) -> int:
        """Return the head as soon as it is past `after`, or after `timeout` seconds.

        Raises:
            InternalError: the database failed, or was closed meanwhile.

        """
        deadline = time.monotonic() + timeout
        if not self._database.sqlite:
            self._listen()
        seen = self._signs()
        head = self._head()
        pause = _SHORTEST
        while head <= after:
            left = deadline - time.monotonic()
            if left <= 0:
                break
            poked = self._poked(seen[0], min(left, pause if self._database.sqlite else _SERVER_PAUSE))
            pause = _SHORTEST if poked else min(pause * 1.5, _LONGEST)
            signs = self._signs()
            if signs != seen or not self._database.sqlite:
                seen, head = signs, self._head()
        return head

    def stop(self) -> None:
        """Stop listening, and wake every waiter."""
        with self._changed:
            listener, self._listener = self._listener, None
        if listener is not None:
            listener.stop()
        self.poke()

    def _poked(self, pokes: int, seconds: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._pokes != pokes, seconds)

    def _signs(self) -> tuple[int, int]:
        """Return what is different after an append: the pokes, and SQLite's data version."""
        pokes = self._pokes
        if not self._database.sqlite:
            return pokes, 0
        with self._database.read() as connection:
            driver: Any = connection.connection.driver_connection  # asked twenty times a second: no layer in between
            version: int = driver.execute("PRAGMA data_version").fetchone()[0]
        return pokes, version

    def _listen(self) -> None:
        with self._changed:
            if not self._database.closed and (self._listener is None or not self._listener.alive):
                self._listener = Listener(self._database, self.poke)
            listener = self._listener
        if listener is not None:
            listener.ready.wait(_SERVER_PAUSE)
