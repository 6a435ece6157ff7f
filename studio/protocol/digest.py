"""The digest that ties a subset's verdict to the decisions it was built from."""

from __future__ import annotations

from collections.abc import Iterable

from studio.domain.changes import Decision, Verdict
from studio.domain.ids import content_digest
from studio.domain.value import encode

__all__ = ["decisions_digest"]

_TAKEN = frozenset({Verdict.ACCEPTED, Verdict.EDITED})


def decisions_digest(decisions: Iterable[Decision]) -> str:
    """Return the digest, 16 hex digits, of what decisions take: comments and rejections do not change what would land."""
    taken = sorted((one for one in decisions if one.verdict in _TAKEN), key=lambda one: one.hunk)
    return content_digest(*(encode((one.hunk, one.verdict, one.lines, one.text)) for one in taken))[:16]
