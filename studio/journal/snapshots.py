"""The folded state as of a record, so that a host need not fold the whole log to start."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from studio.domain.state import STATE_VERSION, StudioState
from studio.domain.value import decode, encode
from studio.journal.database import Database
from studio.journal.tables import events, snapshots

__all__ = ["SnapshotTable"]

_KEPT = 2
"""The last one, and one before it for a version of the studio that cannot read the last."""


class SnapshotTable:
    """Snapshots of the state. A snapshot is of one chain: after a log was put back from a backup it is passed over."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, state: StudioState) -> None:
        """Keep `state` as of its `seq`; nothing is kept of a state that is not of this log. The caller holds it still."""
        data = encode(state)
        with self._database.write() as connection:
            query = sa.select(events.c.digest).where(events.c.seq == state.seq)
            digest = connection.execute(query).scalar_one_or_none()
            if digest is None:
                return
            row = {"seq": state.seq, "version": STATE_VERSION, "digest": digest, "state": data}
            insert = self._database.add(snapshots).values(row)
            replaced = {"version": insert.excluded.version, "digest": digest, "state": insert.excluded.state}
            connection.execute(insert.on_conflict_do_update(index_elements=[snapshots.c.seq], set_=replaced))
            kept = sa.select(snapshots.c.seq).order_by(snapshots.c.seq.desc()).limit(_KEPT)
            connection.execute(sa.delete(snapshots).where(snapshots.c.seq.not_in(kept)))

    def load(self) -> StudioState | None:
        """Return the latest snapshot that this version can read and whose record is in the log."""
        query = (
            sa.select(snapshots.c.state)
            .join(events, (events.c.seq == snapshots.c.seq) & (events.c.digest == snapshots.c.digest))
            .where(snapshots.c.version == STATE_VERSION)
            .order_by(snapshots.c.seq.desc())
        )
        with self._database.read() as connection:
            found = connection.execute(query).scalars().all()
        for data in found:
            try:
                return decode(data, StudioState)
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue
        return None
