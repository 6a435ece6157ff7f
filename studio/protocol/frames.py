"""Frames: one message each, as a 4-byte big-endian length and that many bytes of JSON."""

from __future__ import annotations

import asyncio
from typing import Generic, TypeVar

import msgspec

from studio.domain.errors import InternalError
from studio.domain.value import Value, encode

__all__ = ["MAX_FRAME_BYTES", "Channel", "ConnectionLost", "FrameError", "pack", "read_frame"]

MAX_FRAME_BYTES = 32 * 1024 * 1024
"""A longer frame is refused before a byte of it is read."""
_PREFIX_BYTES = 4

T = TypeVar("T")


class FrameError(InternalError):
    """The peer sent what is no frame or no message. The connection cannot be used further."""


class ConnectionLost(InternalError):
    """The peer is gone."""


def pack(message: Value) -> bytes:
    """Return `message` as a frame.

    Raises:
        FrameError: it is longer than `MAX_FRAME_BYTES`.

    """
    body = encode(message)
    if len(body) > MAX_FRAME_BYTES:
        raise FrameError(
            f"A {type(message).__name__} of {len(body)} bytes is too long to send; at most {MAX_FRAME_BYTES} fit.",
            "Ask for less at a time.",
        )
    return len(body).to_bytes(_PREFIX_BYTES, "big") + body


async def read_frame(reader: asyncio.StreamReader) -> bytes | None:
    """Return the next frame's body, or None where the stream ends between two frames.

    Raises:
        FrameError: the length is over the bound, or the stream ends inside a frame.

    """
    try:
        prefix = await reader.readexactly(_PREFIX_BYTES)
    except asyncio.IncompleteReadError as error:
        if not error.partial:
            return None
        raise FrameError("The connection ended inside a frame.", "Connect again.") from None
    length = int.from_bytes(prefix, "big")
    if length > MAX_FRAME_BYTES:
        raise FrameError(
            f"A frame of {length} bytes was announced; at most {MAX_FRAME_BYTES} are read.",
            "Something else than the studio speaks on this socket, or another version of it.",
        )
    try:
        return await reader.readexactly(length)
    except asyncio.IncompleteReadError as error:
        raise FrameError(
            f"The connection ended after {len(error.partial)} of a frame's {length} bytes.", "Connect again."
        ) from None


class Channel(Generic[T]):
    """A stream of messages both ways; what comes in is decoded as `incoming`, a union of message types."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, incoming: object) -> None:
        self._reader = reader
        self._writer = writer
        self._decoder: msgspec.json.Decoder[T] = msgspec.json.Decoder(incoming)  # pyright: ignore[reportArgumentType]  # a union of types is no type[T]

    @property
    def writer(self) -> asyncio.StreamWriter:
        """The writing side, for what is packed already."""
        return self._writer

    async def receive(self) -> T | None:
        """Return the next message, None when the peer has closed.

        Raises:
            FrameError: what came is no message of the expected kinds.
            ConnectionLost: the connection broke.

        """
        try:
            body = await read_frame(self._reader)
        except OSError as error:
            raise ConnectionLost(f"The connection broke ({error.strerror or error}).", "Connect again.") from None
        if body is None:
            return None
        try:
            return self._decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise FrameError(
                f"A message could not be read: {error}.", "The peer may be of another version of the studio."
            ) from None

    async def send(self, message: Value) -> None:
        """Send `message`, waiting while the peer is slow to read.

        Raises:
            ConnectionLost: the connection broke.

        """
        await self.send_packed(pack(message))

    async def send_packed(self, frame: bytes) -> None:
        """Send a frame made by `pack`, waiting while the peer is slow to read.

        Raises:
            ConnectionLost: the connection broke.

        """
        if self._writer.is_closing():
            raise ConnectionLost("The connection is closed.", "Connect again.")
        try:
            self._writer.write(frame)
            await self._writer.drain()
        except OSError as error:
            raise ConnectionLost(f"The connection broke ({error.strerror or error}).", "Connect again.") from None

    async def close(self) -> None:
        """Close the connection."""
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except OSError:
            return
