"""Stage 1: the brief read, the depth chosen, the model and the sandbox in force named."""

from __future__ import annotations

import asyncio

import msgspec

from studio.agents.complexity import choose_depth
from studio.domain.events import RunStarted, StageFinished, StageStarted
from studio.domain.stages import Depth, Stage
from studio.pipeline.scope import scope_of
from studio.pipeline.services import current
from studio.pipeline.steps import RunSpec, step

__all__ = ["take_in"]


async def take_in(spec: RunSpec) -> RunSpec:
    """Return the spec with what intake settles.

    Raises:
        Stopped: the brief does not parse, or the model spec resolves to nothing.

    """
    return await step(spec, "intake", _intake, spec)


async def _intake(spec: RunSpec) -> RunSpec:
    services = current()
    at = spec.at("intake/begin")
    await services.log(spec.run, at, StageStarted(Stage.INTAKE))
    scope = await scope_of(spec)
    files = await asyncio.to_thread(services.workspace.list_tree, spec.base_tree)
    wanted = spec.options.depth if spec.options.depth is not Depth.AUTO else scope.brief.front.depth
    depth, why = (wanted, "as asked") if wanted is not Depth.AUTO else choose_depth(scope.brief, len(files))
    environment = await asyncio.to_thread(services.read_environment)
    sandbox, detail = await services.sandbox(spec.options.sandbox)
    level = sandbox.level if sandbox else ""
    summary = f"{depth}: {why}; {len(scope.brief.sentences)} sentences, {len(files)} files"
    await services.log(
        spec.run,
        at,
        RunStarted(depth, scope.gateway.name, level, detail, services.worker),
        StageFinished(Stage.INTAKE, summary=summary),
        n=1,
    )
    return msgspec.structs.replace(
        spec, depth=depth, model=scope.gateway.identity, sandbox=level, environment=environment
    )
