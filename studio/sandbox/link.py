"""The stream to a runner in a container: frames of ours inside the frames of Docker's attached streams."""

from __future__ import annotations

import socket
import struct
from typing import Any

__all__ = ["Link", "LinkClosed"]

_OURS = struct.Struct(">cI")
_DOCKERS = struct.Struct(">BxxxI")
_STDOUT = 1
_CHUNK = 1 << 16


class LinkClosed(Exception):
    """The container ended, or the engine let go of the stream."""


class Link:
    """A blocking stream of frames; `close` may be called from another thread and ends a `receive`."""

    def __init__(self, attached: Any) -> None:
        """Take what docker-py's `attach_socket` returned."""
        self._attached = attached  # kept: its finaliser closes the socket
        self._socket: socket.socket = getattr(attached, "_sock", attached)
        self._socket.settimeout(None)
        self._raw = bytearray()
        self._frames = bytearray()
        self.stderr = bytearray()
        """What the runner itself wrote to its stderr, the last of it: why it could not start."""

    def send(self, kind: bytes, payload: bytes = b"") -> None:
        """Send one frame.

        Raises:
            LinkClosed: the other end is gone.

        """
        try:
            self._socket.sendall(_OURS.pack(kind, len(payload)) + payload)
        except OSError as error:
            raise LinkClosed from error

    def send_raw(self, data: bytes) -> None:
        """Send bytes outside any frame: the runner's own source.

        Raises:
            LinkClosed: the other end is gone.

        """
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise LinkClosed from error

    def receive(self) -> tuple[bytes, bytes]:
        """Return the next frame.

        Raises:
            LinkClosed: the other end is gone.

        """
        while len(self._frames) < _OURS.size:
            self._fill()
        kind, length = _OURS.unpack_from(self._frames)
        while len(self._frames) < _OURS.size + length:
            self._fill()
        payload = bytes(self._frames[_OURS.size : _OURS.size + length])
        del self._frames[: _OURS.size + length]
        return kind, payload

    def _fill(self) -> None:
        """Read once, and take what is complete out of Docker's frames."""
        try:
            data = self._socket.recv(_CHUNK)
        except OSError as error:
            raise LinkClosed from error
        if not data:
            raise LinkClosed
        self._raw += data
        while len(self._raw) >= _DOCKERS.size:
            stream, length = _DOCKERS.unpack_from(self._raw)
            if len(self._raw) < _DOCKERS.size + length:
                return
            payload = self._raw[_DOCKERS.size : _DOCKERS.size + length]
            del self._raw[: _DOCKERS.size + length]
            if stream == _STDOUT:
                self._frames += payload
            else:
                self.stderr = (self.stderr + payload)[-4000:]

    def close(self) -> None:
        """Close the stream; a thread that waits in `receive` gets LinkClosed."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        finally:
            self._attached.close()
            self._socket.close()
