"""Text for models, without what differs between two runs of the same work: the same work then asks the same."""

from __future__ import annotations

import re

__all__ = ["steady"]

_UNSTEADY = re.compile(
    r"(?<=in )\d+\.\d+ ?s(?:econds)?\b"  # pytest's duration
    r"|\b0x[0-9a-f]{6,}\b"  # an object's address
    r"|/tmp/pytest-of-\w+/pytest-\d+"
)


def steady(text: str) -> str:
    """Return `text` with durations, addresses and temporary directories left out."""
    return _UNSTEADY.sub("…", text)
