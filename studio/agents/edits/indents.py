"""Indentation of a file against that of a model's text: which level stands for which, and rewriting by it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

__all__ = ["IndentMap", "indent_of", "map_indents", "reindent"]

IndentMap = tuple[tuple[str, str], ...]
"""Pairs of (the model's indentation, the file's), by rising width of the model's. Empty: nothing to rewrite."""

_TAB = 4


def indent_of(line: str) -> str:
    """Return the white space a line begins with."""
    return line[: len(line) - len(line.lstrip())]


def _width(indent: str) -> int:
    return len(indent.expandtabs(_TAB))


def map_indents(search: Sequence[str], found: Sequence[str]) -> IndentMap | None:
    """Return how the model's levels map to the file's, or None where one level would have to mean two."""
    mapping: dict[str, str] = {}
    for asked, there in zip(search, found, strict=True):
        if not asked.strip():
            continue
        level = indent_of(there)
        if mapping.setdefault(indent_of(asked), level) != level:
            return None
    pairs = tuple(sorted(mapping.items(), key=lambda pair: _width(pair[0])))
    if any(_width(low[1]) >= _width(high[1]) or _width(low[0]) == _width(high[0]) for low, high in pairwise(pairs)):
        return None
    return () if all(asked == there for asked, there in pairs) else pairs


def _steps(indents: Iterable[str]) -> int:
    widths = sorted({_width(indent) for indent in indents} | {0})
    gaps = [high - low for low, high in pairwise(widths)]
    return min(gaps) if gaps else _TAB


def _scale(pairs: IndentMap, step: int) -> float:
    """Return how much wider the file's levels are than the model's."""
    for low, high in pairwise(pairs):
        return (_width(high[1]) - _width(low[1])) / (_width(high[0]) - _width(low[0]))
    asked, there = pairs[0]
    if "\t" in there and "\t" not in asked:
        return _TAB / step
    if "\t" in asked and "\t" not in there and there:
        return (_width(there) / len(asked)) / _TAB
    return 1.0


def reindent(lines: Sequence[str], mapping: IndentMap) -> list[str]:
    """Return the model's lines with the file's indentation. Levels the map does not hold are extrapolated."""
    if not mapping:
        return list(lines)
    known = dict(mapping)
    scale = _scale(mapping, _steps([*known, *(indent_of(line) for line in lines if line.strip())]))
    tabs = any("\t" in there for there in known.values())
    return [_rewritten(line, known, scale, tabs=tabs) if line.strip() else line for line in lines]


def _rewritten(line: str, known: dict[str, str], scale: float, *, tabs: bool) -> str:
    indent = indent_of(line)
    rest = line[len(indent) :]
    if indent in known:
        return known[indent] + rest
    width = _width(indent)
    below = [asked for asked in known if _width(asked) <= width]
    base = max(below, key=_width) if below else min(known, key=_width)
    target = _width(known[base]) + round((width - _width(base)) * scale)
    if target >= _width(known[base]):
        return known[base] + _blank(target - _width(known[base]), tabs=tabs) + rest
    return _blank(max(target, 0), tabs=tabs) + rest


def _blank(width: int, *, tabs: bool) -> str:
    return "\t" * (width // _TAB) + " " * (width % _TAB) if tabs else " " * width
