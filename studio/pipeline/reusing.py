"""Reusing an agent's work: kept under what determined it, valid where the files it read are as they were.

The key cannot hold the read set, which is known only afterwards, so a key has a few slots, each with a result and the read
set that verifies it (verifying traces, as in build systems).
"""

from __future__ import annotations

import asyncio

import msgspec

from studio.domain.errors import StudioError
from studio.domain.ids import content_digest
from studio.domain.value import decode, encode
from studio.pipeline.results import AgentWork
from studio.pipeline.services import current
from studio.pipeline.steps import RunSpec

__all__ = ["Found", "find_work", "keep_work"]

_SLOTS = 8


class Found(msgspec.Struct, frozen=True):
    """Kept work, moved onto the tree it is wanted on."""

    work: AgentWork
    cost_usd: float


async def find_work(key: str, tree: str) -> Found | None:
    """Return work kept under `key` whose read set holds in `tree`, rebased onto it; None if there is none."""
    return await asyncio.to_thread(_find, key, tree)


def _find(key: str, tree: str) -> Found | None:
    services = current()
    blobs = {path: blob for path, _, blob in services.workspace.list_tree(tree)}
    for slot in range(_SLOTS):
        kept = services.reuse.find(content_digest(key, str(slot)))
        if kept is None:
            return None
        work = decode(services.artifacts.get(kept.artifact), AgentWork)
        if all(blobs.get(path, "") == blob for path, blob in work.read):
            moved = _rebase(work, tree)
            if moved is not None:
                return Found(moved, kept.cost_usd)
    return None


def _rebase(work: AgentWork, tree: str) -> AgentWork | None:
    if work.before == tree:
        return work
    try:
        merged = current().workspace.merge_trees(work.before, tree, work.after)
    except StudioError:
        return None  # its trees were collected
    return msgspec.structs.replace(work, before=tree, after=merged.tree) if merged.tree else None


async def keep_work(spec: RunSpec, key: str, work: AgentWork, cost_usd: float) -> None:
    """Keep work under `key` in the first free slot; beyond the last, nothing is kept."""
    await asyncio.to_thread(_keep, spec, key, work, cost_usd)


def _keep(spec: RunSpec, key: str, work: AgentWork, cost_usd: float) -> None:
    services = current()
    for slot in range(_SLOTS):
        name = content_digest(key, str(slot))
        kept = services.reuse.find(name)
        if kept is None:
            services.reuse.keep(name, services.artifacts.put(encode(work)), cost_usd, spec.run)
            return
        if decode(services.artifacts.get(kept.artifact), AgentWork).read == work.read:
            return
