"""Places that are nearly what a model named: anchor lines, similarity, and what to show when nothing is near enough.

Cost is bounded: windows are proposed by lines that both texts share, and only the best few are compared by difflib.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from difflib import SequenceMatcher

__all__ = ["anchored", "near_lines", "similar"]

THRESHOLD = 0.9
"""Least similarity of a window as a whole."""
LINE_THRESHOLD = 0.6
"""Least similarity of each of its lines."""
MARGIN = 0.05
"""By how much the best window must be ahead of the second."""
MIDDLE_THRESHOLD = 0.75
"""Least similarity of each line between anchors."""
_MIN_LINES = 3
_MIN_CHARS = 24
_MAX_LINES = 400
_MAX_CHARS = 600
"""Longer lines are alike only when they are equal: comparing them is quadratic."""
_MAX_WINDOWS = 12
_WORD = re.compile(r"\w{3,}")


def _ratio(one: str, other: str) -> float:
    if one == other:
        return 1.0
    if max(len(one), len(other)) > _MAX_CHARS:
        return 0.0
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    quick = matcher.real_quick_ratio() >= LINE_THRESHOLD and matcher.quick_ratio() >= LINE_THRESHOLD
    return matcher.ratio() if quick else 0.0


def _windows(bodies: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Return the starts of windows that share the most lines with `wanted`, best first."""
    where: dict[str, list[int]] = defaultdict(list)
    for number, body in enumerate(bodies):
        if bare := body.strip():
            where[bare].append(number)
    votes: Counter[int] = Counter()
    for offset, line in enumerate(wanted):
        for number in where.get(line.strip(), ())[:50]:
            if 0 <= number - offset <= len(bodies) - len(wanted):
                votes[number - offset] += 1
    return sorted(votes, key=lambda start: (-votes[start], start))[:_MAX_WINDOWS]


def _comparable(wanted: Sequence[str]) -> bool:
    return _MIN_LINES <= len(wanted) <= _MAX_LINES and sum(len(line.strip()) for line in wanted) >= _MIN_CHARS


def _pairs(bodies: Sequence[str], wanted: Sequence[str], at: int) -> list[tuple[str, str]] | None:
    """Return the lines side by side, None if their blank lines differ."""
    window = bodies[at : at + len(wanted)]
    pairs = [(asked.strip(), there.strip()) for asked, there in zip(wanted, window, strict=True)]
    return None if any(bool(asked) != bool(there) for asked, there in pairs) else pairs


def anchored(bodies: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Return the starts of windows whose first and last lines are equal and unique, and whose middle is much alike."""
    if not _comparable(wanted):
        return []
    found: list[int] = []
    stripped = [body.strip() for body in bodies]
    for at in _windows(bodies, wanted):
        pairs = _pairs(bodies, wanted, at)
        if pairs is None:
            continue
        drifted = [n for n, (asked, there) in enumerate(pairs) if asked != there]
        if not drifted:
            continue
        first, last = drifted[0], drifted[-1] + 1
        outer = first + len(pairs) - last
        ends = first > 0 and last < len(pairs) and outer * 2 >= len(pairs)
        if not ends or any(_ratio(*pairs[n]) < MIDDLE_THRESHOLD for n in drifted):
            continue
        head = [there for _, there in pairs[:first]]
        tail = [there for _, there in pairs[last:]]
        if _count(stripped, head) == 1 and _count(stripped, tail) == 1:
            found.append(at)
    return found


def _count(lines: Sequence[str], run: Sequence[str]) -> int:
    if not any(run):
        return 0
    return sum(lines[at : at + len(run)] == run for at, line in enumerate(lines) if line == run[0])


def similar(bodies: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Return the start of the one window that is alike enough and clearly ahead; of several that tie, all."""
    if not _comparable(wanted):
        return []
    scored = sorted(((_score(bodies, wanted, at), at) for at in _windows(bodies, wanted)), reverse=True)
    if not scored or scored[0][0] < THRESHOLD:
        return []
    return [at for score, at in scored if score >= scored[0][0] - MARGIN and score > 0]


def _score(bodies: Sequence[str], wanted: Sequence[str], at: int) -> float:
    pairs = _pairs(bodies, wanted, at)
    if pairs is None:
        return 0.0
    total = weight = 0.0
    for asked, there in pairs:
        ratio = _ratio(asked, there)
        if ratio < LINE_THRESHOLD:
            return 0.0
        size = len(asked) + len(there)
        total += ratio * size
        weight += size
    return total / weight if weight else 0.0


def near_lines(bodies: Sequence[str], wanted: Sequence[str], limit: int = 5) -> tuple[int, ...]:
    """Return the 1-based numbers of the lines most like the longest line of `wanted`, best first."""
    asked = max((line.strip() for line in wanted), key=len, default="")
    words = set(_WORD.findall(asked))
    shared = Counter(
        {
            n: len(words & set(_WORD.findall(body)))
            for n, body in enumerate(bodies)
            if any(word in body for word in words)
        }
    )
    scored = [(_ratio(asked, bodies[n].strip()), -n) for n, _ in shared.most_common(60)]
    best = sorted((pair for pair in scored if pair[0] >= LINE_THRESHOLD), reverse=True)[:limit]
    return tuple(1 - negative for _, negative in best)
