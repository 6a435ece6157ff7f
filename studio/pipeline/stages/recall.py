"""Stage 2: the context pack, from the tree and from memory."""

from __future__ import annotations

import asyncio

from studio.domain.memory import Collection
from studio.domain.value import encode
from studio.pipeline.packing import pack_of_tree
from studio.pipeline.results import Recall
from studio.pipeline.scope import brief_of
from studio.pipeline.services import current
from studio.pipeline.steps import RunSpec

__all__ = ["recall", "summary"]

_MEMORIES = 6
_COLLECTIONS = (Collection.FACTS, Collection.DECISIONS, Collection.FAILURES, Collection.BRIEFS)


async def recall(spec: RunSpec) -> Recall:
    """Gather context for the brief: a step's work."""
    services = current()
    brief = await brief_of(spec)
    memories = await asyncio.to_thread(services.memory.recall, brief.body, _COLLECTIONS, _MEMORIES)
    pack = await pack_of_tree(spec, brief, spec.base_tree, "base", memories)
    return Recall(await services.keep(encode(pack)), len(pack.files), len(pack.memories), pack.tokens)


def summary(recalled: Recall) -> str:
    """Return one line for people."""
    return f"{recalled.files} files, {recalled.memories} memories, about {recalled.tokens} tokens"
