from __future__ import annotations

import asyncio

import msgspec
import pytest

from studio.protocol import inbox as module
from studio.protocol.frames import ConnectionLost
from studio.protocol.inbox import Forgotten, Inbox
from studio.protocol.messages import Happened, Snapshot, Streamed, WireRecord


def records(*seqs: int) -> Happened:
    return Happened(tuple(WireRecord(seq, 0.0, "x", msgspec.Raw(b"null")) for seq in seqs))


def seqs(message: object) -> list[int]:
    assert isinstance(message, Happened)
    return [record.seq for record in message.records]


async def test_repeats_and_gaps_are_passed_over() -> None:
    box = Inbox()
    box.begin(2)
    for message in (records(1, 2), records(2, 3), records(5), records(4)):
        box.put(message)
    assert seqs(await box.get()) == [3]
    assert seqs(await box.get()) == [4]
    assert box.seq == 4


async def test_nothing_comes_before_the_snapshot() -> None:
    box = Inbox()
    box.begin(-1)
    box.put(records(1))
    box.put(Snapshot(7, 1, msgspec.Raw(b"{}")))
    box.put(records(7, 8))
    assert isinstance(await box.get(), Snapshot)
    assert seqs(await box.get()) == [8]


async def test_a_slow_consumer_is_told_to_ask_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_RECORDS", 3)
    monkeypatch.setattr(module, "MAX_STREAM_BYTES", 4)
    box = Inbox()
    box.begin(0)
    for message in (records(1, 2), records(3, 4), records(5), Streamed("s", 0, b"1234"), Streamed("s", 4, b"5")):
        box.put(message)
    assert seqs(await box.get()) == [1, 2]
    assert await box.get() == Streamed("s", 0, b"1234")
    assert isinstance(await box.get(), Forgotten)
    box.put(records(3, 4))
    assert seqs(await box.get()) == [3, 4]


async def test_the_end_comes_after_what_waits() -> None:
    box = Inbox()
    box.begin(0)
    box.put(records(1))
    box.end(ConnectionLost("gone"))
    assert seqs(await box.get()) == [1]
    with pytest.raises(ConnectionLost):
        await box.get()
    box.begin(1)
    waiting = asyncio.create_task(box.get())
    await asyncio.sleep(0)
    box.end(None)
    assert await waiting is None
