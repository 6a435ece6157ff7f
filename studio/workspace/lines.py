"""Lines of files as bytes: only a line feed ends a line, so that every other byte survives."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["encoding_of", "join_lines", "split_lines"]


def split_lines(content: bytes) -> list[bytes]:
    """Return the lines of `content` with their line feeds; the last one may have none."""
    lines = [line + b"\n" for line in content.split(b"\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]


def join_lines(lines: Iterable[bytes]) -> bytes:
    """Return lines as one content: a line without a line feed gets one unless it is the last."""
    kept = list(lines)
    ended = (line if line.endswith(b"\n") else line + b"\n" for line in kept[:-1])
    return b"".join((*ended, *kept[-1:]))


def encoding_of(*contents: bytes) -> str:
    """Return `utf-8` if all contents are, else `latin-1`, which any bytes are."""
    try:
        for content in contents:
            content.decode("utf-8")
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"
