"""Verifying the chain.

Found: any changed byte of a record's header, payload or digests; a record inserted, removed or moved; records cut off at
the end while `log_head` still names them; a payload that is gone without a `payload.erased` record naming it.

Not found: a rewrite by somebody who recomputes every later digest and the head, or cuts the tail and sets the head back.
The chain has no secret; whoever can write the file can write a whole new log. Keeping the head's digest elsewhere would
tell; the audit's detail gives it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import sqlalchemy as sa

from studio.domain.events import PayloadErased, decode_event
from studio.journal.chain import GENESIS, Header, link, payload_digest
from studio.journal.database import Database
from studio.journal.tables import events, log_head
from studio.ports.journal import Audit

__all__ = ["audit"]

_CHUNK = 500
_ROWS = sa.select(events).where(events.c.seq > sa.bindparam("after")).order_by(events.c.seq).limit(_CHUNK)
_ERASED = sa.select(events.c.kind, events.c.payload).where(events.c.kind == "payload.erased")


def audit(database: Database) -> Audit:
    """Verify every record up to the head.

    Raises:
        InternalError: the database cannot be read.

    """
    with database.read() as connection:
        # The head first: what is appended meanwhile lies beyond it and is not looked at.
        head, head_digest = connection.execute(sa.select(log_head.c.seq, log_head.c.digest)).one()
    digest, count = GENESIS, 0
    missing: list[int] = []
    for row in _rows(database, head):
        why = _broken(row, count + 1, digest)
        if why:
            erased = _named(database)
            return _verdict(count, missing, erased, count + 1, why)
        if row.payload is None:
            missing.append(row.seq)
        digest, count = row.digest, count + 1
    erased = _named(database)
    if count < head:
        return _verdict(count, missing, erased, count + 1, f"records {count + 1} to {head} are missing")
    if digest != head_digest:
        return _verdict(count, missing, erased, max(count, 1), "the head names another digest")
    return _verdict(count, missing, erased, 0, f"head {digest}")


def _rows(database: Database, head: int) -> Iterator[sa.Row[*tuple[Any, ...]]]:
    after: int | None = None
    while True:
        with database.read() as connection:
            query = _ROWS if after is not None else sa.select(events).order_by(events.c.seq).limit(_CHUNK)
            rows = connection.execute(query, {} if after is None else {"after": after}).all()
        for row in rows:
            if row.seq > head:
                return
            yield row
        if len(rows) < _CHUNK:
            return
        after = rows[-1].seq


def _broken(row: sa.Row[*tuple[Any, ...]], expected: int, previous: str) -> str:
    """Return what is wrong with a row, empty when nothing is."""
    if row.seq != expected:
        return f"record {row.seq} stands where {expected} should"
    try:
        header = Header(row.seq, row.at, row.run, row.step, row.n, row.kind, row.actor)
        digest = link(previous, header, row.payload_digest)
        payload = row.payload_digest if row.payload is None else payload_digest(row.payload)
    except (TypeError, ValueError, msgspec.MsgspecError):
        return f"record {row.seq} holds values no record can hold"
    if payload != row.payload_digest:
        return f"the payload of record {row.seq} was changed"
    if digest != row.digest:
        return f"record {row.seq} was changed, or the one before it"
    return ""


def _named(database: Database) -> set[int]:
    """Return the records that `payload.erased` records name."""
    named: set[int] = set()
    with database.read() as connection:
        for kind, payload in connection.execute(_ERASED).all():
            event = decode_event(payload, kind)
            if isinstance(event, PayloadErased):
                named.update(event.records)
    return named


def _verdict(count: int, missing: list[int], named: set[int], first_broken: int, detail: str) -> Audit:
    unexplained = [seq for seq in missing if seq not in named]
    if unexplained:
        first_broken, detail = unexplained[0], f"the payload of record {unexplained[0]} is gone, and no record says why"
    erased = tuple(seq for seq in missing if seq in named)
    return Audit(count, not first_broken, first_broken, erased, detail)
