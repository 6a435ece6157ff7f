"""The event log, artifacts, streams, reuse, replies, the ledger and snapshots: everything that must last."""

from __future__ import annotations

from studio.journal.store import JournalStore, open_journal, open_store

__all__ = ["JournalStore", "open_journal", "open_store"]
