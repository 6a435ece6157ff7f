"""Reasoning patterns: prompt strategies with a declared cost, chosen by what a brief is like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from studio.agents.complexity import Characteristics
from studio.domain.value import Value

__all__ = ["DEFAULT_BUDGET", "PATTERNS", "Pattern", "choose_patterns", "fragments"]

DEFAULT_BUDGET = 3.0
"""Units of cost a task may spend on patterns."""
_LEAST = 0.25
"""Below this score a pattern is not worth its cost."""


class Pattern(Value, frozen=True):
    """A pattern. Its score is the weighted sum of a brief's characteristics."""

    name: str
    cost: float
    """Units: one is about a third more thinking than without."""
    fragment: str
    """What the prompt says."""
    weights: tuple[tuple[str, float], ...]
    """(characteristic, weight): `complexity`, `ambiguity`, `constraints`, `size`, or a domain."""


_ALL = (
    Pattern(
        "abstraction",
        0.5,
        "Abstraction: before writing, name the few concepts of the task and their interfaces; let each change belong to one.",
        (("complexity", 0.8), ("size", 0.3), ("algorithm", 0.2)),
    ),
    Pattern(
        "emergent-patterns",
        0.5,
        "Emergent patterns: look how the code base solves the same kind of thing now, and follow it; name the example you follow.",
        (("size", 0.5), ("interface", 0.3), ("api", 0.3), ("data", 0.2)),
    ),
    Pattern(
        "meta-learning",
        0.5,
        "Meta-learning: recall what earlier attempts, failures and rejected changes in the material teach, and say what you do otherwise.",
        (("complexity", 0.3), ("recalled", 0.7)),
    ),
    Pattern(
        "uncertainty",
        0.5,
        "Uncertainty: list what you are not sure of, verify by reading or running what can be verified, and state the rest as assumptions.",
        (("ambiguity", 0.9), ("complexity", 0.2)),
    ),
    Pattern(
        "constraint",
        0.5,
        "Constraints: write down every must, never and limit; after the change, go through them one by one.",
        (("constraints", 0.9), ("security", 0.3), ("data", 0.2)),
    ),
    Pattern(
        "semantic",
        0.5,
        "Semantics: settle what each term of the brief means in this code base, and use one name for one thing.",
        (("ambiguity", 0.5), ("size", 0.2), ("data", 0.2), ("api", 0.2)),
    ),
    Pattern(
        "dialectical",
        1.0,
        "Dialectic: state the strongest objection to your solution (a failing input, an attacker, a race), then change the solution or "
        "answer the objection.",
        (("security", 0.6), ("concurrency", 0.6), ("complexity", 0.4)),
    ),
    Pattern(
        "superposition",
        1.5,
        "Superposition: sketch two different solutions in a few lines each, compare them by risk and size of the change, and do "
        "the better one only.",
        (("complexity", 0.6), ("ambiguity", 0.3), ("algorithm", 0.5)),
    ),
)
PATTERNS: dict[str, Pattern] = {pattern.name: pattern for pattern in _ALL}


def choose_patterns(
    seen: Characteristics, budget: float = DEFAULT_BUDGET, learned: Mapping[str, float] | None = None, recalled: int = 0
) -> list[tuple[str, str]]:
    """Return the best patterns within `budget` units, with the reason for each.

    `learned` multiplies a pattern's score by how it did in this project (1.0 is neutral); `recalled` is how many memories the
    context holds. Patterns are taken by score per unit of cost: the greedy solution of the knapsack, which for costs this few
    is the best or next to it.
    """
    values = {
        "complexity": seen.complexity,
        "ambiguity": seen.ambiguity,
        "constraints": seen.constraints,
        "size": min(1.0, seen.words / 300),
        "recalled": min(1.0, recalled / 3),
        **dict.fromkeys(seen.domains, 1.0),
    }
    scored: list[tuple[float, Pattern, str]] = []
    for pattern in _ALL:
        parts = {name: weight * values.get(name, 0.0) for name, weight in pattern.weights}
        factor = (learned or {}).get(pattern.name, 1.0)
        score = sum(parts.values()) * factor
        if score >= _LEAST:
            main = max(parts, key=lambda name: parts[name])
            told = "" if factor == 1.0 else f", times {factor:.2f} by its record here"
            scored.append(
                (score, pattern, f"{main} {values[main]:.2f}, score {score:.2f} for {pattern.cost:g} units{told}")
            )
    scored.sort(key=lambda each: (-each[0] / each[1].cost, each[1].name))
    chosen: list[tuple[str, str]] = []
    left = budget
    for _, pattern, reason in scored:
        if pattern.cost <= left:
            chosen.append((pattern.name, reason))
            left -= pattern.cost
    return chosen


def fragments(names: Sequence[str]) -> str:
    """Return the prompt text of the named patterns; unknown names are passed over."""
    known = [PATTERNS[name].fragment for name in names if name in PATTERNS]
    return "\n".join(["", "## Ways of thinking for this task", *(f"- {text}" for text in known), ""]) if known else ""
