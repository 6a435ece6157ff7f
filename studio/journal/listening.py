"""PostgreSQL's LISTEN, on a connection and a thread of its own."""

from __future__ import annotations

import contextlib
import os
import selectors
import threading
from collections.abc import Callable
from typing import Any

from sqlalchemy.exc import DBAPIError

from studio.journal.database import Database

__all__ = ["CHANNEL", "Listener"]

CHANNEL = "studio_journal"
"""The channel every append notifies."""
_AGAIN_SECONDS = 1.0
"""Pause before a lost connection is made again."""


class Listener:
    """Calls a function on every notification, until it is stopped. A lost connection is made again."""

    def __init__(self, database: Database, notified: Callable[[], None]) -> None:
        """Start to listen; `ready` is set once it does."""
        self._database = database
        self._notified = notified
        self._stopped = threading.Event()
        self._wake, self._woken = os.pipe()
        self.ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="journal-listener", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread runs: not in the child of a fork."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Stop listening and close the connection."""
        if self.alive:
            self._stopped.set()
            os.write(self._woken, b".")
            self._thread.join()
        os.close(self._wake)
        os.close(self._woken)

    def _run(self) -> None:
        while not self._stopped.is_set():
            with contextlib.suppress(DBAPIError, self._database.driver_error):
                self._listen()
            self._notified()  # what came while nobody listened was missed
            self._stopped.wait(_AGAIN_SECONDS)

    def _listen(self) -> None:
        with self._database.engine.connect() as connection, selectors.DefaultSelector() as selector:
            connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql(f"LISTEN {CHANNEL}")
            driver: Any = connection.connection.driver_connection
            selector.register(driver.fileno(), selectors.EVENT_READ)
            selector.register(self._wake, selectors.EVENT_READ)
            self.ready.set()
            while not self._stopped.is_set():
                selector.select()
                for _ in driver.notifies(timeout=0):
                    self._notified()
