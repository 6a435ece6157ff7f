"""Context packs: what the agents are shown of a tree."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from studio.domain.brief import Brief
from studio.domain.memory import ContextPack, Recalled
from studio.domain.stages import Depth
from studio.pipeline.services import current
from studio.pipeline.steps import RunSpec

__all__ = ["pack_of_tree"]

_TOKENS = {Depth.QUICK: 6_000, Depth.STANDARD: 16_000, Depth.DEEP: 32_000}


async def pack_of_tree(
    spec: RunSpec, brief: Brief, tree: str, worktree: str, memories: Sequence[Recalled]
) -> ContextPack:
    """Return the context pack of a tree for a brief, checking it out as the run's `worktree`.

    The studio's own settings are not part of the program, and the brief is shown sentence by sentence: both are left out.
    """
    services = current()
    entries = await asyncio.to_thread(services.workspace.list_tree, tree)
    path = await asyncio.to_thread(services.workspace.checkout, spec.run, worktree, tree)
    files = [(name, blob) for name, mode, blob in entries if mode.startswith("100") and not name.startswith(".studio/")]
    return await asyncio.to_thread(
        services.index.gather, brief, path, files, _TOKENS[spec.depth], brief.front.private, memories
    )
