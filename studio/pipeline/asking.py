"""The durable model call: one step, whose events are the call's intent, its failed attempts and its reply."""

from __future__ import annotations

import asyncio
import math
import uuid
from collections.abc import Callable
from typing import cast

from studio.domain.errors import BudgetSpent
from studio.domain.events import Draft, Event, GateAnswered, GateOpened, ModelCalled, ModelFailed
from studio.domain.ids import ArtifactId, GateId, RunId, content_digest, short_digest
from studio.domain.models import ModelReply, ModelRequest
from studio.domain.runs import Budget, Gate
from studio.domain.value import Value, decode, encode
from studio.pipeline.gates import ask_person, waits
from studio.pipeline.output import OutputStream
from studio.pipeline.scope import scope_of
from studio.pipeline.serial import register
from studio.pipeline.services import Services, current
from studio.pipeline.steps import RunSpec, Stopped, step, timed_step

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

    def __init__(self, services: Services, run: RunId, call: str, address: str, budget: Budget) -> None:
        self.run: RunId = run
        self.call = call
        self.budget = budget
        self.on_delta: Callable[[str], None] | None = self._delta
        self.output = OutputStream(services, run, f"call:{call}")
        self._services = services
        self._step = address
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


async def _ask(spec: RunSpec, request: ModelRequest) -> Asked:
    services = current()
    scope = await scope_of(spec)
    call = short_digest("c", spec.run, str(request.address), content_digest(encode(request)), length=8)
    address = await asyncio.to_thread(_address, spec, request, call)
    context = CallStep(services, spec.run, call, address, await asyncio.to_thread(_allowed, spec))
    try:
        reply = await scope.gateway.complete(request, context)
    finally:
        await context.output.finish()
    return Asked(await services.keep(encode(reply)), context.call, reply.cost_usd, reply.model)


def _address(spec: RunSpec, request: ModelRequest, call: str) -> str:
    """Return the step that carries a call's events: where an earlier incarnation asked the same, its step.

    So a reply that was committed before is told where it was told, and is counted once.
    """
    if spec.incarnation > 1:
        for record in current().journal.read(0, 1_000_000, spec.run, ("model.called",)):
            if isinstance(record.event, ModelCalled) and record.event.call == call and not record.event.repeated:
                return record.step
    return spec.at(str(request.address))


def _allowed(spec: RunSpec) -> Budget:
    """Return the run's budget as people have raised it so far."""
    budget = spec.options.budget
    opened: set[GateId] = set()
    for record in current().journal.read(0, 100_000, spec.run, ("gate.opened", "gate.answered")):
        match record.event:
            case GateOpened(gate) if gate.kind == "budget":
                opened.add(gate.id)
            case GateAnswered(gate, answer) if gate in opened:
                usd = _amount(answer)
                if usd > budget.usd:
                    budget = Budget(usd, budget.tokens * 2, budget.seconds)
            case _:
                pass
    return budget


def _amount(answer: str) -> float:
    try:
        amount = float(answer)
    except ValueError:
        return 0.0
    return amount if math.isfinite(amount) else 0.0


async def ask(spec: RunSpec, request: ModelRequest) -> tuple[Asked, ModelReply]:
    """Ask in a workflow body; where the budget is spent and the run may wait, a person is asked to raise it.

    Raises:
        Stopped: no model answered, the budget is spent, or the run was cancelled.

    """
    name = f"{request.address}"
    raises = 0
    while True:
        try:
            asked = await timed_step(spec, name, _ask, spec, request)
            break
        except Stopped as stopped:
            if stopped.problem.code != BudgetSpent.__name__ or not waits(spec):
                raise
            await _raise_budget(spec, f"{name}/budget-{raises}", stopped.problem.what)
            raises += 1
    # Content-addressed, so reading it in the body is the same on every replay.
    return asked, decode(await current().load(asked.reply), ModelReply)


async def _raise_budget(spec: RunSpec, address: str, why: str) -> None:
    """Ask a person to raise the budget.

    Raises:
        Stopped: nobody did.

    """
    budget = await step(spec, f"{address}/now", _now, spec)
    gate = Gate(
        GateId(short_digest("g", address, str(budget.usd), length=6)),
        "budget",
        f"{why} Raise the budget of US$ {budget.usd:.2f} to how much?",
        default="",
        options=(f"{max(budget.usd * 2, 1.0):.2f}", "stop"),
    )
    if _amount(await ask_person(spec, gate, address)) <= budget.usd:
        raise Stopped(BudgetSpent(why, "Run it again with a larger --budget.").problem)


async def _now(spec: RunSpec) -> Budget:
    return await asyncio.to_thread(_allowed, spec)


register(Asked, Budget)
