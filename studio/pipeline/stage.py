"""A stage: opened, done unless a result is kept under its key, closed. Results are artifacts; keys are what was read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from studio.domain.events import StageFinished, StageSkipped, StageStarted
from studio.domain.ids import ArtifactId, content_digest
from studio.domain.stages import DEPTH_STAGES, Stage
from studio.domain.value import Value, decode, encode
from studio.pipeline.serial import register
from studio.pipeline.services import current
from studio.pipeline.steps import RunSpec, step

__all__ = ["forks_after", "skip", "staged"]

T = TypeVar("T", bound=Value)
_FORMAT = "1"
"""Part of every key: raised when a stage's result changes its shape."""


class Opened(Value, frozen=True):
    """What opening a stage found."""

    key: str
    artifact: ArtifactId = ArtifactId("")
    saved_usd: float = 0.0


def forks_after(spec: RunSpec, stage: Stage) -> bool:
    """Return whether the run was asked to do this stage anew: it is the fork's stage or a later one."""
    order = list(Stage)
    return spec.options.fork_from is not None and order.index(stage) >= order.index(spec.options.fork_from)


async def skip(spec: RunSpec, stage: Stage, reason: str) -> None:
    """Record that a stage does not run."""
    await step(spec, f"{stage}/skip", _skip, spec, stage, reason)


async def _skip(spec: RunSpec, stage: Stage, reason: str) -> None:
    await current().log(spec.run, spec.at(f"{stage}/skip"), StageSkipped(stage, reason))


async def staged(
    spec: RunSpec,
    stage: Stage,
    kind: type[T],
    reads: tuple[str, ...] | None,
    work: Callable[[], Awaitable[T]],
    describe: Callable[[T], tuple[bool, str]],
) -> T:
    """Do a stage in a workflow body, or take its result from an earlier run that read the same.

    Args:
        spec: The run.
        stage: Which.
        kind: The result's type.
        reads: What determines the result; None for a stage whose parts are reused one by one, or never.
        work: Body code that awaits steps.
        describe: Tells from a result whether the stage went well, and a line for people.

    Raises:
        Stopped: a step of it ended with a problem.

    """
    key = content_digest(_FORMAT, stage, spec.model, *reads) if reads is not None else ""
    opened = await step(spec, f"{stage}/open", _open, spec, stage, key)
    if opened.artifact:
        result = decode(await current().load(opened.artifact), kind)
        ok, summary = describe(result)
        await step(spec, f"{stage}/close", _close, spec, stage, opened, b"", ok, summary)
        return result
    result = await work()
    ok, summary = describe(result)
    await step(spec, f"{stage}/close", _close, spec, stage, opened, encode(result), ok, summary)
    return result


def runs_at(spec: RunSpec, stage: Stage) -> bool:
    """Return whether the run's depth has this stage."""
    return stage in DEPTH_STAGES[spec.depth]


async def _open(spec: RunSpec, stage: Stage, key: str) -> Opened:
    services = current()
    await services.log(spec.run, spec.at(f"{stage}/open"), StageStarted(stage))
    if not key or forks_after(spec, stage):
        return Opened(key)
    found = services.reuse.find(key)
    return Opened(key, found.artifact, found.cost_usd) if found else Opened(key)


async def _close(spec: RunSpec, stage: Stage, opened: Opened, result: bytes, ok: bool, summary: str) -> None:
    services = current()
    reused = bool(opened.artifact)
    artifact = opened.artifact or await services.keep(result)
    if opened.key and ok and not reused:
        services.reuse.keep(opened.key, artifact, await stage_cost(spec, stage), spec.run)
    finished = StageFinished(stage, opened.key, reused, ok, summary, artifact, opened.saved_usd if reused else 0.0)
    await services.log(spec.run, spec.at(f"{stage}/close"), finished)


async def stage_cost(spec: RunSpec, prefix: str) -> float:
    """Return what the run's model calls below a step address have cost so far."""
    return await current().spent_at(spec.run, prefix)


register(Opened)
