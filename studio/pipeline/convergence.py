"""When to stop repairing: judged on the normalised failure, never on the model's calls. Pure."""

from __future__ import annotations

from itertools import pairwise

from studio.pipeline.results import CheckRound

__all__ = ["MAX_ROUNDS", "best", "verdict"]

MAX_ROUNDS = 5
_GROWING = 2
"""Rounds in a row with more failures than before."""


def verdict(rounds: list[CheckRound]) -> str:
    """Return why the loop ends after these rounds (the first is the check before any repair), empty to go on."""
    last = rounds[-1]
    if last.clean:
        return "clean"
    signatures = [checked.signature for checked in rounds]
    if len(rounds) > 1 and signatures[-1] == signatures[-2]:
        return "same failure twice"
    if signatures[-1] in signatures[:-1]:
        return "oscillation"
    recent = [checked.failures for checked in rounds[-_GROWING - 1 :]]
    if len(recent) > _GROWING and all(later > earlier for earlier, later in pairwise(recent)):
        return "growing findings"
    if len(rounds) > MAX_ROUNDS:
        return "rounds"
    return ""


def best(rounds: list[CheckRound]) -> int:
    """Return the index of the best round: fewest failed checks, then fewest failures, then the latest."""
    return min(range(len(rounds)), key=lambda at: (len(rounds[at].failed), rounds[at].failures, -at))
