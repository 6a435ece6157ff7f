"""Stage 2: the context pack, from the tree and from memory."""

from __future__ import annotations

import asyncio

from studio.domain.memory import Collection
from studio.domain.stages import Depth
from studio.domain.value import encode
from studio.pipeline.results import Recall
from studio.pipeline.scope import scope_of
from studio.pipeline.services import current
from studio.pipeline.steps import RunSpec

__all__ = ["recall", "summary"]

_MEMORIES = 6
_TOKENS = {Depth.QUICK: 6_000, Depth.STANDARD: 16_000, Depth.DEEP: 32_000}
_COLLECTIONS = (Collection.FACTS, Collection.DECISIONS, Collection.FAILURES, Collection.BRIEFS)


async def recall(spec: RunSpec) -> Recall:
    """Gather context for the brief: a step's work."""
    services = current()
    brief = (await scope_of(spec)).brief
    memories = await asyncio.to_thread(services.memory.recall, brief.body, _COLLECTIONS, _MEMORIES)
    entries = await asyncio.to_thread(services.workspace.list_tree, spec.base_tree)
    path = await asyncio.to_thread(services.workspace.checkout, spec.run, "base", spec.base_tree)
    # The studio's own settings are not part of the program, and the brief is shown sentence by sentence.
    files = [(name, blob) for name, mode, blob in entries if mode.startswith("100") and not name.startswith(".studio/")]
    pack = await asyncio.to_thread(
        services.index.gather, brief, path, files, _TOKENS[spec.depth], brief.front.private, memories
    )
    return Recall(await services.keep(encode(pack)), len(pack.files), len(pack.memories), pack.tokens)


def summary(recalled: Recall) -> str:
    """Return one line for people."""
    return f"{recalled.files} files, {recalled.memories} memories, about {recalled.tokens} tokens"
