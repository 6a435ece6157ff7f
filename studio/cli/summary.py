"""A run in one line of JSON: the last line of `studio run --json`, and the items of `studio runs --json`."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias, cast

from msgspec import Meta, structs

from studio.domain.checks import Outcome
from studio.domain.runs import RunStatus
from studio.domain.state import RunState
from studio.domain.value import Value

__all__ = ["FinishedRun", "ListedRun", "finished_line", "listed_run"]

FinalStatus: TypeAlias = Literal["ready", "checks_failed", "failed", "cancelled", "needs_attention"]


class RunLine(Value, frozen=True):
    """What both have; every field is always written."""

    run: Annotated[str, Meta(description="The run's id.")]
    brief: Annotated[str, Meta(description="The brief's name.")]
    model: Annotated[str, Meta(description="The model in force; a replay says replay:FILE.")]
    changeset: Annotated[str | None, Meta(description="The change set's artifact, or null if none was proposed.")]
    files: Annotated[int, Meta(ge=0, description="Files the change set touches.")]
    hunks: Annotated[int, Meta(ge=0, description="Hunks of the change set.")]
    cost_usd: Annotated[float, Meta(ge=0, description="US dollars paid for the run's model calls.")]
    tokens: Annotated[int, Meta(ge=0, description="Tokens in and out.")]
    saved_usd: Annotated[float, Meta(ge=0, description="What the reused stages had cost.")]
    checks: Annotated[dict[str, Outcome], Meta(description="The latest verdict by check; not-run is never a pass.")]
    confidence: Annotated[
        float | None, Meta(description="Probability, 0 to 1, that a person accepts the change set; null if not told.")
    ]
    summary: Annotated[str, Meta(description="One line for people.")]
    exit_code: Annotated[int, Meta(ge=0, description="What `studio run` exits with.")]


class FinishedRun(RunLine, frozen=True, tag_field="kind", tag="run.finished"):
    """The last line of `studio run --json`."""

    status: Annotated[FinalStatus, Meta(description="How the run ended.")]


class ListedRun(RunLine, frozen=True, tag_field="kind", tag="run"):
    """An item of `studio runs --json`."""

    status: Annotated[RunStatus, Meta(description="How the run stands.")]


def finished_line(state: RunState) -> FinishedRun:
    """Return the line of a run that has ended."""
    return FinishedRun(**structs.asdict(_line(state)), status=cast("FinalStatus", state.status.value))


def listed_run(state: RunState) -> ListedRun:
    """Return the line of a run however it stands."""
    return ListedRun(**structs.asdict(_line(state)), status=state.status)


def _line(state: RunState) -> RunLine:
    return RunLine(
        run=state.id,
        brief=state.brief,
        model=state.model or state.options.model,
        changeset=state.changeset or None,
        files=state.files,
        hunks=state.hunks,
        cost_usd=round(state.spend.cost_usd, 6),
        tokens=state.spend.tokens,
        saved_usd=round(state.spend.saved_usd, 6),
        checks={name: result.outcome for name, result in state.checks.items()},
        confidence=state.confidence.value if state.confidence else None,
        summary=state.summary,
        exit_code=state.exit_code,
    )
