"""Rankings made one, each result with the reason people read."""

from __future__ import annotations

from collections.abc import Sequence

from studio.domain.memory import MemoryItem, MemoryState, Recalled
from studio.memory.shelf import Hit

__all__ = ["fuse", "lexical"]

K = 10
"""Of reciprocal rank fusion (Cormack, Clarke and Büttcher, 2009); 10 ranked better here than the usual 60."""
UNCONFIRMED = 0.7
"""What a proposed item's score is multiplied by."""
_SHOWN = 6


def lexical(hits: Sequence[Hit]) -> list[Recalled]:
    """Return hits by their BM25 score, proposed items lowered."""
    found = [_recalled(hit.item, hit.score, _words(hit, rank)) for rank, hit in enumerate(hits, 1)]
    return sorted(found, key=lambda recalled: -recalled.score)


def fuse(hits: Sequence[Hit], near: Sequence[tuple[MemoryItem, float]], model: str) -> list[Recalled]:
    """Return both rankings fused by reciprocal rank."""
    scores: dict[str, float] = {}
    reasons: dict[str, list[str]] = {}
    items: dict[str, MemoryItem] = {}
    for rank, hit in enumerate(hits, 1):
        items[hit.item.id] = hit.item
        scores[hit.item.id] = 1.0 / (K + rank)
        reasons[hit.item.id] = [_words(hit, rank)]
    for rank, (item, distance) in enumerate(near, 1):
        items.setdefault(item.id, item)
        scores[item.id] = scores.get(item.id, 0.0) + 1.0 / (K + rank)
        reasons.setdefault(item.id, []).append(f"{model}: number {rank}, distance {distance:.2f}")
    found = [_recalled(item, scores[key], "; ".join(reasons[key])) for key, item in items.items()]
    return sorted(found, key=lambda recalled: -recalled.score)


def _words(hit: Hit, rank: int) -> str:
    shown = ", ".join(hit.words[:_SHOWN]) + (", …" if len(hit.words) > _SHOWN else "")
    return f"words {shown}: number {rank}"


def _recalled(item: MemoryItem, score: float, why: str) -> Recalled:
    if item.state is MemoryState.PROPOSED:
        return Recalled(item, score * UNCONFIRMED, f"{why}; not confirmed by anybody")
    return Recalled(item, score, why)
