"""A terminal for tests: a program on a pty, its screen by pyte, its queries answered."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Self

import pyte

__all__ = ["Terminal"]

ANSWERS = (
    (re.compile(rb"\x1b\[0?c"), b"\x1b[?62;22c"),
    (re.compile(rb"\x1b\[6n"), b"\x1b[1;1R"),
    (re.compile(rb"\x1b\[\?u"), b"\x1b[?0u"),
    (re.compile(rb"\x1b\[\?2026\$p"), b"\x1b[?2026;2$y"),
)
UNKNOWN = re.compile(rb"\x1b\[[<>=?][0-9;$]*[a-zA-Z]|\x1b[\]P_][^\x1b\x07]*(?:\x07|\x1b\\)")


class Terminal:
    """A program that runs on a pty of its own. Use as a context manager; it is killed at the end."""

    def __init__(
        self, argv: Sequence[str], size: tuple[int, int] = (160, 48), environ: Mapping[str, str] | None = None
    ) -> None:
        columns, rows = size
        self.screen = pyte.Screen(columns, rows)
        self._feed = pyte.ByteStream(self.screen)
        self.bytes_written = 0
        self.began = time.perf_counter()
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.environ.update({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, **dict(environ or {}))
            os.environ.pop("SSH_CONNECTION", None)
            try:
                os.execvp(argv[0], list(argv))  # noqa: S606 - the program under test
            finally:
                os._exit(127)
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._fd)

    @property
    def text(self) -> str:
        """What the screen shows."""
        return "\n".join(line.rstrip() for line in self.screen.display)

    def send(self, data: bytes) -> None:
        """Type."""
        os.write(self._fd, data)

    def until(self, true: Callable[[str], object], seconds: float = 30) -> float:
        """Read until the screen is as wanted; return the seconds since the program was started."""
        deadline = time.perf_counter() + seconds
        while time.perf_counter() < deadline:
            self._read(0.02)
            if true(self.text):
                return time.perf_counter() - self.began
        raise AssertionError(f"it never showed; the screen was:\n{self.text}")

    def settle(self, seconds: float = 0.5) -> None:
        """Read until nothing came for that long."""
        while self._read(seconds):
            pass

    def _read(self, seconds: float) -> bool:
        if not select.select([self._fd], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self._fd, 1 << 16)
        except OSError:
            return False
        self.bytes_written += len(data)
        for query, answer in ANSWERS:
            for _ in query.findall(data):
                os.write(self._fd, answer)
        self._feed.feed(UNKNOWN.sub(b"", data))
        return bool(data)
