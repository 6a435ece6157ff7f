"""What the fold's handlers share: their tables, and how timeline rows are put, ended and nested."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from studio.domain import events as ev
from studio.domain.state import Row, RowKind, RowStatus, RunState

__all__ = ["Handlers", "end_row", "parent_row", "put_note", "put_row", "step_parent"]

E = TypeVar("E")
S = TypeVar("S")


class Handlers(Generic[S]):
    """Functions by event class; each changes a piece of state `S` by one event."""

    def __init__(self) -> None:
        self.table: dict[type, Callable[[S, Any, ev.Record], None]] = {}

    def __call__(self, kind: type[E]) -> Callable[[Callable[[S, E, ev.Record], None]], None]:
        """Return a decorator that makes a function the handler of `kind`."""

        def register(handler: Callable[[S, E, ev.Record], None]) -> None:
            self.table[kind] = handler

        return register


def put_row(run: RunState, row: Row) -> None:
    """Add a row, or replace the one with its key while keeping where and when that one began."""
    at = run.row_index.get(row.key)
    if at is None:
        run.row_index[row.key] = len(run.rows)
        run.rows.append(row)
    else:
        row.seq, row.started = run.rows[at].seq, run.rows[at].started
        run.rows[at] = row


def end_row(run: RunState, key: str, status: RowStatus, record: ev.Record, detail: str = "") -> Row | None:
    """End the row with `key` at the record's time; return it, or None where there is no such row."""
    at = run.row_index.get(key)
    if at is None:
        return None
    row = run.rows[at]
    row.status, row.finished = status, record.at
    row.detail = detail or row.detail
    return row


def parent_row(run: RunState, stage: str, task: str, attempt: int) -> str:
    """Return the key of the row that work on a task belongs under: the task's where it has one, else the stage's."""
    key = f"task:{stage}/{task}/{attempt}"
    return key if task and key in run.row_index else f"stage:{stage}"


def step_parent(run: RunState, step: str) -> str:
    """Return the key of the row a step's events belong under: its task's, else its stage's."""
    parts = step.split("/")
    stage = parts[0]
    task = parts[1] if len(parts) > 1 else ""
    attempt = int(parts[2]) if len(parts) > 2 and parts[2].isdigit() else 1  # noqa: PLR2004
    return parent_row(run, stage, task, attempt)


def put_note(run: RunState, record: ev.Record, title: str, detail: str = "", parent: str = "") -> None:
    """Add a row that is over as soon as it is there: a remark in the timeline."""
    put_row(
        run,
        Row(
            f"note:{record.seq}", RowKind.NOTE, title, RowStatus.DONE, parent, detail, record.at, record.at,
            actor=record.actor, seq=record.seq,
        ),
    )  # fmt: skip
