"""Gates: a durable question. The answer is an event; every worker's follower passes it on to the waiting workflow."""

from __future__ import annotations

import asyncio

from dbos import DBOS

from studio.domain.errors import GateWaiting
from studio.domain.events import GateAnswered, GateOpened
from studio.domain.ids import GateId, RunId
from studio.domain.runs import Gate, OnGate
from studio.pipeline.services import current
from studio.pipeline.steps import RunSpec, step

__all__ = ["CANCELLED", "ask_person", "deliver_answer", "waits"]

_WAIT_SECONDS = 30 * 24 * 3600.0
CANCELLED = "\x00cancelled"
"""What a waiting gate is sent when its run is cancelled."""


def waits(spec: RunSpec) -> bool:
    """Return whether the run waits for people: it was told to, or a person took it up again after it had stopped."""
    return spec.options.on_gate is OnGate.WAIT or (spec.options.on_gate is OnGate.FAIL and spec.incarnation > 1)


async def ask_person(spec: RunSpec, gate: Gate, address: str) -> str:
    """Open a gate in a workflow body and return the answer, by the run's policy.

    What an earlier incarnation of the run was answered holds; a gate's id is therefore the same in all of them.

    Raises:
        Stopped: the policy is `fail`, the run was cancelled, or nobody answered for thirty days.

    """
    answer = await step(spec, f"{address}/ask", _open, spec, gate, address)
    if answer:
        return answer
    received = await DBOS.recv_async(topic=gate.id, timeout_seconds=_WAIT_SECONDS)
    return await step(spec, f"{address}/answer", _accept, spec, gate, received)


async def _open(spec: RunSpec, gate: Gate, address: str) -> str:
    services = current()
    at = spec.at(f"{address}/ask")
    answers = await asyncio.to_thread(services.journal.read, 0, 100_000, spec.run, ("gate.answered",))
    for record in answers:
        if isinstance(record.event, GateAnswered) and record.event.gate == gate.id:
            return record.event.answer
    await services.log(spec.run, at, GateOpened(gate))
    policy = spec.options.on_gate
    if policy is OnGate.DEFAULT and gate.default:
        await services.log(spec.run, at, GateAnswered(gate.id, gate.default, "policy"), n=1)
        return gate.default
    if not waits(spec):
        raise GateWaiting(
            f"A person has to decide: {gate.text}",
            f"`studio resume {spec.run}` asks again and waits; `studio answer {spec.run} {gate.id} ANSWER` answers.",
        )
    return ""


async def _accept(spec: RunSpec, gate: Gate, received: str | None) -> str:
    if received is None or received == CANCELLED:
        raise GateWaiting(f"Nobody answered: {gate.text}", f"Take the run up again with `studio resume {spec.run}`.")
    return received


async def deliver_answer(workflow: str, run: RunId, gate: GateId, answer: str) -> None:
    """Send an answer to the workflow that waits; repeating it changes nothing."""
    await DBOS.send_async(workflow, answer, topic=gate, idempotency_key=f"{run}/{gate}/{workflow}")
