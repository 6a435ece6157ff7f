"""What need not be done or paid for again: results by key, and model replies."""

from __future__ import annotations

import sqlalchemy as sa

from studio.domain.ids import ArtifactId, RunId
from studio.domain.models import ModelReply
from studio.domain.value import decode, encode
from studio.journal.database import Database, now_us
from studio.journal.tables import replies, reuse
from studio.ports.journal import Reused

__all__ = ["ReplyTable", "ReuseTable"]


class ReuseTable:
    """Results by the digest of what they read, as in `studio.ports.journal.Reuse`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, key: str) -> Reused | None:
        """Return the result kept under `key`."""
        with self._database.read() as connection:
            query = sa.select(reuse.c.artifact, reuse.c.cost_usd, reuse.c.run).where(reuse.c.key == key)
            row = connection.execute(query).one_or_none()
        return None if row is None else Reused(ArtifactId(row.artifact), row.cost_usd, RunId(row.run))

    def keep(self, key: str, artifact: ArtifactId, cost_usd: float, run: RunId) -> None:
        """Keep a result; the first one kept under a key stays."""
        row = {"key": key, "artifact": artifact, "cost_usd": cost_usd, "run": run, "at": now_us()}
        with self._database.write() as connection:
            connection.execute(self._database.add(reuse).values(row).on_conflict_do_nothing())


class ReplyTable:
    """Model replies, as in `studio.ports.journal.Replies`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, run: RunId, call: str) -> bool:
        """Record the intent to send `call`; return True if an earlier intent had no reply: it may be paid twice."""
        with self._database.write() as connection:
            query = sa.select(replies.c.reply).where(replies.c.run == run, replies.c.call == call)
            row = connection.execute(query).one_or_none()
            if row is None:
                intent = {"run": run, "call": call, "at": now_us(), "digest": "", "reply": None}
                connection.execute(sa.insert(replies), intent)
            return row is not None and row.reply is None

    def commit(self, run: RunId, call: str, digest: str, reply: ModelReply) -> None:
        """Commit the reply of `call`, and cache it under the request's digest; the first one committed stays."""
        row = {"run": run, "call": call, "at": now_us(), "digest": digest, "reply": encode(reply)}
        insert = self._database.add(replies).values(row)
        late = insert.on_conflict_do_update(
            index_elements=[replies.c.run, replies.c.call],
            set_={"at": insert.excluded["at"], "digest": insert.excluded.digest, "reply": insert.excluded.reply},
            where=replies.c.reply.is_(None),
        )
        with self._database.write() as connection:
            connection.execute(late)

    def find(self, run: RunId, call: str) -> ModelReply | None:
        """Return the committed reply of `call`."""
        return self._one(sa.select(replies.c.reply).where(replies.c.run == run, replies.c.call == call))

    def cached(self, digest: str) -> ModelReply | None:
        """Return the oldest reply to the same request, from any run."""
        if not digest:
            return None
        same = sa.select(replies.c.reply).where(replies.c.digest == digest, replies.c.reply.is_not(None))
        return self._one(same.order_by(replies.c["at"], replies.c.run, replies.c.call).limit(1))

    def _one(self, query: sa.Select[bytes]) -> ModelReply | None:
        with self._database.read() as connection:
            data = connection.execute(query).scalar_one_or_none()
        return None if data is None else decode(data, ModelReply)
