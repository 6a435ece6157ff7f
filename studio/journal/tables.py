"""The journal's tables, in SQLAlchemy Core, so that SQLite and PostgreSQL both hold them."""

from __future__ import annotations

import sqlalchemy as sa

__all__ = [
    "SCHEMA_VERSION",
    "events",
    "ledger",
    "log_head",
    "metadata",
    "replies",
    "reuse",
    "schema",
    "snapshots",
    "stream_parts",
    "streams",
]

SCHEMA_VERSION = 1
"""Raised with every change to a table."""

metadata = sa.MetaData()

schema = sa.Table(
    "journal_schema",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("version", sa.Integer, nullable=False),
)

events = sa.Table(
    "events",
    metadata,
    sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False),
    sa.Column("at", sa.BigInteger, nullable=False, comment="microseconds since the epoch, UTC"),
    sa.Column("run", sa.Text, nullable=False),
    sa.Column("step", sa.Text, nullable=False),
    sa.Column("n", sa.Integer, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("payload", sa.LargeBinary, nullable=True, comment="JSON; null once erased"),
    sa.Column("payload_digest", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
)
sa.Index(
    "events_once",
    events.c.run,
    events.c.step,
    events.c.n,
    unique=True,
    sqlite_where=events.c.step != "",
    postgresql_where=events.c.step != "",
)
sa.Index("events_of_run", events.c.run, events.c.seq)

log_head = sa.Table(
    "log_head",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
)

snapshots = sa.Table(
    "snapshots",
    metadata,
    sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("digest", sa.Text, nullable=False, comment="the chain's digest at seq"),
    sa.Column("state", sa.LargeBinary, nullable=False),
)

streams = sa.Table(
    "streams",
    metadata,
    sa.Column("stream", sa.Text, primary_key=True),
    sa.Column("kept", sa.BigInteger, nullable=False),
    sa.Column("dropped", sa.BigInteger, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False, comment="microseconds, of the last bytes"),
)

stream_parts = sa.Table(
    "stream_parts",
    metadata,
    sa.Column("stream", sa.Text, primary_key=True),
    sa.Column("start", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("data", sa.LargeBinary, nullable=False),
)

reuse = sa.Table(
    "reuse",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("artifact", sa.Text, nullable=False),
    sa.Column("cost_usd", sa.Double, nullable=False),
    sa.Column("run", sa.Text, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
)

replies = sa.Table(
    "replies",
    metadata,
    sa.Column("run", sa.Text, primary_key=True),
    sa.Column("call", sa.Text, primary_key=True),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("reply", sa.LargeBinary, nullable=True, comment="null while only the intent is there"),
)
sa.Index("replies_by_request", replies.c.digest, replies.c.at)

ledger = sa.Table(
    "ledger",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("run", sa.Text, nullable=False, index=True),
    sa.Column("step", sa.Text, nullable=False),
    sa.Column("usd", sa.Double, nullable=False),
    sa.Column("tokens", sa.BigInteger, nullable=False),
    sa.Column("expires", sa.BigInteger, nullable=False, comment="microseconds; 0 once settled"),
)
