"""Identifiers: short, readable, and derived from content wherever the thing has content."""

from __future__ import annotations

import hashlib
import secrets
from typing import NewType

__all__ = [
    "ArtifactId",
    "BriefName",
    "GateId",
    "HunkId",
    "LandingId",
    "RunId",
    "TaskId",
    "content_digest",
    "new_landing_id",
    "new_run_id",
    "short_digest",
]

RunId = NewType("RunId", str)
"""A run: `r-` and eight characters of Crockford's base 32. Also the id of its DBOS workflow."""
TaskId = NewType("TaskId", str)
"""A task of a plan: `T1`, `T2`, …, unique within a run."""
HunkId = NewType("HunkId", str)
"""A hunk: `h-` and ten characters derived from path, content and ordinal."""
GateId = NewType("GateId", str)
"""A gate: unique within a run, derived from the step that opened it."""
LandingId = NewType("LandingId", str)
"""A landing or an undo: `l-` and eight characters."""
ArtifactId = NewType("ArtifactId", str)
"""An artifact: the git blob id (40 hex digits) of its bytes in the store repository."""
BriefName = NewType("BriefName", str)
"""A brief: the stem of its file in `.studio/briefs`."""

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def _base32(number: int, length: int) -> str:
    return "".join(_ALPHABET[(number >> (5 * place)) & 31] for place in reversed(range(length)))


def content_digest(*parts: str | bytes) -> str:
    """Return the SHA-256 of the parts as 64 hex digits; part borders count, so ("ab", "c") differs from ("a", "bc")."""
    state = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
        state.update(len(data).to_bytes(8, "big"))
        state.update(data)
    return state.hexdigest()


def short_digest(prefix: str, *parts: str | bytes, length: int = 10) -> str:
    """Return `prefix-` and `length` base-32 characters of the parts' digest."""
    return f"{prefix}-{_base32(int(content_digest(*parts), 16), length)}"


def new_run_id() -> RunId:
    """Return a fresh random run id (40 bits)."""
    return RunId(f"r-{_base32(secrets.randbits(40), 8)}")


def new_landing_id() -> LandingId:
    """Return a fresh random landing id (40 bits)."""
    return LandingId(f"l-{_base32(secrets.randbits(40), 8)}")
