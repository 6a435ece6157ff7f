"""What a run understood and what it means to do: requirements, questions, tasks."""

from __future__ import annotations

from studio.domain.ids import TaskId
from studio.domain.value import Value

__all__ = ["Plan", "Question", "Requirement", "Task"]


class Requirement(Value, frozen=True):
    """One thing the brief asks for, tied to the sentences that ask for it."""

    id: str
    """`R1`, `R2`, …"""
    text: str
    criteria: tuple[str, ...] = ()
    """Acceptance criteria, each checkable."""
    sentences: tuple[str, ...] = ()
    """Ids of the brief's sentences."""


class Question(Value, frozen=True):
    """An open question about the brief, with the answer assumed when nobody gives one."""

    id: str
    """`Q1`, `Q2`, …"""
    text: str
    default: str = ""
    options: tuple[str, ...] = ()


class Task(Value, frozen=True):
    """A unit of building: one agent in one worktree."""

    id: TaskId
    title: str
    goal: str
    files: tuple[str, ...] = ()
    """Paths it expects to touch."""
    needs: tuple[TaskId, ...] = ()
    """Tasks whose result it builds on."""
    requirements: tuple[str, ...] = ()
    role: str = "builder"
    tier: str = "t1"
    patterns: tuple[str, ...] = ()
    """Reasoning patterns to apply."""


class Plan(Value, frozen=True):
    """The task graph; `needs` never points forward, so plan order is a topological order."""

    tasks: tuple[Task, ...]
    rationale: str = ""
    forecast_usd: float = 0.0
