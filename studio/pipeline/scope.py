"""What a run holds open in this process: its brief as parsed, and its gateway. Rebuilt at will, never recorded."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from studio.domain.brief import Brief, parse_brief
from studio.domain.ids import RunId
from studio.pipeline.services import current
from studio.pipeline.steps import RunSpec
from studio.ports.models import ModelGateway

__all__ = ["Scope", "brief_of", "close_scope", "scope_of"]


@dataclass(frozen=True, slots=True)
class Scope:
    """A run's brief and gateway."""

    brief: Brief
    gateway: ModelGateway


_briefs: dict[RunId, Brief] = {}
_scopes: dict[RunId, Scope] = {}
_opening = asyncio.Lock()


async def brief_of(spec: RunSpec) -> Brief:
    """Return the parsed brief. Bodies may await this: its text is content-addressed.

    It needs no gateway: what only reads the brief does not wait for a model's SDK after a restart.

    Raises:
        BriefError: it does not parse.

    """
    if spec.run not in _briefs:
        text = (await current().load(spec.text)).decode()
        _briefs[spec.run] = await asyncio.to_thread(parse_brief, spec.brief, text)
    return _briefs[spec.run]


async def scope_of(spec: RunSpec) -> Scope:
    """Return the run's scope, opening it on first use.

    Raises:
        ModelUnavailable: the model spec resolves to nothing that answers.
        UsageError: the model spec is not one.
        BriefError: the brief does not parse.

    """
    async with _opening:
        if spec.run not in _scopes:
            brief = await brief_of(spec)
            _scopes[spec.run] = Scope(brief, await current().open_gateway(spec.options, brief))
        return _scopes[spec.run]


async def close_scope(run: RunId) -> None:
    """Release what the run holds."""
    _briefs.pop(run, None)
    scope = _scopes.pop(run, None)
    if scope is not None:
        await scope.gateway.close()
