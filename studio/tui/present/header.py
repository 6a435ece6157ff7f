"""The header: project, brief, run, model, cost, sandbox, verdict, people, connection."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Literal

from studio.tui.present.review import verdict
from studio.tui.present.text import model_name, money, plural, tokens
from widgets.ansi import clean
from widgets.bars import BarItem

if TYPE_CHECKING:
    from studio.domain.state import RunState
    from studio.tui.store import Store

__all__ = ["STATUS_TONES", "announcement", "header_items", "model_label", "trouble_said"]

STATUS_TONES = {
    "queued": ("waiting", "○ queued"),
    "running": ("running", "● running"),
    "waiting": ("waiting", "? waits for you"),
    "ready": ("done", "✓ ready"),
    "checks_failed": ("failed", "✗ checks failed"),
    "failed": ("failed", "✗ failed"),
    "cancelled": ("soft", "- cancelled"),
    "needs_attention": ("waiting", "! needs attention"),
}


def header_items(store: Store) -> list[BarItem]:
    """Return the header's items, most important with the lowest rank."""
    run = store.run
    items = [BarItem(clean(store.project, 40), "strong", 1)]
    if store.brief:
        items.append(BarItem(clean(store.brief, 40), "ink", 2, clean(store.brief, 14)))
    items += _run_items(run, store) if run is not None else [BarItem("no run yet", "soft", 3)]
    people = list(store.state.participants.values()) if store.state is not None else []
    if people:
        counted = Counter(clean(person.name, 16) for person in people)
        names = ", ".join(f"{name} ({count})" if count > 1 else name for name, count in list(counted.items())[:4])
        items.append(BarItem(names, "soft", 8, f"{len(people)} here" if len(people) > 1 else ""))
    items.append(_connection(store))
    return items


def announcement(run: RunState) -> tuple[str, Literal["information", "warning", "error"]]:
    """Return what to tell the person when the run ended or waits, and how grave it is."""
    gate = next(iter(run.gates.values()), None)
    if gate is not None and not run.status.final:
        return f"The run waits for you: {clean(gate.text, 200)} y answers in the timeline (2).", "warning"
    if run.changeset:
        done = f"{plural(run.hunks, 'hunk')} in {plural(run.files, 'file')} to review: 4 shows them."
        return (done, "information") if run.status == "ready" else (f"{_ended(run)} {done}", "warning")
    return _ended(run), "information" if run.status == "cancelled" else "error"


def trouble_said(store: Store) -> str:
    """Return what keeps the studio or the run in view from going on, with what to do; nothing if nothing does."""
    if store.connection != "live":
        return f"{store.connection}: {store.trouble}" if store.trouble else ""
    run = store.run
    workers = list(store.state.workers.values()) if store.state is not None else []
    if run is not None and not run.status.final and workers and not any(worker.alive for worker in workers):
        again = ", ".join(f"{clean(worker.id, 24)} ended with exit code {worker.exit_code}" for worker in workers)
        return f"No worker is alive, so the run waits: {again}. It is started again; worker.out in the logs tells why."
    if run is None or run.status not in {"failed", "needs_attention"} or not run.summary:
        return ""
    return f"{STATUS_TONES[run.status][1]}: {clean(run.summary, 400)}"


def _ended(run: RunState) -> str:
    return clean(run.summary, 200) or f"The run ended as {str(run.status).replace('_', ' ')}."


def _run_items(run: RunState, store: Store) -> list[BarItem]:
    tone, text = STATUS_TONES.get(run.status, ("soft", str(run.status)))
    stage = f" {run.stage}" if run.stage and run.status == "running" else ""
    ending = run.cancel_requested and not run.finished
    items = [BarItem("● cancelling" if ending else text + stage, tone, 0)]
    items.append(BarItem(model_label(run), "reused" if is_replay(run) else "ink", 6, _short_model(run)))
    items.append(BarItem(_cost(run), "ink", 4, money(run.spend.cost_usd) or "$0"))
    sandbox = run.sandbox or ("no sandbox" if run.worker else "")
    if sandbox:
        items.append(BarItem(sandbox, "soft" if run.sandbox else "failed", 7))
    said = verdict(run, store.changes)
    if said.count:
        items.append(BarItem(said.whole, said.tone, 3, said.short))
    return items


def is_replay(run: RunState) -> bool:
    """Tell whether the run's replies come from a recording."""
    return (run.model or run.options.model).startswith("replay:")


def model_label(run: RunState) -> str:
    """Return the model and the run's depth; a replay says so."""
    return model_name(run.model or run.options.model) + (f" · {run.depth}" if run.depth else "")


def _short_model(run: RunState) -> str:
    return (
        "replay"
        if is_replay(run)
        else clean(model_name(run.model or run.options.model).split(" at ")[0].rsplit("/", 1)[-1], 18)
    )


def _cost(run: RunState) -> str:
    spend, budget = run.spend, run.options.budget
    used = money(spend.cost_usd) or "$0"
    unpriced = f" + {plural(spend.unpriced_calls, 'unpriced call')}" if spend.unpriced_calls else ""
    count = f" · {tokens(spend.tokens)} tok" if spend.tokens else ""
    saved = f" · saved {money(spend.saved_usd)}" if spend.saved_usd else ""
    return f"{used}{unpriced} of ${budget.usd:g}{count}{saved}"


def _connection(store: Store) -> BarItem:
    return {
        "live": BarItem("◆ live", "done", 5, "◆"),
        "connecting": BarItem("… connecting", "soft", 1),
        "reconnecting": BarItem("↻ reconnecting", "waiting", 0),
    }.get(store.connection, BarItem("✗ offline", "failed", 0))
