"""Attempts: one HTTP request each, reserved before it is sent and settled after it, retried and passed on in order."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

import msgspec

from studio.domain.errors import ModelUnavailable
from studio.domain.events import ModelFailed
from studio.domain.models import ModelReply, ModelRequest, Usage
from studio.domain.value import Value
from studio.models import sdk
from studio.models.failures import EmptyReply, Failure, StreamCut, failure_of
from studio.models.redaction import Redactor
from studio.models.target import Target, key_names
from studio.models.wire import Assembly, spoken
from studio.ports.journal import Ledger, Reserved
from studio.ports.models import CallContext

__all__ = ["Attempts", "Pacing"]

_LEASE_SECONDS = 1200.0
"""How long a reservation stands if its process dies; no attempt is let run longer."""
_UNBOUNDED = 2**53
"""Money bounds models that cost some, tokens the others; tokens are counted for both."""
_MARGIN = {"openai": 1.1}
_FOREIGN_MARGIN = 1.5
"""A tokenizer that is not the model's own counts up to 1.4 times too few tokens (measured on JSON)."""


class Pacing(Value, frozen=True):
    """How long is waited between attempts: exponential backoff with full jitter."""

    first_seconds: float = 0.5
    longest_seconds: float = 30.0
    patience_seconds: float = 120.0
    """A provider that asks for a longer pause is passed over for the next model."""

    def wait(self, attempt: int, failure: Failure) -> float:
        """Return the seconds until the attempt after `attempt` (1-based)."""
        bound = min(self.longest_seconds, self.first_seconds * 2 ** (attempt - 1))
        backoff = random.uniform(bound / 2, bound)  # noqa: S311 - jitter
        return backoff if failure.after is None else failure.after + random.uniform(0, bound / 4)  # noqa: S311 - jitter


class Estimate(Value, frozen=True):
    """The most an attempt may cost."""

    prompt: int
    """Tokens, with a margin."""
    completion: int
    usd: float
    priced: bool


@dataclass(slots=True)
class _Call:
    """One call under way."""

    request: ModelRequest
    context: CallContext
    opened: Callable[[Target, Reserved], Awaitable[None]]
    sent: int = 0
    failures: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True)
