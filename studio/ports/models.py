"""Asking a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from studio.domain.ids import RunId
from studio.domain.models import ModelReply, ModelRequest
from studio.domain.runs import Budget

__all__ = ["CallContext", "ModelGateway", "OnDelta"]

OnDelta = Callable[[str], None]
"""Called on the event loop with text as it streams in; a restart of a cut stream calls it with '\\x00' first."""


class CallContext(Protocol):
    """What the gateway needs to know of the step it is called in, and where it reports."""

    run: RunId
    call: str
    """Id of this call, derived from the run and the request's address: the same on a repeat."""
    budget: Budget
    on_delta: OnDelta | None

    def emit(self, *events: object) -> None:
        """Append model events (`model.called`, `model.failed`, `model.replied`) of this step, in order.

        Called from a thread, never twice at once for one context. A call that is asked again after a crash emits
        `model.called` anew (`repeated`), and one whose reply was committed emits `model.replied` alone: so only
        `model.replied` is to be kept from being appended twice, by a step and number of its own.
        """
        ...


class ModelGateway(Protocol):
    """One model spec, resolved."""

    @property
    def name(self) -> str:
        """What people see: the resolved model, or `replay:FILE`, `manual:DIR`."""
        ...

    @property
    def identity(self) -> str:
        """What enters reuse keys: models and settings that shape replies."""
        ...

    def calls_tools(self, tier: str) -> bool:
        """Whether the first model of the tier takes tools; else agents speak the text protocol."""
        ...

    async def complete(self, request: ModelRequest, context: CallContext) -> ModelReply:
        """Return the reply to `request`: committed, cached, or newly asked for.

        Raises:
            BudgetSpent: the next attempt might cost more than what is left.
            ModelUnavailable: no attempt with any model of the tier succeeded.
            GateWaiting: a replay holds no reply for this address.

        """
        ...

    async def close(self) -> None:
        """Release connections."""
        ...
