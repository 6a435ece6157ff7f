"""What models leave out: `...` lines in a block, which can be followed, and placeholders, which cannot."""

from __future__ import annotations

import re

from studio.agents.edits.ladder import find_place
from studio.agents.edits.places import Place, Refusal
from studio.agents.edits.render import render
from studio.agents.edits.text import to_lines

__all__ = ["elided", "find_placeholder", "replace_around"]

_DOTS = {"...", "\u2026"}
_PLACEHOLDER = re.compile(
    r"""^\s*(?:\#|//|/\*|<!--|--|;|%|\{/\*)+\s*
    (?:(?:\.{3}|\u2026)\s*[\[(]?\s*(?:the\s+)?(?:existing|rest|remaining|remainder|unchanged|same|other|previous|original|your|more)\b.*
    |(?:the\s+)?(?:existing|rest|remaining|remainder|unchanged|same|other|previous|original)\b.{0,80}(?:\.{3}|\u2026|unchanged|as\ before|here)
    \s*(?:\*/\}?|-->)?\s*)$""",
    re.VERBOSE | re.IGNORECASE,
)


def find_placeholder(text: str, current: str) -> str:
    """Return a line of `text` that stands for code left out and is not in the file itself; else empty."""
    present = {line.strip() for line in to_lines(current)}
    for line in to_lines(text):
        if _PLACEHOLDER.match(line) and line.strip() not in present:
            return line.strip()
    return ""


def elided(search: str) -> bool:
    """Whether a search text leaves lines out by `...` on a line of its own."""
    return any(line.strip() in _DOTS for line in to_lines(search))


def _pieces(text: str) -> list[str]:
    pieces: list[list[str]] = [[]]
    for line in to_lines(text):
        if line.strip() in _DOTS:
            pieces.append([])
        else:
            pieces[-1].append(line)
    return ["".join(f"{line}\n" for line in piece) for piece in pieces]


def replace_around(text: str, search: str, replace: str) -> tuple[Place, str] | Refusal:
    """Replace the parts between `...` lines, each found on its own and in order; what they leave out stays.

    Returns the place from the first part to the last, with all of its new text.
    """
    old, new = _pieces(search), _pieces(replace)
    if len(old) != len(new):
        return Refusal(
            f"the search text has {len(old) - 1} `...` lines and the replacement has {len(new) - 1}; give both the same, or "
            "write the lines out"
        )
    written: list[str] = []
    first = last = None
    for part, other in zip(old, new, strict=True):
        if not part:
            if other.strip():
                return Refusal("a `...` line in the replacement has text beside it that the search text has not")
            continue
        place = find_place(text, part)
        if isinstance(place, Refusal):
            return Refusal(f"of the part beginning {part.strip()[:60]!r}: {place.reason}", place.lines)
        if last is not None:
            if place.start < last.end:
                return Refusal("the parts around `...` stand in another order in the file")
            written.append(text[last.end : place.start])
        written.append(render(text, place, part, other))
        first, last = first or place, place
    if first is None or last is None:
        return Refusal("the search text is nothing but `...`")
    return Place(first.start, last.end, max((first.match, last.match), key=list(type(first.match)).index)), "".join(
        written
    )