class Attempts:
    """Asks models in order until one answers."""

    ledger: Ledger
    redactor: Redactor
    timeout_seconds: float
    per_model: int
    pacing: Pacing

    async def ask(
        self,
        request: ModelRequest,
        targets: Sequence[Target],
        context: CallContext,
        opened: Callable[[Target, Reserved], Awaitable[None]],
    ) -> ModelReply:
        """Return the first reply. `opened` is awaited once, after the first reservation and before the first request.

        Raises:
            BudgetSpent: the next attempt might cost more than what is left.
            ModelUnavailable: no attempt succeeded.

        """
        call = _Call(request, context, opened)
        refused: list[tuple[Target, Failure]] = []
        for position, target in enumerate(targets):
            for attempt in range(1, max(1, self.per_model) + 1):
                outcome = await self._attempt(call, target)
                if isinstance(outcome, ModelReply):
                    return outcome
                failure, cost, spoke = outcome
                patient = failure.after is None or failure.after <= self.pacing.patience_seconds
                again = failure.retry and patient and attempt < self.per_model
                wait = self.pacing.wait(attempt, failure) if again else 0.0 if position + 1 < len(targets) else -1.0
                await self._tell(call, target, failure, wait, cost)
                if wait >= 0 and spoke and context.on_delta is not None:
                    context.on_delta("\x00")
                if not again:
                    refused.append((target, failure))
                    break
                await asyncio.sleep(wait)
        raise _unavailable(refused)

    async def _attempt(self, call: _Call, target: Target) -> ModelReply | tuple[Failure, float, bool]:
        """Send one request. Returns the reply, or (why not, US dollars it cost, whether something was said)."""
        estimate = await asyncio.to_thread(_estimate, target, call.request)
        reserved = await asyncio.to_thread(self._reserve, call, estimate)
        if not call.sent:
            try:
                await call.opened(target, reserved)
            except BaseException:
                await self._settle(reserved, 0.0, 0)
                raise
        call.sent += 1
        assembly, started = Assembly(), time.monotonic()
        try:
            await self._receive(call, target, estimate, assembly)
        except asyncio.CancelledError:
            usage = await asyncio.shield(asyncio.to_thread(_guess, target, estimate, assembly))
            cost = await self._settle_usage(reserved, target, usage)
            await asyncio.shield(self._tell(call, target, Failure("cancelled", "by the run"), -1.0, cost))
            raise
        except Exception as error:  # noqa: BLE001 - LiteLLM's exceptions have no base of their own
            failure = failure_of(error)
            billed = failure.billed or assembly.started
            usage = await asyncio.to_thread(_guess, target, estimate, assembly) if billed else Usage()
            return failure, await self._settle_usage(reserved, target, usage), assembly.started
        usage = assembly.usage or await asyncio.to_thread(_guess, target, estimate, assembly)
        cost = await self._settle_usage(reserved, target, usage)
        milliseconds = round((time.monotonic() - started) * 1000)
        return ModelReply(
            assembly.message(), target.label, usage, cost, estimate.priced,
            duration_ms=milliseconds, finish=assembly.finish, attempts=call.sent, call=call.context.call,
        )  # fmt: skip

    def _reserve(self, call: _Call, estimate: Estimate) -> Reserved:
        context, tokens = call.context, estimate.prompt + estimate.completion
        budget = msgspec.structs.replace(context.budget, tokens=_UNBOUNDED) if estimate.usd else context.budget
        return self.ledger.reserve(context.run, budget, estimate.usd, tokens, context.call, _LEASE_SECONDS)

    async def _receive(self, call: _Call, target: Target, estimate: Estimate, assembly: Assembly) -> None:
        """Stream the reply into `assembly`; the connection is closed when this returns or is cancelled."""
        on_delta = call.context.on_delta
        async with (
            asyncio.timeout(_LEASE_SECONDS - 60),
            aclosing(sdk.stream(target, call.request, estimate.completion)) as stream,
        ):
            while True:
                try:
                    async with asyncio.timeout(self.timeout_seconds):
                        delta = await anext(stream)
                except StopAsyncIteration:
                    break
                assembly.add(delta)
                if delta.text and on_delta is not None:
                    on_delta(delta.text)
        if not assembly.finish:
            raise StreamCut
        message = assembly.message()
        if not message.content.strip() and not message.calls:
            raise EmptyReply

    async def _settle(self, reserved: Reserved, usd: float, tokens: int) -> None:
        await asyncio.shield(asyncio.to_thread(self.ledger.settle, reserved, usd, tokens))

    async def _settle_usage(self, reserved: Reserved, target: Target, usage: Usage) -> float:
        cost = await asyncio.shield(asyncio.to_thread(sdk.cost_of, target.model, usage)) or 0.0
        await self._settle(reserved, cost, usage.prompt + usage.completion)
        return cost

    async def _tell(self, call: _Call, target: Target, failure: Failure, wait: float, cost: float) -> None:
        text, _ = self.redactor.redact(str(failure))
        event = ModelFailed(call.context.call, target.label, text, wait, cost)
        await asyncio.to_thread(call.context.emit, event)


def _estimate(target: Target, request: ModelRequest) -> Estimate:
    counted = sdk.count_tokens(target.model, request)
    prompt = round(counted * _MARGIN.get(target.provider, _FOREIGN_MARGIN)) + 1
    limit = sdk.max_output(target.model)
    completion = min(request.max_tokens, limit) if limit else request.max_tokens
    price = sdk.price_of(target.model)
    usd = prompt * price.prompt + completion * price.completion if price else 0.0
    return Estimate(prompt, completion, usd, price is not None)


def _guess(target: Target, estimate: Estimate, assembly: Assembly) -> Usage:
    """Return the usage of a reply whose provider did not tell it: the whole prompt, and what was said so far."""
    said = sdk.count_text(target.model, spoken(assembly.message()))
    return Usage(estimate.prompt, said, estimated=True)


def _unavailable(refused: Sequence[tuple[Target, Failure]]) -> ModelUnavailable:
    tried = "; ".join(f"{target.label}: {failure}" for target, failure in refused)
    kinds = {failure.kind for _, failure in refused}
    advice = "Try again later, or name fallbacks in the configuration."
    if kinds == {"unauthorized"}:
        names = " or ".join(key_names(refused[0][0].provider))
        advice = f"Check the key in {names}; other addresses than the provider's are sent STUDIO_API_KEY."
    elif kinds == {"quota"}:
        advice = "Add credit at the provider, or choose another model with --model."
    elif kinds <= {"request", "context"}:
        advice = "Check the model's name and context size, or choose another with --model."
    return ModelUnavailable(f"No model answered ({tried}).", advice)
