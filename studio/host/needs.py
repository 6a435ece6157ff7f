"""The bounded search for the rejected hunks that an accepted subset needs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

__all__ = ["find_needed"]

T = TypeVar("T")


async def find_needed(
    candidates: Sequence[T], passes: Callable[[Sequence[T]], Awaitable[bool]], probes: int = 8
) -> tuple[T, ...]:
    """Return a small part of `candidates` with which the checks pass; empty if none is found within `probes`.

    Delta debugging (Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input", 2002) on what has to
    be added, cut off at `probes`: the result passed, but may hold more than is needed.
    """
    if not candidates or probes < 1 or not await passes(candidates):
        return ()
    left = probes - 1
    needed = list(candidates)
    parts = 2
    while len(needed) > 1 and left > 0:
        size = -(-len(needed) // parts)
        chunks = [needed[at : at + size] for at in range(0, len(needed), size)]
        tries = chunks if parts == 2 else []  # noqa: PLR2004  # later, a chunk's complement was a chunk before
        tries = [*tries, *([one for one in needed if one not in chunk] for chunk in chunks if parts > 2)]  # noqa: PLR2004
        for kept in tries:
            if left <= 0:
                return tuple(needed)
            left -= 1
            if await passes(kept):
                needed, parts = kept, 2
                break
        else:
            if parts >= len(needed):
                break
            parts = min(len(needed), parts * 2)
    return tuple(needed)
