"""The bridge: follows the host and folds what happens into the store. Imported after the first paint."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from studio.domain.errors import StudioError
from studio.domain.events import Record
from studio.domain.fold import apply
from studio.protocol.client import Event, state_of
from studio.protocol.messages import Happened, Snapshot, Streamed
from studio.tui.session import Session, SessionFactory
from studio.tui.store import Store

__all__ = ["follow"]

_RETRY_SECONDS = (0.1, 0.3, 1.0, 2.0, 5.0)


async def follow(
    store: Store,
    factory: SessionFactory,
    changed: Callable[[Sequence[Record]], None],
    streamed: Callable[[str, bytes], None],
) -> None:
    """Connect, and keep the store at what the host says, for ever. Returns when cancelled.

    `changed` is called after each change with the records folded, none for a snapshot or a change of the connection;
    `streamed` with the bytes of live streams.
    """
    tries = 0
    while True:
        try:
            session = await _connected(store, factory)
            async for event in session.subscribe():
                tries = 0
                _take(store, event, changed, streamed)
            store.connection, store.trouble = "reconnecting", "The host ended; it is being started again."
        except StudioError as error:
            store.connection = "reconnecting" if store.state is not None and tries < len(_RETRY_SECONDS) else "offline"
            store.trouble = f"{error.what} {error.do}".strip()
        changed(())
        await asyncio.sleep(_RETRY_SECONDS[min(tries, len(_RETRY_SECONDS) - 1)])
        tries += 1


async def _connected(store: Store, factory: SessionFactory) -> Session:
    if store.session is None:
        store.session = await factory()
    else:
        await store.session.reconnect()
    return store.session


def _take(
    store: Store,
    event: Event,
    changed: Callable[[Sequence[Record]], None],
    streamed: Callable[[str, bytes], None],
) -> None:
    if isinstance(event, Snapshot):
        store.state = state_of(event)
        store.connection, store.trouble = "live", ""
        changed(())
    elif isinstance(event, Happened) and store.state is not None:
        records = [wired.record() for wired in event.records]
        for record in records:
            apply(store.state, record)
        changed(records)
    elif isinstance(event, Streamed):
        store.add_tail(event.stream, event.data)
        streamed(event.stream, event.data)
