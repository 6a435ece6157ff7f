"""The durable model call: one step, whose events are the call's intent, its failed attempts and its reply."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import cast

from studio.domain.errors import BudgetSpent
from studio.domain.events import Draft, Event, ModelCalled, ModelFailed
from studio.domain.ids import ArtifactId, GateId, RunId, short_digest
from studio.domain.models import ModelReply, ModelRequest
from studio.domain.runs import Budget, Gate, OnGate
from studio.domain.value import Value, decode, encode
from studio.pipeline.gates import ask_person
from studio.pipeline.output import OutputStream
from studio.pipeline.scope import scope_of
from studio.pipeline.serial import register
from studio.pipeline.services import Services, current
from studio.pipeline.steps import RunSpec, Stopped, step

__all__ = ["Asked", "ask"]

_RESTARTED = "\n[the stream was cut; asking again]\n"


class Asked(Value, frozen=True):
    """A model step's outcome: the reply as an artifact."""

    reply: ArtifactId
    call: str
    cost_usd: float
    model: str


class CallStep:
    """The gateway's context of one call: events in order, deltas to whoever watches."""

    def __init__(self, services: Services, spec: RunSpec, request: ModelRequest, budget: Budget) -> None:
        self.run: RunId = spec.run
        self.call = short_digest("c", spec.run, str(spec.incarnation), str(request.address), length=8)
        self.budget = budget
        self.on_delta: Callable[[str], None] | None = self._delta
        self.output = OutputStream(services, spec.run, f"call:{self.call}")
        self._services = services
        self._step = spec.at(str(request.address))
        self._execution = uuid.uuid4().hex[:12]
        self._failures = 0

    def _delta(self, text: str) -> None:
        self.output.write(text.replace("\x00", _RESTARTED).encode())

    def emit(self, *events: object) -> None:
        """Append model events. What a repeat of the step sends anew is new; its intent and reply are not."""
        drafts: list[Draft] = []
        for event in cast("tuple[Event, ...]", events):
            step_name, number = self._step, 1
            if isinstance(event, ModelFailed):
                step_name, number = f"{self._step}/failed/{self._execution}", self._failures
                self._failures += 1
            elif isinstance(event, ModelCalled):
                number = 0
                step_name += f"/again/{self._execution}" if event.repeated else ""
            drafts.append(Draft(event, self.run, step_name, number, self._services.worker))
        records = self._services.journal.append(drafts)
        if records:
            self._services.relay.advanced(records[-1].seq)


async def _ask(spec: RunSpec, request: ModelRequest, budget: Budget) -> Asked:
    services = current()
    scope = await scope_of(spec)
    context = CallStep(services, spec, request, budget)
    try:
        reply = await scope.gateway.complete(request, context)
    finally:
        await context.output.finish()
    return Asked(await services.keep(encode(reply)), context.call, reply.cost_usd, reply.model)


async def ask(spec: RunSpec, request: ModelRequest) -> tuple[Asked, ModelReply]:
    """Ask in a workflow body; where the budget is spent and the run may wait, a person is asked to raise it.

    Raises:
        Stopped: no model answered, the budget is spent, or the run was cancelled.

    """
    budget = spec.options.budget
    while True:
        name = f"{request.address}"
        try:
            asked = await step(spec, name, _ask, spec, request, budget)
            break
        except Stopped as stopped:
            if stopped.problem.code != BudgetSpent.__name__ or spec.options.on_gate is not OnGate.WAIT:
                raise
            budget = await _raised(spec, budget, name, stopped.problem.what)
    # Content-addressed, so reading it in the body is the same on every replay.
    return asked, decode(await current().load(asked.reply), ModelReply)


async def _raised(spec: RunSpec, budget: Budget, address: str, why: str) -> Budget:
    proposal = max(budget.usd * 2, 1.0)
    gate = Gate(
        GateId(short_digest("g", address, str(budget.usd), length=6)),
        "budget",
        f"{why} Raise the budget of US$ {budget.usd:.2f} to how much?",
        default="",
        options=(f"{proposal:.2f}", "stop"),
    )
    answer = await ask_person(spec, gate, f"{address}/budget-{budget.usd:.4f}")
    try:
        raised = float(answer)
    except ValueError:
        raised = 0.0
    if raised <= budget.usd:
        raise Stopped(BudgetSpent(why, "Run it again with a larger --budget.").problem)
    return Budget(raised, budget.tokens * 2, budget.seconds)


register(Asked)
