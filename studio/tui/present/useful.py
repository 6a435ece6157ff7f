"""Which keys do something now: the footer shows no others."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from studio.domain.state import RunState

__all__ = ["is_useful"]

_REVIEWING = {
    *("review.accept", "review.reject", "review.lines", "review.accept_file", "review.reject_file"),
    *("review.edit", "review.comment", "review.revise"),
}


def is_useful(id_: str, run: RunState | None) -> bool:
    """Tell whether the binding of that id does something for the run in view."""
    if run is None:
        return not id_.startswith(("timeline.", "review.", "checks.")) and id_ not in {"screen.cancel", "screen.runs"}
    final = run.status.final
    if id_ in _REVIEWING:
        return bool(run.changeset)
    if id_ in {"review.land", "review.check"}:
        return any(at.decision.verdict in {"accepted", "edited"} for at in run.decisions.values())
    conditions = {
        "screen.cancel": not final,
        "timeline.tell": not final,
        "timeline.answer": bool(run.gates),
        "timeline.resume": run.status in {"failed", "cancelled", "needs_attention"},
        "review.undo": bool(run.landings),
        "checks.waive": any(result.outcome == "failed" for result in run.checks.values()),
    }
    return conditions.get(id_, True)
