"""Structured questions to a model, driven a durable step at a time: requirements, a plan, remarks."""

from __future__ import annotations

from studio.agents.actions import GiveUp
from studio.agents.structured import Answered, StructuredTask
from studio.domain.errors import ModelUnavailable
from studio.pipeline.asking import ask
from studio.pipeline.steps import RunSpec, Stopped

__all__ = ["Answer", "answer_to", "optional_answer_to"]

Answer = Answered


async def optional_answer_to(spec: RunSpec, question: StructuredTask) -> Answered | GiveUp:
    """Ask in a workflow body until the question is answered or given up.

    Raises:
        Stopped: no model answered, the budget is spent, or the run was cancelled.

    """
    while question.outcome is None:
        _, reply = await ask(spec, question.next_request())
        question = question.feed(reply)
    return question.outcome


async def answer_to(spec: RunSpec, question: StructuredTask) -> Answered:
    """Ask, where the run cannot go on without an answer.

    Raises:
        Stopped: as `optional_answer_to`, or the model's answers cannot be used.

    """
    outcome = await optional_answer_to(spec, question)
    if isinstance(outcome, GiveUp):
        what = f"The model's answer could not be used: {outcome.reason}."
        raise Stopped(ModelUnavailable(what, "Try another model, or --depth quick.").problem)
    return outcome
