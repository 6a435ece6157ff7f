"""The edit ladder: finding the one place a model named, from the strictest reading to the loosest.

exact → trailing white space → indentation → Unicode punctuation → anchor lines → similarity. The first rung on which
exactly one place matches is taken; several on a rung end the climb, for every looser rung would hold them too. Blocks speak
of whole lines, so a slice of a line counts where no whole line matches, and several slices leave a whole line the better claim.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import TypeAlias

from studio.agents.edits.folding import fold, fold_with_offsets
from studio.agents.edits.indents import IndentMap, map_indents
from studio.agents.edits.near import anchored, near_lines, similar
from studio.agents.edits.places import Place, Refusal
from studio.agents.edits.text import Line, split_lines, to_lines
from studio.domain.edits import MatchKind

__all__ = ["MAX_SHOWN", "find_all", "find_place"]

MAX_SHOWN = 8
"""Candidates named in a refusal."""

_Key: TypeAlias = Callable[[str], str]


def _trailing(line: str) -> str:
    return line.rstrip()


def _indented(line: str) -> str:
    return line.strip()


def _folded(line: str) -> str:
    return fold(line).strip()


def _same(line: str) -> str:
    return line


_RUNGS: tuple[tuple[MatchKind, _Key, bool], ...] = (
    (MatchKind.EXACT, _same, False),
    (MatchKind.TRAILING_SPACE, _trailing, False),
    (MatchKind.INDENTATION, _indented, True),
    (MatchKind.PUNCTUATION, _folded, True),
)
"""The rungs on which lines are equal under a key, and whether the indentation may differ."""


def find_place(text: str, search: str) -> Place | Refusal:
    """Return the one place in `text` that `search` names, or why there is none."""
    lines, wanted = split_lines(text), to_lines(search)
    if not wanted:
        return Refusal("the search text is empty")
    slices: list[Place] = []
    for rung in _RUNGS if any(line.strip() for line in wanted) else _RUNGS[:1]:
        if slices and rung[0] is MatchKind.PUNCTUATION:
            break
        places = _on_rung(lines, wanted, rung)
        if not places and not slices:
            places = slices = _partial(text, lines, search, rung[0])
        if len(places) == 1:
            return places[0]
        if places and places is not slices:
            return _several(text, places)
    if slices:
        return _several(text, slices)
    return _loose(lines, wanted) or _nowhere(lines, wanted)


def find_all(text: str, search: str) -> list[Place]:
    """Return every place of whole lines on the strictest rung that has one: for edits that bring a line number along."""
    lines, wanted = split_lines(text), to_lines(search)
    if not any(line.strip() for line in wanted):
        return _on_rung(lines, wanted, _RUNGS[0]) if wanted else []
    for rung in _RUNGS:
        if places := _on_rung(lines, wanted, rung):
            return places
    return []


def _on_rung(lines: Sequence[Line], wanted: Sequence[str], rung: tuple[MatchKind, _Key, bool]) -> list[Place]:
    kind, key, shifted = rung
    keyed = [key(line.body) for line in lines]
    target = [key(line) for line in wanted]
    size = len(target)
    places: list[Place] = []
    offsets = _offsets(lines)
    at = -1
    while True:
        try:
            at = keyed.index(target[0], at + 1)
        except ValueError:
            return places
        if keyed[at : at + size] != target:
            continue
        indents: IndentMap | None = ()
        if shifted:
            indents = map_indents(wanted, [line.body for line in lines[at : at + size]])
        if indents is not None:
            places.append(Place(offsets[at], offsets[at + size], kind, indents=indents))


def _offsets(lines: Sequence[Line]) -> list[int]:
    offsets = [0]
    for line in lines:
        offsets.append(offsets[-1] + len(line.body) + len(line.eol))
    return offsets


def _partial(text: str, lines: Sequence[Line], search: str, kind: MatchKind) -> list[Place]:
    """Return places within lines: exact on the first rung, of one folded line on the fourth."""
    if kind is MatchKind.EXACT:
        return _slices(text, search.replace("\r\n", "\n"))
    wanted = to_lines(search)
    if kind is not MatchKind.PUNCTUATION or len(wanted) != 1 or text.isascii():
        return []
    needle = fold(wanted[0])
    places: list[Place] = []
    for line, start in zip(lines, _offsets(lines), strict=False):
        folded, offsets = fold_with_offsets(line.body)
        places.extend(
            Place(start + offsets[at], start + offsets[at + len(needle)], kind, whole_lines=False)
            for at in _occurrences(folded, needle)
        )
    return places


def _slices(text: str, search: str) -> list[Place]:
    """Return the exact occurrences of `search`, the newline a block gives to its last line being no part of a slice."""
    plain = text.replace("\r\n", "\n")
    needle = search
    starts = _occurrences(plain, needle)
    if not starts and search.endswith("\n"):
        needle = search[:-1]
        starts = _occurrences(plain, needle)
    returns = [match.start() - count for count, match in enumerate(re.finditer("\r\n", text))]
    places = [
        Place(_at(start, returns), _at(start + len(needle), returns), MatchKind.EXACT, whole_lines=False)
        for start in starts
    ]
    return [] if len(places) == 1 and _is_shifted_line(text, places[0]) else places


def _at(offset: int, returns: Sequence[int]) -> int:
    """Return the offset in the file of an offset in its text without carriage returns (`returns`: where they were)."""
    return offset + bisect_left(returns, offset)


def _is_shifted_line(text: str, place: Place) -> bool:
    """Whether a slice is one line but for the white space around it: looser rungs read it as that line."""
    found = text[place.start : place.end].rstrip("\r\n")
    before = text[text.rfind("\n", 0, place.start) + 1 : place.start]
    end = place.start + len(found)
    after = text[end:].partition("\n")[0].rstrip("\r") if found else "x"
    return "\n" not in found and bool(before or after) and not before.strip() and not after.strip()


def _occurrences(text: str, needle: str) -> list[int]:
    found: list[int] = []
    at = text.find(needle) if needle else -1
    while at >= 0 and len(found) <= MAX_SHOWN:
        found.append(at)
        at = text.find(needle, at + 1)
    return found


def _loose(lines: Sequence[Line], wanted: Sequence[str]) -> Place | Refusal | None:
    """Try the rungs on which lines need not be equal."""
    bodies = [line.body for line in lines]
    offsets = _offsets(lines)
    for kind, finder in ((MatchKind.ANCHORS, anchored), (MatchKind.SIMILARITY, similar)):
        starts = finder(bodies, wanted)
        fitting = [(at, map_indents(wanted, bodies[at : at + len(wanted)])) for at in starts]
        places = [
            Place(offsets[at], offsets[at + len(wanted)], kind, indents=indents)
            for at, indents in fitting
            if indents is not None
        ]
        if len(places) == 1:
            return places[0]
        if places:
            return _several("".join(line.whole for line in lines), places)
    return None


def _several(text: str, places: Sequence[Place]) -> Refusal:
    numbers = tuple(text.count("\n", 0, place.start) + 1 for place in places)
    shown = ", ".join(str(number) for number in numbers[:MAX_SHOWN]) + (" and more" if len(numbers) > MAX_SHOWN else "")
    return Refusal(
        f"the search text matches {len(numbers)} places, at lines {shown}; add the lines around the one you mean until it "
        "is unique",
        numbers,
    )


def _nowhere(lines: Sequence[Line], wanted: Sequence[str]) -> Refusal:
    near = near_lines([line.body for line in lines], wanted)
    if not near:
        return Refusal(
            "the search text occurs nowhere in the file, nor anything like it; read the file and copy its lines"
        )
    shown = "\n".join(f"  {number}: {lines[number - 1].body[:160]}" for number in near)
    return Refusal(
        "the search text occurs nowhere in the file; copy the lines exactly as they are, blank lines included. These lines "
        f"came near:\n{shown}",
        near,
    )
