"""One database: two connections, one to write and one to read, each behind a lock.

What differs between SQLite and PostgreSQL is here and in `following`.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Generator
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

from studio.domain.errors import InternalError
from studio.journal import tables
from studio.journal.prepared import Prepared

__all__ = ["Database", "now_us"]

_LOCK_KEY = 0x51_4C_53_4A
"""The PostgreSQL advisory lock every writer of a journal takes."""
_FULL = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE}
"""No space for the data, or for the index of the write-ahead log, which the first connection makes."""
_BEGIN_TRIES = 3
_TRUSTED_SECONDS = 1.0
"""How long after its last use a server's connection is taken to be there."""
_BEGIN = Prepared(sa.text("BEGIN IMMEDIATE"))
_open: weakref.WeakSet[Database] = weakref.WeakSet()


def now_us() -> int:
    """Return the time in microseconds since the epoch."""
    return time.time_ns() // 1000


class Database:
    """A SQLite file in WAL mode, or a PostgreSQL database.

    Thread-safe. Any number of processes may have the same database open; writers take turns. Connections are closed
    before a fork, so that a child never shares one.
    """

    def __init__(self, url: sa.URL, busy_seconds: float = 10.0) -> None:
        """Open `url`, creating what is missing.

        Args:
            url: `sqlite:///FILE` or `postgresql+psycopg://…`.
            busy_seconds: how long a writer waits for its turn before it tries again, three times in all.

        Raises:
            InternalError: the database cannot be opened, or a newer version made it.

        """
        self.name = url.render_as_string(hide_password=True)
        self.sqlite = url.get_backend_name() == "sqlite"
        self._write_lock, self._read_lock = threading.RLock(), threading.RLock()
        self._writer: sa.Connection | None = None
        self._reader: sa.Connection | None = None
        self._read_at = 0.0
        self._closed = False
        self.engine = _engine(url, busy_seconds)
        _open.add(self)
        try:
            self._ensure_schema()
        except BaseException:
            self.close()
            raise

    @contextlib.contextmanager
    def write(self) -> Generator[sa.Connection, None, None]:
        """Give the connection in a write transaction that no other writer overlaps; commit at the end.

        Raises:
            InternalError: the database failed; nothing was written.

        """
        with self._write_lock:
            connection = self._begin()
            try:
                yield connection
                connection.commit()
            except (DBAPIError, self.driver_error) as error:
                self._roll_back(connection)
                self._drop_writer()  # whatever state it is in
                raise self.failure(error) from error
            except BaseException:
                self._roll_back(connection)
                raise

    @contextlib.contextmanager
    def read(self) -> Generator[sa.Connection, None, None]:
        """Give a connection for single SELECT statements, each of which sees what is committed.

        Raises:
            InternalError: the database failed.

        """
        with self._read_lock:
            self._check_open()
            try:
                yield self._reading()
            except DBAPIError as error:
                self._drop_reader()
                raise self.failure(error) from error

    def scrub(self) -> None:
        """Overwrite what was deleted: empty SQLite's write-ahead log; PostgreSQL's pages go with its next VACUUM."""
        if self.sqlite:
            with self._write_lock:
                self._check_open()
                with self.engine.connect() as connection:
                    connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    def add(self, table: sa.Table) -> postgresql.Insert | sqlite.Insert:
        """Return an INSERT into `table` that knows ON CONFLICT."""
        return sqlite.insert(table) if self.sqlite else postgresql.insert(table)

    def failure(self, error: Exception) -> InternalError:
        """Return the error people read for SQLAlchemy's or the driver's."""
        original: Any = error.orig if isinstance(error, DBAPIError) else error
        text = " ".join(str(original).split())
        if getattr(original, "sqlite_errorcode", 0) in _FULL or getattr(original, "sqlstate", "") == "53100":
            return InternalError(
                f"The disk is full, nothing was written to the journal {self.name}.", "Free space and try again."
            )
        if getattr(original, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
            return InternalError(
                f"The journal {self.name} is locked by another program.", "Close what holds it open and try again."
            )
        return InternalError(
            f"The journal {self.name} failed: {text}.", "Check the disk or the server, then run `studio audit`."
        )

    def close(self) -> None:
        """Release connections. What uses the database afterwards raises InternalError."""
        with self._write_lock, self._read_lock:
            self._closed = True
            self._disconnect()

    @property
    def driver_error(self) -> type[Exception]:
        """The base of the driver's own errors, which SQLAlchemy does not wrap outside its calls."""
        base: type[Exception] = self.engine.dialect.loaded_dbapi.Error
        return base

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def _check_open(self) -> None:
        if self._closed:
            raise InternalError(f"The journal {self.name} is closed.", "This is a bug; please report it.")

    def _reading(self) -> sa.Connection:
        """Return the reading connection; one to a server that was idle is tried first, since a server may drop it."""
        if self._reader is not None and not self.sqlite and time.monotonic() > self._read_at + _TRUSTED_SECONDS:
            try:
                self._reader.execute(sa.select(1))
            except DBAPIError:
                self._drop_reader()
        if self._reader is None:
            self._reader = self.engine.connect()
            if not self.sqlite:
                # Outside a transaction: nothing stays open between two reads. SQLite begins none by itself.
                self._reader.execution_options(isolation_level="AUTOCOMMIT")
        self._read_at = time.monotonic()
        return self._reader

    def _drop_reader(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()

    def _begin(self) -> sa.Connection:
        """Return the writing connection with the writers' lock taken, reconnecting when it was lost."""
        for attempt in range(_BEGIN_TRIES):
            self._check_open()
            try:
                if self._writer is None or self._writer.invalidated:
                    self._writer = self.engine.connect()
                elif self._writer.in_transaction():  # an interrupt came between two lines
                    self._writer.rollback()
                self._writer.begin()  # what goes to the driver does not begin SQLAlchemy's transaction
                if self.sqlite:
                    _BEGIN.run(self._writer, {})
                else:
                    self._writer.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK_KEY)))
            except (DBAPIError, self.driver_error) as error:
                self._drop_writer()
                if attempt + 1 == _BEGIN_TRIES:
                    raise self.failure(error) from error
            else:
                return self._writer
        raise AssertionError  # the loop returns or raises

    def _roll_back(self, connection: sa.Connection) -> None:
        try:
            connection.rollback()
        except DBAPIError:
            self._drop_writer()

    def _drop_writer(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def _disconnect(self) -> None:
        for connection in (self._writer, self._reader):
            if connection is not None:
                connection.close()  # the engine pools none: this closes the database's
        self._writer = self._reader = None

    def _ensure_schema(self) -> None:
        """Create the tables, unless they are there; two processes may do so at once."""
        if self._version() is None:
            with self.write() as connection:
                tables.metadata.create_all(connection)
                row = {"id": 1, "version": tables.SCHEMA_VERSION}
                connection.execute(self.add(tables.schema).values(row).on_conflict_do_nothing())
                head = {"id": 1, "seq": 0, "digest": "0" * 64}
                connection.execute(self.add(tables.log_head).values(head).on_conflict_do_nothing())
        version = self._version()
        if version != tables.SCHEMA_VERSION:
            raise InternalError(
                f"The journal {self.name} has schema {version}; this version knows {tables.SCHEMA_VERSION}.",
                "Use the version of the studio that made it, or a newer one.",
            )

    def _version(self) -> int | None:
        with self.read() as connection:
            if not sa.inspect(connection).has_table(tables.schema.name):
                return None
            return connection.execute(sa.select(tables.schema.c.version)).scalar_one_or_none()

    def before_fork(self) -> None:
        """Wait until no thread uses a connection, and close them all."""
        self._write_lock.acquire()
        self._read_lock.acquire()
        self._disconnect()

    def after_fork(self) -> None:
        """Let threads connect again, in the parent and in the child."""
        self._read_lock.release()
        self._write_lock.release()


def _engine(url: sa.URL, busy_seconds: float) -> sa.Engine:
    if url.get_backend_name() != "sqlite":
        return sa.create_engine(url, poolclass=sa.NullPool, connect_args={"connect_timeout": 10})
    engine = sa.create_engine(
        url, poolclass=sa.NullPool, connect_args={"check_same_thread": False, "timeout": busy_seconds}
    )

    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        _set_wal(connection, busy_seconds)
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA secure_delete=ON")

    event.listen(engine, "connect", prepare)
    return engine


def _set_wal(connection: sqlite3.Connection, busy_seconds: float) -> None:
    """Set WAL mode; SQLite answers `locked` at once, without its busy timeout, while another connection does the same."""
    deadline = time.monotonic() + busy_seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.005)
        else:
            return


def _before_fork() -> None:
    _forking[:] = list(_open)
    for database in _forking:
        database.before_fork()


def _after_fork() -> None:
    for database in _forking:
        database.after_fork()
    _forking.clear()


_forking: list[Database] = []
os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
