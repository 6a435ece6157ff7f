"""Confidence: the probability that a person accepts a change set, from its evidence and what they decided before.

A fixed log-odds model turns evidence into a raw score. The score is then calibrated on decided change sets of the
project by histogram binning (Zadrozny and Elkan, 2001), each bin smoothed towards the model by a prior worth a few
samples, so that without history the model's own number stands, and the reader is told so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from studio.domain.changes import Remark
from studio.domain.checks import CheckResult, Outcome
from studio.domain.edits import MatchKind
from studio.domain.runs import Confidence
from studio.domain.value import Value

__all__ = ["Decided", "Evidence", "Reliability", "confidence", "evidence_of", "raw_score", "reliability"]

BINS = 5
PRIOR = 4.0
"""Samples the model's own number counts for in a bin."""

_LOOSE = frozenset({MatchKind.ANCHORS, MatchKind.SIMILARITY})


class Evidence(Value, frozen=True):
    """What is known of a change set before anybody decided."""

    passed: int = 0
    failed: tuple[str, ...] = ()
    not_run: tuple[str, ...] = ()
    tests_passed: int = 0
    coverage: float | None = None
    """Share of executable changed lines that tests executed."""
    repairs: int = 0
    loose_matches: int = 0
    """Edits placed by anchors or similarity."""
    errors: int = 0
    """Remarks of severity `error`."""
    warnings: int = 0
    open_questions: int = 0
    """Questions answered by their default."""


class Decided(Value, frozen=True):
    """A past change set: the raw score it had, and the share of its hunks that was accepted."""

    score: float
    accepted: float


class Reliability(Value, frozen=True):
    """A bin of the reliability diagram: what was said against what happened."""

    low: float
    high: float
    samples: int
    said: float
    happened: float


def evidence_of(
    results: Sequence[CheckResult],
    *,
    repairs: int = 0,
    matches: Sequence[MatchKind] = (),
    remarks: Sequence[Remark] = (),
    open_questions: int = 0,
) -> Evidence:
    """Return the evidence in what the stages produced."""
    tests = [test for result in results for test in result.tests]
    covered = [result.coverage for result in results if result.coverage is not None]
    return Evidence(
        passed=sum(result.outcome is Outcome.PASSED for result in results),
        failed=tuple(result.check for result in results if result.outcome is Outcome.FAILED),
        not_run=tuple(result.check for result in results if result.outcome is Outcome.NOT_RUN),
        tests_passed=sum(test.outcome is Outcome.PASSED for test in tests),
        coverage=min(covered) if covered else None,
        repairs=repairs,
        loose_matches=sum(match in _LOOSE for match in matches),
        errors=sum(remark.severity == "error" for remark in remarks),
        warnings=sum(remark.severity == "warning" for remark in remarks),
        open_questions=open_questions,
    )


def _terms(evidence: Evidence) -> list[tuple[float, str]]:
    """Return log-odds and their reasons: the weights are a prior judgement, what history corrects is their sum."""
    terms: list[tuple[float, str]] = []
    if evidence.failed:
        terms.append((-1.6 - 0.4 * (len(evidence.failed) - 1), f"failed: {', '.join(evidence.failed)}"))
    elif evidence.passed:
        terms.append((0.9, f"{evidence.passed} checks passed, none failed"))
    if evidence.not_run:
        weight = -0.6 if any(name.startswith("tests") for name in evidence.not_run) else -0.2
        terms.append((weight, f"not run: {', '.join(evidence.not_run)}"))
    if evidence.tests_passed:
        terms.append((0.4, f"{evidence.tests_passed} tests passed"))
    if evidence.coverage is not None:
        terms.append((1.2 * (evidence.coverage - 0.5), f"tests execute {evidence.coverage:.0%} of the changed lines"))
    for number, weight, cap, noun in (
        (evidence.repairs, -0.25, 3, "repair round"),
        (evidence.loose_matches, -0.35, 3, "loosely placed edit"),
        (evidence.errors, -0.8, 3, "serious remark of the critic"),
        (evidence.warnings, -0.2, 4, "warning of the critic"),
        (evidence.open_questions, -0.2, 3, "question answered by its default"),
    ):
        if number:
            terms.append((weight * min(number, cap), f"{number} {noun}{'' if number == 1 else 's'}"))
    return terms


def raw_score(evidence: Evidence) -> float:
    """Return the model's own probability, before calibration: what a later decision is recorded with."""
    return 1.0 / (1.0 + math.exp(-sum(weight for weight, _ in _terms(evidence))))


def confidence(evidence: Evidence, history: Sequence[Decided] = ()) -> Confidence:
    """Return the calibrated probability, its reasons strongest first, and how many decisions it rests on."""
    score = raw_score(evidence)
    own = [past for past in history if _bin(past.score) == _bin(score)]
    value = (sum(past.accepted for past in own) + PRIOR * score) / (len(own) + PRIOR)
    value = min(max(value, 0.02), 0.98)
    terms = sorted(_terms(evidence), key=lambda term: -abs(term[0]))
    reasons = [f"{'+' if weight > 0 else '−'} {reason}" for weight, reason in terms]  # noqa: RUF001 -- a minus sign
    if not history:
        reasons.append("no change set was decided here yet: this is an estimate without calibration")
    elif own:
        mean = sum(past.accepted for past in own) / len(own)
        reasons.append(f"of {len(own)} earlier change sets that looked like this, {mean:.0%} was accepted")
    return Confidence(round(value, 3), tuple(reasons), len(history))


def reliability(history: Sequence[Decided]) -> list[Reliability]:
    """Return the reliability diagram of past decisions; bins without samples are left out."""
    bins: dict[int, list[Decided]] = {}
    for past in history:
        bins.setdefault(_bin(past.score), []).append(past)
    return [
        Reliability(
            number / BINS,
            (number + 1) / BINS,
            len(members),
            sum(past.score for past in members) / len(members),
            sum(past.accepted for past in members) / len(members),
        )
        for number, members in sorted(bins.items())
    ]


def _bin(score: float) -> int:
    return min(int(score * BINS), BINS - 1)
