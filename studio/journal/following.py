"""Waiting for the log to grow, at next to no cost while it does not."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy.exc import DBAPIError

from studio.domain.errors import InternalError
from studio.journal.database import Database

__all__ = ["CHANNEL", "Follower"]

CHANNEL = "studio_journal"
"""The PostgreSQL channel every append notifies."""
_SHORTEST, _LONGEST = 0.005, 0.05
"""Seconds between two looks at SQLite's data version: short after something happened, longer the longer nothing does."""
_SERVER_PAUSE = 1.0
"""Seconds between two looks at a PostgreSQL head when no notification comes: what is left if the listener broke."""


class Follower:
    """Wakes those who wait: at once for appends of this process and for `poke`, else by the database's own means.

    SQLite: `PRAGMA data_version`, which reads shared memory and no table. PostgreSQL: LISTEN on a connection of its own.
    """

    def __init__(self, database: Database, head: Callable[[], int]) -> None:
        self._database = database
        self._head = head
        self._changed = threading.Condition()
        self._pokes = 0
        self._listener: threading.Thread | None = None
        self._listening = threading.Event()

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
        pokes, version = self._pokes, self._version()
        head = self._head()
        pause = _SHORTEST
        while head <= after:
            left = deadline - time.monotonic()
            if left <= 0:
                break
            if self._poked(pokes, min(left, pause if self._database.sqlite else _SERVER_PAUSE)):
                pause = _SHORTEST
            else:
                pause = min(pause * 1.5, _LONGEST)
            before, pokes = (pokes, version), self._pokes
            version = self._version()
            if (pokes, version) != before or not self._database.sqlite:
                head = self._head()
        return head

    def _poked(self, pokes: int, seconds: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._pokes != pokes, seconds)

    def _version(self) -> int:
        """Return a number that differs once another connection has committed; always 0 on PostgreSQL."""
        if not self._database.sqlite:
            return 0
        with self._database.read() as connection:
            return int(connection.exec_driver_sql("PRAGMA data_version").scalar_one())

    def _listen(self) -> None:
        with self._changed:
            if self._listener is None or not self._listener.is_alive():
                self._listening.clear()
                self._listener = threading.Thread(target=self._follow_channel, name="journal-listener", daemon=True)
                self._listener.start()
        self._listening.wait(_SERVER_PAUSE)

    def _follow_channel(self) -> None:
        """Poke on every notification until the database is closed; a lost connection is made again after a second."""
        while not self._database.closed:
            with contextlib.suppress(DBAPIError, InternalError), self._database.engine.connect() as connection:
                connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql(f"LISTEN {CHANNEL}")
                driver: Any = connection.connection.driver_connection
                self._listening.set()
                try:
                    while not self._database.closed:
                        for _ in driver.notifies(timeout=_SERVER_PAUSE, stop_after=1):
                            self.poke()
                except driver_errors(self._database):
                    connection.invalidate()
                else:
                    connection.exec_driver_sql(f"UNLISTEN {CHANNEL}")
            self.poke()
            if not self._database.closed:
                time.sleep(_SERVER_PAUSE)


def driver_errors(database: Database) -> type[Exception]:
    """Return the base of the driver's own errors, which SQLAlchemy does not wrap outside its calls."""
    errors: type[Exception] = database.engine.dialect.loaded_dbapi.Error
    return errors
