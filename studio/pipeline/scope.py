"""What a run holds open in this process: its brief as parsed, and its gateway. Rebuilt at will, never recorded."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from studio.domain.brief import Brief, parse_brief
from studio.domain.ids import RunId
from studio.pipeline.services import current
from studio.pipeline.steps import RunSpec
from studio.ports.models import ModelGateway

__all__ = ["Scope", "close_scope", "scope_of"]


@dataclass(frozen=True, slots=True)
class Scope:
    """A run's brief and gateway."""

    brief: Brief
    gateway: ModelGateway


_scopes: dict[RunId, Scope] = {}
_opening = asyncio.Lock()


async def scope_of(spec: RunSpec) -> Scope:
    """Return the run's scope, opening it on first use.

    Raises:
        ModelUnavailable: the model spec resolves to nothing that answers.
        UsageError: the model spec is not one.
        BriefError: the brief does not parse.

    """
    async with _opening:
        if spec.run not in _scopes:
            services = current()
            text = (await services.load(spec.text)).decode()
            brief = parse_brief(spec.brief, text)
            _scopes[spec.run] = Scope(brief, await services.open_gateway(spec.options, brief))
        return _scopes[spec.run]


async def close_scope(run: RunId) -> None:
    """Release what the run holds."""
    scope = _scopes.pop(run, None)
    if scope is not None:
        await scope.gateway.close()
