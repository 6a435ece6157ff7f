"""What an edit writes at its place: the model's lines where they change something, the file's bytes where they do not."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

from studio.agents.edits.folding import fold_with_offsets
from studio.agents.edits.indents import reindent
from studio.agents.edits.places import Place
from studio.agents.edits.text import Line, dominant_eol, split_lines, to_lines
from studio.domain.edits import MatchKind

__all__ = ["render"]

_MAX_CELLS = 1_000_000
"""Lines of both texts multiplied, above which only their common beginning and end are kept as they are."""


def render(text: str, place: Place, search: str, replace: str) -> str:
    """Return what stands at `place` after replacing `search` by `replace`.

    Lines that the edit leaves as they are keep the file's own bytes: trailing space, quotes, line ends, no final newline.
    """
    found = text[place.start : place.end]
    region = split_lines(found)
    eol = dominant_eol(region) if any(line.eol for line in region) else dominant_eol(split_lines(text))
    if not place.whole_lines:
        return _slice(found, search, replace, eol)
    old, new = to_lines(search), to_lines(replace)
    if not new and not search.endswith("\n"):
        new = [""]
    written = reindent(new, place.indents)
    pieces: list[Line] = []
    for tag, low, high, begin, end in _opcodes(old, new):
        if tag == "equal":
            pieces.extend(region[low:high])
        elif tag == "replace" and high - low == end - begin and place.match is MatchKind.PUNCTUATION:
            pairs = zip(old[low:high], new[begin:end], region[low:high], strict=True)
            changed = reindent([_spliced(*pair) for pair in pairs], place.indents)
            pieces.extend(Line(body, line.eol) for body, line in zip(changed, region[low:high], strict=True))
        else:
            ends = [line.eol for line in region[low:high]] if high - low == end - begin else [eol] * (end - begin)
            pieces.extend(Line(body, mark) for body, mark in zip(written[begin:end], ends, strict=True))
    return _joined(pieces, eol, last=region[-1].eol if region else eol)


def _joined(pieces: Sequence[Line], eol: str, last: str) -> str:
    """Return the lines as text; only the last may lack its end, and does where the file's last line did."""
    inner = "".join(line.body + (line.eol or eol) for line in pieces[:-1])
    if not pieces:
        return inner
    end = pieces[-1]
    return inner + end.body + ((end.eol or eol) if last else "")


def _slice(found: str, search: str, replace: str, eol: str) -> str:
    if search.endswith("\n") and not found.endswith("\n"):
        search, replace = search.removesuffix("\n"), replace.removesuffix("\n")
    if not found.isascii() and "\n" not in search:
        replace = splice(search, replace, found)
    return replace.replace("\r\n", "\n").replace("\n", eol)


def _opcodes(old: Sequence[str], new: Sequence[str]) -> list[tuple[str, int, int, int, int]]:
    if len(old) * len(new) <= _MAX_CELLS:
        return list(SequenceMatcher(None, old, new, autojunk=False).get_opcodes())
    head = 0
    while head < min(len(old), len(new)) and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    ends = len(old) - tail, len(new) - tail
    return [
        ("equal", 0, head, 0, head),
        ("replace", head, ends[0], head, ends[1]),
        ("equal", ends[0], len(old), ends[1], len(new)),
    ]


def _spliced(asked: str, wanted: str, there: Line) -> str:
    """Return the new line with the file's characters where it begins and ends like the old one.

    The indentation stays the model's: it is mapped afterwards.
    """
    indent = wanted[: len(wanted) - len(wanted.lstrip())]
    return indent + splice(asked.strip(), wanted.strip(), there.body.strip())


def splice(asked: str, wanted: str, there: str) -> str:
    """Return `wanted` with the characters of `there` where it begins and ends like `asked`, which `there` folds to."""
    old, _ = fold_with_offsets(asked)
    new, places = fold_with_offsets(wanted)
    kept, offsets = fold_with_offsets(there)
    if old != kept:
        return wanted
    head = 0
    while head < min(len(old), len(new)) and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    if head == len(old) == len(new):
        return there
    return there[: offsets[head]] + wanted[places[head] : places[len(new) - tail]] + there[offsets[len(kept) - tail] :]
