"""Collecting the output of a command: bounded, counted, and drained to its end."""

from __future__ import annotations

from studio.ports.sandbox import OnOutput

__all__ = ["Output"]


class Output:
    """stdout and stderr as they come. The first `limit` bytes are kept; what is over is counted and let go."""

    def __init__(self, limit: int, on_output: OnOutput | None = None) -> None:
        self._limit = limit
        self._on_output = on_output
        self._both = bytearray()
        self._stdout = bytearray()
        self.dropped = 0

    def add(self, data: bytes, *, stdout: bool) -> None:
        """Take `data`, which came from stdout or else from stderr."""
        kept = data[: self._limit - len(self._both)]
        self.dropped += len(data) - len(kept)
        if not kept:
            return
        self._both += kept
        if stdout:
            self._stdout += kept
        if self._on_output is not None:
            self._on_output(kept)

    @property
    def both(self) -> bytes:
        """What was kept of both."""
        return bytes(self._both)

    @property
    def stdout(self) -> bytes:
        """What was kept of stdout."""
        return bytes(self._stdout)
