"""The digest chain: each record's digest covers the one before it, the record's header and its payload's digest.

The payload goes in by its digest so that erasing it leaves the chain whole. The same construction is found in
certificate-transparency style logs and in git's commits (a hash chain, Haber & Stornetta 1991).
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from studio.domain.value import encode

__all__ = ["GENESIS", "Header", "link", "payload_digest"]

GENESIS = "0" * 64
"""The digest before the first record."""


class Header(NamedTuple):
    """What a record says beside its payload."""

    seq: int
    at: int
    """Microseconds since the epoch."""
    run: str
    step: str
    n: int
    kind: str
    actor: str


def payload_digest(payload: bytes) -> str:
    """Return the SHA-256 of a payload as 64 hex digits."""
    return hashlib.sha256(payload).hexdigest()


def link(previous: str, header: Header, payload: str) -> str:
    """Return the digest of a record.

    Args:
        previous: the digest of the record before it, `GENESIS` for the first.
        header: the record's header.
        payload: the payload's digest.

    Returns:
        SHA-256 over 32 bytes of `previous`, the header as a JSON array, and 32 bytes of `payload`; 64 hex digits.

    Raises:
        ValueError: a digest is not hexadecimal.

    """
    return hashlib.sha256(bytes.fromhex(previous) + encode(tuple(header)) + bytes.fromhex(payload)).hexdigest()
