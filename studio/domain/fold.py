"""The fold: records in, state out. Deterministic, without clock, I/O or randomness; host and clients share it.

One event costs constant time, amortised: rows are found by key, and only the end of a run walks that run's rows.
"""

from __future__ import annotations

from collections.abc import Iterable

from studio.domain import events as ev
from studio.domain import fold_run, fold_shared, fold_work
from studio.domain.state import StudioState

__all__ = ["apply", "fold"]

_on_run = fold_run.on_run.table | fold_work.on_run.table | fold_shared.on_run.table
_on_studio = fold_run.on_studio.table | fold_shared.on_studio.table


def apply(state: StudioState, record: ev.Record) -> StudioState:
    """Fold one record into `state`, which is changed and returned. A record already folded in changes nothing."""
    if record.seq <= state.seq:
        return state
    state.seq, state.at = record.seq, record.at
    kind = type(record.event)
    if kind is ev.UnknownEvent:
        state.unknown += 1
    elif kind in _on_studio:
        _on_studio[kind](state, record.event, record)
    elif kind in _on_run and record.run in state.runs:
        _on_run[kind](state.runs[record.run], record.event, record)
    return state


def fold(records: Iterable[ev.Record], state: StudioState | None = None) -> StudioState:
    """Fold records, in order, into `state` (a new one if None)."""
    result = StudioState() if state is None else state
    for record in records:
        apply(result, record)
    return result
