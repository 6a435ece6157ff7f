"""Verdicts: what was run on which tree, how it ended, and what it found."""

from __future__ import annotations

from enum import StrEnum

from studio.domain.ids import ArtifactId, HunkId
from studio.domain.value import Value

__all__ = ["CheckResult", "Finding", "Level", "Outcome", "SubsetVerdict", "TestCase", "worst"]


class Outcome(StrEnum):
    """How a check ended. `not-run` always comes with a reason."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_RUN = "not-run"


class Level(StrEnum):
    """SARIF's levels."""

    NOTE = "note"
    WARNING = "warning"
    ERROR = "error"


class Finding(Value, frozen=True):
    """One finding, in SARIF 2.1.0's terms. Lines and columns are 1-based; 0 when not known."""

    check: str
    rule: str
    level: Level
    message: str
    path: str = ""
    start_line: int = 0
    end_line: int = 0
    start_column: int = 0


class TestCase(Value, frozen=True):
    """One test. `outcome` is that of the test runner; `output` is its failure text, bounded."""

    __test__ = False

    id: str
    outcome: Outcome
    duration_ms: int = 0
    output: str = ""
    covers: tuple[tuple[str, tuple[int, ...]], ...] = ()
    """Lines it executed: (path, sorted 1-based lines), only of paths the change set touches."""


class CheckResult(Value, frozen=True):
    """The verdict of one check on one tree."""

    check: str
    outcome: Outcome
    tree: str
    """Git tree id the verdict is bound to."""
    sandbox: str = ""
    """Sandbox level it ran in, for instance `bubblewrap` or `docker`; empty when it did not run."""
    reason: str = ""
    """Why it did not run."""
    command: tuple[str, ...] = ()
    exit_code: int | None = None
    duration_ms: int = 0
    findings: tuple[Finding, ...] = ()
    tests: tuple[TestCase, ...] = ()
    coverage: float | None = None
    """Share of executable changed lines that tests executed, 0…1."""
    output: ArtifactId = ArtifactId("")
    """What it printed, bounded."""
    summary: str = ""
    """One line for people: `14 passed`, `3 findings`."""


class SubsetVerdict(Value, frozen=True):
    """The checks on exactly what would land."""

    tree: str
    results: tuple[CheckResult, ...]
    accepted: tuple[HunkId, ...] = ()
    needs: tuple[HunkId, ...] = ()
    """Rejected or undecided hunks without which it fails, where the bounded search found them."""
    tier: str = "fast"
    """`fast` (syntax, lint) or `tests` (everything)."""
    decisions: str = ""
    """Digest of the decisions it was built from; another digest now means stale."""
    problem: str = ""
    """Why no tree could be built, if none could."""


def worst(results: tuple[CheckResult, ...]) -> Outcome:
    """Return failed if any failed, else not-run if none passed, else passed."""
    outcomes = {result.outcome for result in results}
    if Outcome.FAILED in outcomes:
        return Outcome.FAILED
    return Outcome.PASSED if Outcome.PASSED in outcomes else Outcome.NOT_RUN
