"""Live bytes beside the log: rows that come while a step runs and go when it ends."""

from __future__ import annotations

import sqlalchemy as sa

from studio.domain.ids import ArtifactId
from studio.journal.database import Database, now_us
from studio.journal.tables import stream_parts, streams
from studio.ports.journal import Artifacts

__all__ = ["MAX_STREAM_BYTES", "StreamTable"]

MAX_STREAM_BYTES = 4 * 1024 * 1024
"""What is kept of one stream; the beginning is kept, since it is what explains the rest."""


class StreamTable:
    """Streams, as in `studio.ports.journal.Streams`, with what a person sweeping up needs beside it."""

    def __init__(self, database: Database, artifacts: Artifacts, bound: int = MAX_STREAM_BYTES) -> None:
        self._database = database
        self._artifacts = artifacts
        self._bound = bound

    def append(self, stream: str, data: bytes) -> None:
        """Add bytes; what exceeds the bound is counted, not kept."""
        if not data:
            return
        with self._database.write() as connection:
            kept = (
                connection.execute(sa.select(streams.c.kept).where(streams.c.stream == stream)).scalar_one_or_none()
                or 0
            )
            taken = data[: max(self._bound - kept, 0)]
            row = {"stream": stream, "kept": len(taken), "dropped": len(data) - len(taken), "at": now_us()}
            insert = self._database.add(streams).values(row)
            added = {
                "kept": streams.c.kept + insert.excluded.kept,
                "dropped": streams.c.dropped + insert.excluded.dropped,
                "at": insert.excluded["at"],
            }
            connection.execute(insert.on_conflict_do_update(index_elements=[streams.c.stream], set_=added))
            if taken:
                connection.execute(
                    sa.insert(stream_parts), {"stream": stream, "start": kept, "size": len(taken), "data": taken}
                )

    def read(self, stream: str, offset: int = 0) -> bytes:
        """Return the bytes kept, from `offset`; empty for a stream that is not there or has ended."""
        part = stream_parts.c
        query = (
            sa.select(part.start, part.data)
            .where(part.stream == stream, part.start + part.size > offset)
            .order_by(part.start)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        if not rows:
            return b""
        return b"".join(data for _, data in rows)[max(offset - rows[0].start, 0) :]

    def dropped(self, stream: str) -> int:
        """Return how many bytes exceeded the bound so far."""
        with self._database.read() as connection:
            query = sa.select(streams.c.dropped).where(streams.c.stream == stream)
            return connection.execute(query).scalar_one_or_none() or 0

    def finish(self, stream: str) -> ArtifactId:
        """Make the stream an artifact, drop its rows, return the artifact's id; that of no bytes if there is no stream."""
        artifact = self._artifacts.put(self.read(stream))
        self.drop(stream)
        return artifact

    def drop(self, stream: str) -> None:
        """Drop the stream's rows: a step that runs again writes it anew."""
        with self._database.write() as connection:
            connection.execute(sa.delete(stream_parts).where(stream_parts.c.stream == stream))
            connection.execute(sa.delete(streams).where(streams.c.stream == stream))

    def idle(self, seconds: float) -> list[str]:
        """Return the streams to which nothing was added for `seconds`: those of dead steps are among them."""
        before = now_us() - int(seconds * 1e6)
        with self._database.read() as connection:
            query = sa.select(streams.c.stream).where(streams.c["at"] <= before).order_by(streams.c.stream)
            return list(connection.execute(query).scalars())
