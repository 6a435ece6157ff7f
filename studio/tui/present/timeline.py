"""The timeline's rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from studio.tui.present.text import duration, model_name, money, tokens
from widgets.ansi import clean
from widgets.timeline_view import TimelineRow

if TYPE_CHECKING:
    from studio.domain.state import Row, RunState

__all__ = ["run_label", "stage_of", "timeline_rows"]

TAIL_LINES = 3


def timeline_rows(run: RunState, tails: Mapping[str, bytes | bytearray], now: float) -> list[TimelineRow]:
    """Return the run's rows, each running one that streams followed by the end of its stream."""
    rows: list[TimelineRow] = []
    broken = {row.parent for row in run.rows if row.status == "failed"}
    for row in run.rows:
        status = "failed" if row.kind == "stage" and row.status == "skipped" and row.key in broken else row.status
        rows.append(_row(row, status, now, run.model))
        if row.stream and row.status == "running" and row.stream in tails:
            rows.extend(_tail(row, tails[row.stream]))
    return rows


def _row(row: Row, status: str, now: float, spec: str) -> TimelineRow:
    end = row.finished or (now if row.status == "running" else row.started)
    title, detail = row.title, row.detail
    if row.kind == "call":
        title, _, model = row.title.partition(" asks ")
        detail = " · ".join(part for part in (row.detail, model.removeprefix(spec).strip() if spec else model) if part)
    return TimelineRow(
        key=row.key,
        parent=row.parent,
        kind=row.kind,
        status=status,
        title=clean(title, 240) or row.kind,
        detail=clean(detail, 240),
        duration=duration(end - row.started) if row.started else "",
        tokens=tokens(row.tokens),
        cost=money(row.cost_usd),
        open=row.kind not in {"stage", "task"} or status not in {"done", "reused"},
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
    facts = [str(run.status).replace("_", " "), model_name(run.model or run.options.model), money(run.spend.cost_usd)]
    if run.hunks:
        facts.append(f"+{run.added} -{run.removed}")
    facts.append(run.id)
    return title, " · ".join(fact for fact in facts if fact)
