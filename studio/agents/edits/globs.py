"""Globs over repository paths, as people write them under `protect`: `*`, `**`, `?`, `[...]`, directories."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

__all__ = ["matches"]


def matches(path: str, pattern: str) -> bool:
    """Whether `pattern` names `path` or a directory above it; one without a slash matches at any depth."""
    bare = pattern.strip().removeprefix("./").rstrip("/")
    if not bare:
        return False
    segments = bare.lstrip("/").split("/")
    return _match(path.split("/"), segments if "/" in bare else ["**", *segments])


def _match(parts: Sequence[str], segments: Sequence[str]) -> bool:
    if not segments:
        return True
    if segments[0] == "**":
        if len(segments) == 1:
            return bool(parts)
        return any(_match(parts[skip:], segments[1:]) for skip in range(len(parts)))
    return bool(parts) and fnmatchcase(parts[0], segments[0]) and _match(parts[1:], segments[1:])
