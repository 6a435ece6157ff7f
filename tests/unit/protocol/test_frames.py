from __future__ import annotations

import asyncio
from unittest.mock import create_autospec

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.domain.ids import RunId
from studio.protocol import messages as msg
from studio.protocol.commands import GetRun
from studio.protocol.frames import MAX_FRAME_BYTES, Channel, FrameError, pack, read_frame


def reader_of(*parts: bytes) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    for part in parts:
        reader.feed_data(part)
    reader.feed_eof()
    return reader


def channel(*parts: bytes) -> Channel[msg.ToHost]:
    return Channel(reader_of(*parts), create_autospec(asyncio.StreamWriter), msg.ToHost)


async def test_messages_round_trip() -> None:
    sent = [msg.Hello(1, "cli", "Ada", 7), msg.Ask(1, GetRun(RunId("r-1"))), msg.BriefUpdate("b", b"\0\xff")]
    link = channel(b"".join(map(pack, sent)))
    assert [await link.receive() for _ in range(4)] == [*sent, None]


async def test_an_over_long_frame_is_refused_before_it_is_read() -> None:
    with pytest.raises(FrameError, match="announced"):
        await read_frame(reader_of((MAX_FRAME_BYTES + 1).to_bytes(4, "big")))


async def test_an_over_long_message_is_not_sent() -> None:
    with pytest.raises(FrameError, match="too long"):
        pack(msg.BriefUpdate("b", bytes(MAX_FRAME_BYTES)))


@pytest.mark.parametrize("cut", [1, 3, 4, 9])
async def test_a_stream_that_ends_inside_a_frame(cut: int) -> None:
    with pytest.raises(FrameError, match="ended"):
        await read_frame(reader_of(pack(msg.OpenBrief("b"))[:cut]))


@given(st.lists(st.binary(max_size=40) | st.binary(max_size=40).map(lambda body: len(body).to_bytes(4, "big") + body)))
def test_garbage_is_refused_or_ends(parts: list[bytes]) -> None:
    async def read() -> None:
        link = channel(*parts)
        try:
            while await link.receive() is not None:
                pass
        except FrameError:
            pass

    asyncio.run(read())
