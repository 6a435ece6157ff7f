"""Where a line is cut to fit a width, in cells."""

from __future__ import annotations

from itertools import pairwise

from rich.cells import cell_len

__all__ = ["wrap", "wrap_cuts"]


def wrap(line: str, width: int) -> list[str]:
    """Return a line as rows of at most `width` cells, without the spaces they were cut at."""
    return [line[start:end].rstrip() for start, end in pairwise([0, *wrap_cuts(line, width), len(line)])]


def wrap_cuts(line: str, width: int) -> list[int]:
    """Return where a line is cut into rows of at most `width` cells: between words where that wastes little."""
    if width <= 0 or (len(line) <= width and line.isascii()) or cell_len(line) <= width:
        return []
    cuts: list[int] = []
    start = 0
    while (end := _reach(line, start, width)) < len(line):
        space = line.rfind(" ", start + width * 2 // 3, end)
        start = space + 1 if space > start else end
        cuts.append(start)
    return cuts


def _reach(text: str, start: int, width: int) -> int:
    """Return the index after the last character from `start` on that is within `width` cells; at least one is."""
    if text.isascii():
        return min(len(text), start + width)
    cells = 0
    for at in range(start, len(text)):
        cells += cell_len(text[at])
        if cells > width:
            return max(at, start + 1)
    return len(text)
