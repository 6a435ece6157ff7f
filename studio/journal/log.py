"""The one ordered log: append, read, follow, erase."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from studio.domain.errors import InternalError, UsageError
from studio.domain.events import Draft, PayloadErased, Record, UnknownEvent, decode_event, encode_event, kind_of
from studio.domain.ids import RunId
from studio.journal.auditing import audit
from studio.journal.chain import Header, link, payload_digest
from studio.journal.database import Database, now_us
from studio.journal.following import Follower
from studio.journal.listening import CHANNEL
from studio.journal.prepared import Prepared
from studio.journal.tables import events, log_head, snapshots
from studio.ports.journal import Audit

__all__ = ["EventLog"]

_COLUMNS = (
    events.c.seq,
    events.c.at,
    events.c.run,
    events.c.step,
    events.c.n,
    events.c.kind,
    events.c.actor,
    events.c.payload,
)
_HEAD = Prepared(sa.select(log_head.c.seq, log_head.c.digest))
_HEAD_SEQ = sa.select(log_head.c.seq)
_MOVE_HEAD = Prepared(sa.update(log_head).values(seq=sa.bindparam("seq"), digest=sa.bindparam("digest")))
_OF_STEP = Prepared(
    sa.select(*_COLUMNS).where(
        events.c.run == sa.bindparam("run"),
        events.c.step == sa.bindparam("step"),
        events.c.step != sa.literal_column("''"),  # lets both planners take the partial index
        events.c.n.between(sa.bindparam("low"), sa.bindparam("high")),
    )
)
_INSERT = Prepared(sa.insert(events))
_AFTER = sa.select(*_COLUMNS).where(events.c.seq > sa.bindparam("after")).order_by(events.c.seq)
_AFTER_ALL = _AFTER.limit(sa.bindparam("most"))
_AFTER_RUN = _AFTER.where(events.c.run == sa.bindparam("of_run")).limit(sa.bindparam("most"))
_NOTIFY = sa.text(f"NOTIFY {CHANNEL}")


class EventLog:
    """The journal, as in `studio.ports.journal.Journal`, with `poke` beside it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._follower = Follower(database, self.head)

    def append(self, drafts: Sequence[Draft]) -> list[Record]:
        """Append in one transaction and return the records, in order.

        A draft whose (run, step, n) is already in the log, or earlier in `drafts`, adds nothing; the record that is
        there is returned. The step must not be empty for that.

        Raises:
            InternalError: the disk is full or the database is broken; nothing was appended.

        """
        if not drafts:
            return []
        if any(isinstance(draft.event, UnknownEvent) for draft in drafts):
            raise InternalError(
                "An unknown event was to be written to the journal.", "This is a bug; please report it."
            )
        payloads = [encode_event(draft.event) for draft in drafts]
        with self._database.write() as connection:
            records = self._append(connection, drafts, payloads)
        self._follower.poke()
        return records

    def read(
        self, after: int = 0, limit: int = 1000, run: RunId | None = None, kinds: Sequence[str] = ()
    ) -> list[Record]:
        """Return at most `limit` records after `after`, oldest first; of one run or of some kinds if those are given."""
        values: dict[str, object] = {"after": after, "most": max(limit, 0)}
        query = _AFTER_ALL if run is None else _AFTER_RUN
        if run is not None:
            values["of_run"] = run
        if kinds:
            query = query.where(events.c.kind.in_(kinds))
        with self._database.read() as connection:
            rows = connection.execute(query, values).all()
        return [_record(row) for row in rows]

    def head(self) -> int:
        """Return the last sequence number, 0 when empty."""
        with self._database.read() as connection:
            return connection.execute(_HEAD_SEQ).scalar_one()

    def wait(self, after: int, timeout: float) -> int:
        """Block until the log has grown past `after` or `timeout` seconds passed; return the head."""
        return self._follower.wait(after, timeout)

    def poke(self) -> None:
        """Make those in `wait` look now: a message said that another process appended."""
        self._follower.poke()

    def erase(self, records: Sequence[int], reason: str, actor: str) -> None:
        """Erase payloads and append `payload.erased`. Snapshots go too, since they were made of the payloads.

        Raises:
            UsageError: there is no such record, or it is itself a `payload.erased`; nothing was erased.

        """
        wanted = sorted(set(records))
        if not wanted:
            return
        draft = Draft(PayloadErased(tuple(wanted), reason), actor=actor)
        with self._database.write() as connection:
            named = sa.select(events.c.seq, events.c.kind).where(events.c.seq.in_(wanted))
            kinds = dict(connection.execute(named).all())
            for seq in wanted:
                if kinds.get(seq, kind_of(draft.event)) == kind_of(draft.event):
                    raise UsageError(
                        f"Record {seq} is not one that can be erased."
                        if seq in kinds
                        else f"There is no record {seq}.",
                        "`studio events RUN` lists the records.",
                    )
            connection.execute(sa.update(events).where(events.c.seq.in_(wanted)).values(payload=None))
            connection.execute(sa.delete(snapshots))
            self._append(connection, [draft], [encode_event(draft.event)])
        self._database.scrub()
        self._follower.poke()

    def audit(self) -> Audit:
        """Verify the chain; see `studio.journal.auditing` for what that can tell."""
        return audit(self._database)

    def close(self) -> None:
        """Release connections and end the waiting of others."""
        self._database.close()
        self._follower.stop()

    def _append(self, connection: sa.Connection, drafts: Sequence[Draft], payloads: Sequence[bytes]) -> list[Record]:
        ((seq, digest),) = _HEAD.run(connection, {})
        known = _known(connection, drafts)
        at = now_us()
        rows: list[dict[str, object]] = []
        records: list[Record] = []
        for draft, payload in zip(drafts, payloads, strict=True):
            key = (draft.run, draft.step, draft.n)
            if draft.step and key in known:
                records.append(known[key])
                continue
            seq += 1
            header = Header(seq, at, draft.run, draft.step, draft.n, kind_of(draft.event), draft.actor)
            of_payload = payload_digest(payload)
            digest = link(digest, header, of_payload)
            rows.append({**header._asdict(), "payload": payload, "payload_digest": of_payload, "digest": digest})
            record = Record(seq, at / 1e6, draft.event, draft.run, draft.step, draft.n, draft.actor)
            known[key] = record
            records.append(record)
        if rows:
            _INSERT.run_many(connection, rows)
            _MOVE_HEAD.run(connection, {"seq": seq, "digest": digest})
            if not self._database.sqlite:
                connection.execute(_NOTIFY)
        return records


def _known(connection: sa.Connection, drafts: Sequence[Draft]) -> dict[tuple[str, str, int], Record]:
    """Return the records that are there already, by (run, step, n)."""
    steps: dict[tuple[str, str], list[int]] = {}
    for draft in drafts:
        if draft.step:
            steps.setdefault((draft.run, draft.step), []).append(draft.n)
    known: dict[tuple[str, str, int], Record] = {}
    for (run, step), numbers in steps.items():
        values = {"run": run, "step": step, "low": min(numbers), "high": max(numbers)}
        for row in _OF_STEP.run(connection, values):
            record = _record(row)
            known[run, step, record.n] = record
    return known


def _record(row: Sequence[Any]) -> Record:
    seq, at, run, step, n, kind, actor, payload = row
    return Record(seq, at / 1e6, decode_event(payload, kind), RunId(run), step, n, actor)
