"""All of the journal, opened as one."""

from __future__ import annotations

import re
from pathlib import Path
from types import TracebackType
from typing import Self

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from studio.domain.errors import InternalError, UsageError
from studio.domain.ids import ArtifactId
from studio.domain.places import Places
from studio.journal.artifacts import GitArtifacts, ensure_store
from studio.journal.database import Database
from studio.journal.ledger import LedgerTable
from studio.journal.log import EventLog
from studio.journal.results import ReplyTable, ReuseTable
from studio.journal.snapshots import SnapshotTable
from studio.journal.streams import StreamTable
from studio.journal.tables import events, reuse

__all__ = ["JournalStore", "database_of", "open_journal", "open_store"]

_DIGEST = re.compile(rb"(?<![0-9a-f])(?:[0-9a-f]{64}|[0-9a-f]{40})(?![0-9a-f])")
_CHUNK = 1000
_FOLLOWED_BYTES = 4 * 1024 * 1024


class JournalStore:
    """The journal and what stands beside it. Close it, or use it as a context manager."""

    def __init__(self, database: Database, store: Path) -> None:
        """Put the parts on one database and one store repository."""
        self._database = database
        self.journal = EventLog(database)
        self.artifacts = GitArtifacts(store)
        self.streams = StreamTable(database, self.artifacts)
        self.reuse = ReuseTable(database)
        self.replies = ReplyTable(database)
        self.ledger = LedgerTable(database)
        self.snapshots = SnapshotTable(database)

    def referenced_artifacts(self) -> set[ArtifactId]:
        """Return the ids of all artifacts that the log or the reuse table names, or such an artifact names in turn.

        Whatever is spelled like an object id and is a blob of the store counts, so that events and results of versions
        to come are honoured too. For collecting garbage: it reads the whole log and every artifact up to 4 MB.
        """
        todo = self._named_in_tables()
        found: set[ArtifactId] = set()
        seen: set[ArtifactId] = set()
        while todo:
            artifact = todo.pop()
            seen.add(artifact)
            try:
                data = self.artifacts.get(artifact)
            except UsageError:
                continue  # a commit, a tree, a digest of something else
            found.add(artifact)
            if len(data) <= _FOLLOWED_BYTES:
                todo |= _ids(data) - seen
        return found

    def close(self) -> None:
        """Release connections."""
        self.journal.close()

    def __enter__(self) -> Self:
        """Return the store."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release connections."""
        self.close()

    def _named_in_tables(self) -> set[ArtifactId]:
        with self._database.read() as connection:
            named = {ArtifactId(artifact) for artifact in connection.execute(sa.select(reuse.c.artifact)).scalars()}
        after = 0
        while True:
            query = sa.select(events.c.seq, events.c.payload).where(events.c.seq > after).order_by(events.c.seq)
            with self._database.read() as connection:
                rows = connection.execute(query.limit(_CHUNK)).all()
            for seq, payload in rows:
                named |= _ids(payload or b"")
                after = seq
            if len(rows) < _CHUNK:
                return named


def database_of(place: str | Path) -> Database:
    """Open the database at `place`: a SQLite file's path, or a `postgresql+psycopg://` URL.

    Raises:
        UsageError: a URL of another kind.
        InternalError: it cannot be opened.

    """
    if isinstance(place, Path) or "://" not in place:
        path = Path(place).absolute()
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise InternalError(
                f"The journal's directory {path.parent} cannot be made: {error.strerror}.", "Check its permissions."
            ) from error
        return Database(sa.URL.create("sqlite", database=str(path)))
    try:
        url = sa.make_url(place)
    except ArgumentError:
        raise UsageError("The database URL cannot be read.", "Give `postgresql+psycopg://USER@HOST/NAME`.") from None
    if url.get_backend_name() == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    elif url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        raise UsageError(
            f"A journal cannot be kept in a {url.get_backend_name()} database in memory or of another kind.",
            "Give `postgresql+psycopg://USER@HOST/NAME`, or leave the URL out for SQLite.",
        )
    return Database(url)


def open_journal(place: str | Path) -> EventLog:
    """Open the log alone, at a SQLite file's path or a PostgreSQL URL."""
    return EventLog(database_of(place))


def open_store(places: Places, database_url: str = "") -> JournalStore:
    """Open the journal of a repository, creating what is missing; any number of processes may.

    Args:
        places: where the repository's things are.
        database_url: a PostgreSQL URL; empty for the SQLite file `places.journal`.

    Raises:
        UsageError: the URL is not one of a kind that is known.
        InternalError: the database or the store repository cannot be opened.

    """
    ensure_store(places.store)
    return JournalStore(database_of(database_url or places.journal), places.store)


def _ids(data: bytes) -> set[ArtifactId]:
    return {ArtifactId(match.decode()) for match in _DIGEST.findall(data)}
