"""The gateway to paid and local models, through LiteLLM."""

from __future__ import annotations

from collections.abc import Mapping

from studio.domain.config import ModelConfig
from studio.domain.ids import content_digest
from studio.domain.models import ModelReply, ModelRequest
from studio.models import sdk
from studio.models.attempts import Attempts, Pacing
from studio.models.desk import Desk
from studio.models.target import Target, make_target
from studio.models.wire import request_digest
from studio.ports.journal import Ledger, Reserved
from studio.ports.models import CallContext

__all__ = ["LiteLLMGateway"]

TIERS = ("t0", "t1", "t2", "t3")


class LiteLLMGateway:
    """One or more models, asked in order."""

    def __init__(
        self,
        model: str,
        config: ModelConfig,
        desk: Desk,
        ledger: Ledger,
        environ: Mapping[str, str],
        *,
        api_base: str = "",
        tool_callers: frozenset[str] = frozenset(),
        pacing: Pacing | None = None,
    ) -> None:
        """Resolve the tiers' models. Imports LiteLLM, which takes seconds unless `warm` was called.

        `tool_callers` are models known to call tools although the cost map does not say so.
        """
        self._config = config
        self._desk = desk
        self._environ = environ
        self._api_base = api_base
        self._tool_callers = tool_callers
        self._attempts = Attempts(
            ledger, desk.redactor, config.timeout_seconds, config.attempts, pacing if pacing is not None else Pacing()
        )
        self._run_target = self._target(model)
        self._tiers = {tier: self._targets(config.tiers.get(tier, (model,))) for tier in {*TIERS, *config.tiers}}
        self._tools = {target.model: self._takes_tools(target) for chain in self._tiers.values() for target in chain}

    def _target(self, name: str) -> Target:
        return make_target(name, self._environ, self._api_base, self._config.api_base)

    def _targets(self, names: tuple[str, ...]) -> tuple[Target, ...]:
        return tuple(dict.fromkeys(self._target(name) for name in (*names, *self._config.fallbacks)))

    def _takes_tools(self, target: Target) -> bool:
        named_text = {target.model, target.model.partition("/")[2]} & set(self._config.text_only)
        return not named_text and (target.model in self._tool_callers or sdk.known_tool_caller(target.model))

    @property
    def name(self) -> str:
        """What people see."""
        return self._run_target.label

    @property
    def identity(self) -> str:
        """Models and settings that shape replies."""
        chains = ";".join(f"{tier}={_labels(self._tiers[tier])}" for tier in sorted(self._tiers))
        return content_digest(chains, *sorted(self._config.text_only))[:16] + f":{self.name}"

    def calls_tools(self, tier: str) -> bool:
        """Whether the first model of the tier takes tools."""
        return self._tools[self._chain(tier)[0].model]

    def _chain(self, tier: str) -> tuple[Target, ...]:
        return self._tiers.get(tier) or self._tiers["t1"]

    async def complete(self, request: ModelRequest, context: CallContext) -> ModelReply:
        """Return the reply to `request`: committed, cached, or newly asked for."""
        recorded = await self._desk.recorded(context)
        if recorded is not None:
            return _spoken(recorded, context)
        request, _ = self._desk.redactor.request(request)
        targets = self._targets((request.model,)) if request.model else self._chain(request.tier)
        digest = request_digest(request, _labels(targets))
        if self._config.cache and request.temperature == 0:
            cached = await self._desk.cached(request, digest, context)
            if cached is not None:
                return _spoken(cached, context)

        async def opened(target: Target, reserved: Reserved) -> None:
            await self._desk.begin(request, digest, context, target.label, reserved)

        reply = await self._attempts.ask(request, targets, context, opened)
        return await self._desk.commit(reply, digest, context)

    async def close(self) -> None:
        """Close this event loop's connections."""
        await sdk.close_clients()


def _labels(targets: tuple[Target, ...]) -> str:
    return "|".join(target.label for target in targets)


def _spoken(reply: ModelReply, context: CallContext) -> ModelReply:
    if context.on_delta is not None and reply.message.content:
        context.on_delta(reply.message.content)
    return reply
