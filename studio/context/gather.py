"""From a brief to its context pack: what it names, what it is about, and a map of the rest."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from studio.context.cache import IndexCache
from studio.context.files import Globs, read_text_file
from studio.context.languages import language_of
from studio.context.render import tokens_of
from studio.domain.brief import Brief
from studio.domain.memory import ContextFile, ContextPack, Recalled
from studio.domain.words import split_words
from studio.ports.engine import Symbol

__all__ = ["Gatherer"]

FILES_SHARE = 0.65
"""Of the budget, for files; the map gets what is left."""
ONE_FILE_SHARE = 0.25
"""Of the budget, at most for one file that the brief does not name."""
RETRIEVED = 12
MAX_INDEXED_BYTES = 200_000
MAX_TERMS = 64
MAX_ABSENT = 50

_PATH = re.compile(r"(?<![\w/.-])(?:\./)?([\w.-]+(?:/[\w.-]+)*\.\w{1,8}|[\w.-]+(?:/[\w.-]+)+)")
_IDENTIFIER = re.compile(r"`([A-Za-z_]\w{2,})(?:\(\))?`|\b([A-Za-z]+_\w+|[a-z]+[A-Z]\w+|[A-Z][a-z]+[A-Z]\w+)\b")
_STOP = frozenset(
    """
    a about after all also an and any are as at be been before but by can could do does each for from get has have how
    if in into is it its like make may more must need new no not of on one only or other our out over same shall should
    so some such than that the their them then there these they this to use used using want was we were what when where
    which who will with without would you your add change create file files code please
    """.split()  # noqa: SIM905 -- a word list reads better as words
)


class _Index(Protocol):
    def repo_map(self, tree: Path, files: Sequence[tuple[str, str]], tokens: int, focus: Sequence[str]) -> str: ...
    def outline(self, path: str, data: bytes) -> list[Symbol]: ...


class Gatherer:
    """One gathering: files the brief's `context` globs take, files it names, files it is about, then the map."""

    def __init__(self, index: _Index, cache: IndexCache, factor: float) -> None:
        self._index = index
        self._cache = cache
        self._factor = factor

    def gather(
        self,
        brief: Brief,
        tree: Path,
        visible: Sequence[tuple[str, str]],
        tokens: int,
        hidden: Globs,
        memories: Sequence[Recalled],
    ) -> ContextPack:
        """Return the pack. `visible` holds no private path."""
        kept = tuple(memory for memory in memories if not _mentions_hidden(memory, hidden))
        budget = max(tokens - sum(tokens_of(memory.item.text, self._factor) for memory in kept), 0)
        blobs = dict(visible)
        named, absent = _named(brief, blobs, hidden)
        terms = _terms(brief)
        wanted = dict.fromkeys(_chosen(brief, blobs), "the brief's context")
        wanted |= {path: "named in the brief" for path in named if path not in wanted}
        firm = frozenset(wanted)
        for path in self._retrieve(tree, visible, terms):
            wanted.setdefault(path, "found by the brief's words")
        files = self._fill(tree, wanted, firm, int(budget * FILES_SHARE), int(budget * ONE_FILE_SHARE), terms)
        spent = sum(tokens_of(file.text, self._factor) for file in files)
        focus = [*(file.path for file in files), *_identifiers(brief)]
        repo_map = self._index.repo_map(tree, visible, max(budget - spent, 0), focus)
        memory_tokens = sum(tokens_of(memory.item.text, self._factor) for memory in kept)
        return ContextPack(
            repo_map,
            tuple(files),
            kept,
            spent + tokens_of(repo_map, self._factor) + memory_tokens,
            (*((file.path, blobs[file.path]) for file in files), *((path, "") for path in absent)),
        )

    def _retrieve(self, tree: Path, visible: Sequence[tuple[str, str]], terms: Sequence[str]) -> list[str]:
        """Return up to twelve paths whose text fits the terms, best first."""
        by_blob: dict[str, str] = {}
        for path, blob in visible:
            by_blob.setdefault(blob, path)
        missing = self._cache.unindexed(by_blob)
        if missing:
            self._cache.index(self._texts(tree, by_blob, missing))
        found = [by_blob[blob] for blob in self._cache.search(terms) if blob in by_blob]
        return found[:RETRIEVED]

    @staticmethod
    def _texts(tree: Path, by_blob: dict[str, str], missing: Iterable[str]) -> Iterable[tuple[str, str, str]]:
        for blob in sorted(missing):
            data = read_text_file(tree, by_blob[blob], MAX_INDEXED_BYTES)
            yield blob, by_blob[blob], data.decode("utf-8", "replace")

    def _fill(
        self, tree: Path, wanted: dict[str, str], firm: frozenset[str], budget: int, one: int, terms: Sequence[str]
    ) -> list[ContextFile]:
        files: list[ContextFile] = []
        for path, reason in wanted.items():
            if budget <= 0:
                break
            data = read_text_file(tree, path)
            if not data:
                continue
            room = budget if path in firm else min(budget, one)
            file = self._cut(path, data, reason, int(room * 4 / self._factor), terms)
            if file is not None:
                files.append(file)
                budget -= tokens_of(file.text, self._factor)
        return files

    def _cut(self, path: str, data: bytes, reason: str, room: int, terms: Sequence[str]) -> ContextFile | None:
        """Return the file, or the lines around the definition that fits the terms best, in `room` characters."""
        text = data.decode("utf-8", "replace")
        if len(text) <= room:
            return ContextFile(path, text, 1, reason)
        lines = text.splitlines(keepends=True)
        start = self._best_line(path, data, terms)
        taken: list[str] = []
        for line in lines[start - 1 :]:
            if len(line) > room:
                break
            taken.append(line)
            room -= len(line)
        if not taken:
            return None
        end = start + len(taken) - 1
        return ContextFile(path, "".join(taken), start, f"{reason}; lines {start}-{end} of {len(lines)}")

    def _best_line(self, path: str, data: bytes, terms: Sequence[str]) -> int:
        if language_of(path) is None:
            return 1
        wanted = set(terms)
        scored = [
            (len(wanted & set(split_words(symbol.name))), -symbol.start_line)
            for symbol in self._index.outline(path, data)
        ]
        best = max(scored, default=(0, -1))
        return -best[1] if best[0] else 1


