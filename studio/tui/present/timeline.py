"""The timeline's rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from studio.tui.present.text import duration, money, tokens
from widgets.ansi import clean
from widgets.timeline_view import TimelineRow

if TYPE_CHECKING:
    from studio.domain.state import Row, RunState

__all__ = ["run_label", "stage_of", "timeline_rows"]

TAIL_LINES = 3


def timeline_rows(run: RunState, tails: Mapping[str, bytes | bytearray], now: float) -> list[TimelineRow]:
    """Return the run's rows, each running one that streams followed by the end of its stream."""
    rows: list[TimelineRow] = []
    for row in run.rows:
        rows.append(_row(row, now))
        if row.stream and row.status == "running" and row.stream in tails:
            rows.extend(_tail(row, tails[row.stream]))
    return rows


def _row(row: Row, now: float) -> TimelineRow:
    end = row.finished or (now if row.status == "running" else row.started)
    return TimelineRow(
        key=row.key,
        parent=row.parent,
        kind=row.kind,
        status=row.status,
        title=clean(row.title, 240) or row.kind,
        detail=clean(row.detail, 240),
        duration=duration(end - row.started) if row.started else "",
        tokens=tokens(row.tokens),
        cost=money(row.cost_usd),
    )


def _tail(row: Row, data: bytes | bytearray) -> list[TimelineRow]:
    text = bytes(data[-1200:]).decode("utf-8", "replace")
    lines = [line for line in (clean(line, 240) for line in text.splitlines()) if line][-TAIL_LINES:]
    return [TimelineRow(f"{row.key}~{at}", row.key, "live", "live", line) for at, line in enumerate(lines)]


def stage_of(run: RunState, key: str) -> str:
    """Return the stage the row of that key belongs to, nothing if to none."""
    while key in run.row_index:
        row = run.rows[run.row_index[key]]
        if row.kind == "stage":
            return str(row.title)
        key = row.parent
    return ""


def run_label(run: RunState) -> tuple[str, str]:
    """Return a run's title and what is to say about it, for the list of runs."""
    title = clean(run.title or run.brief, 60)
    facts = [run.id, str(run.status).replace("_", " "), clean(run.options.model, 40), money(run.spend.cost_usd)]
    if run.hunks:
        facts.append(f"+{run.added} -{run.removed}")
    return title, " · ".join(fact for fact in facts if fact)
