"""Which step wrote which line: origins carried forward through the trees a run went through.

Each edit is a transition from one tree to the next. For every path we keep one origin per line of the latest version and
carry it over equal blocks (difflib's matching), so a line keeps the origin of the step that last wrote it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import SequenceMatcher
from itertools import groupby

from studio.domain.changes import Provenance
from studio.domain.edits import MatchKind
from studio.domain.value import Value
from studio.pipeline.serial import register
from studio.ports.workspace import TouchedRange

__all__ = ["Transition", "touched_ranges"]

ReadBlob = Callable[[str, str], bytes | None]
"""(tree, path) to bytes."""
_STRICTNESS = list(MatchKind)


class Transition(Value, frozen=True):
    """One reply's edits."""

    before: str
    after: str
    paths: tuple[tuple[str, MatchKind], ...]
    """Paths written, with the loosest match of their edits."""
    provenance: Provenance


def touched_ranges(transitions: Sequence[Transition], head: str, read: ReadBlob) -> list[TouchedRange]:
    """Return the ranges of the head tree that the transitions wrote, in path order."""
    by_path: dict[str, list[tuple[Transition, MatchKind]]] = {}
    for transition in transitions:
        for path, match in transition.paths:
            by_path.setdefault(path, []).append((transition, match))
    ranges: list[TouchedRange] = []
    for path in sorted(by_path):
        ranges += _path_ranges(path, by_path[path], _lines(read(head, path)), read)
    return ranges


def _path_ranges(
    path: str, steps: list[tuple[Transition, MatchKind]], final: list[bytes], read: ReadBlob
) -> list[TouchedRange]:
    lines: list[bytes] = []
    origins: list[int] = []
    for number, (transition, _) in enumerate(steps):
        before = _lines(read(transition.before, path))
        origins = _carry(lines, origins, before, -1)
        lines = _lines(read(transition.after, path))
        origins = _carry(before, origins, lines, number)
    origins = _carry(lines, origins, final, -1)
    found: list[TouchedRange] = []
    for number, group in groupby(enumerate(origins, 1), key=lambda item: item[1]):
        if number >= 0:
            at = [line for line, _ in group]
            transition, match = steps[number]
            found.append(TouchedRange(path, at[0], at[-1], match, transition.provenance))
    if not found and steps:
        transition, match = steps[-1]
        found.append(TouchedRange(path, 0, 0, match, transition.provenance))
    return found


def _carry(old: list[bytes], origins: list[int], new: list[bytes], fresh: int) -> list[int]:
    """Return the origins of `new`: those of equal lines of `old`, `fresh` for the others."""
    if old == new:
        return origins or [fresh] * len(new)
    carried = [fresh] * len(new)
    for block in SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks():
        carried[block.b : block.b + block.size] = origins[block.a : block.a + block.size] or [-1] * block.size
    return carried


def _lines(data: bytes | None) -> list[bytes]:
    return (data or b"").splitlines(keepends=True)


def loosest(matches: Sequence[MatchKind]) -> MatchKind:
    """Return the loosest of some matches."""
    return max(matches, key=_STRICTNESS.index, default=MatchKind.UNKNOWN)


register(Transition)