def _mentions_hidden(memory: Recalled, hidden: Globs) -> bool:
    paths = [memory.item.source.partition(" ")[2], *memory.item.tags]
    return any(hidden.match(path) for path in paths if path)


def _chosen(brief: Brief, blobs: dict[str, str]) -> list[str]:
    if not brief.front.context:
        return []
    globs = Globs(brief.front.context)
    return [path for path in blobs if globs.match(path)]


def _named(brief: Brief, blobs: dict[str, str], hidden: Globs) -> tuple[list[str], list[str]]:
    """Return visible paths the brief names, whole or by a unique ending, and those it names that are not there."""
    endings: dict[str, list[str]] = {}
    for path in blobs:
        endings.setdefault(path.rpartition("/")[2], []).append(path)
    named: dict[str, None] = {}
    absent: dict[str, None] = {}
    for token in dict.fromkeys(match.rstrip(".") for match in _PATH.findall(brief.body)):
        if token in blobs:
            named[token] = None
            continue
        fitting = [path for path in endings.get(token.rpartition("/")[2], ()) if f"/{path}".endswith(f"/{token}")]
        if len(fitting) == 1:
            named[fitting[0]] = None
        elif not fitting and language_of(token) is not None and not hidden.match(token) and ".." not in token:
            absent[token] = None
    return list(named), list(absent)[:MAX_ABSENT]


def _terms(brief: Brief) -> list[str]:
    words = [word for word in split_words(f"{brief.title} {brief.body}") if len(word) > 1 and word not in _STOP]
    return list(dict.fromkeys(words))[:MAX_TERMS]


def _identifiers(brief: Brief) -> list[str]:
    return list(dict.fromkeys(first or second for first, second in _IDENTIFIER.findall(brief.body)))[:100]
