"""The index over a tree: outlines, the repo map, and the context pack of a brief."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from pathlib import Path

from studio.context.cache import IndexCache
from studio.context.extract import FileTags, extract
from studio.context.files import Globs, read_text_file
from studio.context.gather import Gatherer
from studio.context.languages import language_of
from studio.context.rank import rank
from studio.context.render import render
from studio.domain.brief import Brief
from studio.domain.memory import ContextPack, Recalled
from studio.ports.engine import Symbol

__all__ = ["TreeSitterIndex"]


class TreeSitterIndex:
    """Implements `studio.ports.engine.ContextIndex`. Thread-safe; blocks: call it off the event loop.

    Args:
        cache: SQLite file of the cache, safe to delete; None keeps it in memory.
        token_factor: tokens of the model's tokenizer per four characters (about 1.0 for OpenAI's, 1.4 for Anthropic's).

    """

    def __init__(self, cache: Path | None = None, token_factor: float = 1.0) -> None:
        self._cache = IndexCache(cache)
        self._factor = token_factor
        self._warm: dict[str, float] = {}
        self._warm_lock = threading.Lock()

    def repo_map(self, tree: Path, files: Sequence[tuple[str, str]], tokens: int, focus: Sequence[str]) -> str:
        """Return a ranked map of at most `tokens` tokens.

        Args:
            tree: the directory the files are in.
            files: (path, blob id) of what may be shown; an empty blob id is read and not cached by it.
            tokens: the budget.
            focus: paths the ranking starts from, and identifiers that count more.

        """
        tags = self._tags(tree, files)
        with self._warm_lock:
            warm = dict(self._warm)
        paths = [item for item in focus if item in tags]
        ranks, shares = rank(tags, paths, [item for item in focus if item not in tags], warm)
        if not focus:
            with self._warm_lock:
                self._warm = ranks
        others = [path for path, _ in files if path not in tags]
        return render(tags, others, ranks, shares, tokens, self._factor)

    def outline(self, path: str, data: bytes) -> list[Symbol]:
        """Return a file's definitions in order."""
        return [
            Symbol(found.name, found.kind, path, found.start, found.end, found.signature)
            for found in extract(path, data).definitions
        ]

    def gather(
        self,
        brief: Brief,
        tree: Path,
        files: Sequence[tuple[str, str]],
        tokens: int,
        private: Sequence[str],
        memories: Sequence[Recalled] = (),
    ) -> ContextPack:
        """Return the context pack for a brief within `tokens`; of private paths not even the names are in it.

        The read set holds the files shown and the paths the brief names that are not there. The map is a digest of the
        whole tree: whoever keys a result by what it read adds the map's text, not every path.

        Raises:
            BriefError: a glob is broken.

        """
        hidden = Globs([*private, *brief.front.private])
        visible = [(path, blob) for path, blob in files if not hidden.match(path)]
        return Gatherer(self, self._cache, self._factor).gather(brief, tree, visible, tokens, hidden, memories)

    def close(self) -> None:
        """Close the cache."""
        self._cache.close()

    def _tags(self, tree: Path, files: Sequence[tuple[str, str]]) -> dict[str, FileTags]:
        parsed = [(path, blob) for path, blob in files if language_of(path) is not None]
        known = self._cache.tags([blob for _, blob in parsed])
        tags: dict[str, FileTags] = {}
        fresh: dict[str, FileTags] = {}
        for path, blob in parsed:
            found = known.get(blob) or fresh.get(blob)
            if found is None:
                data = read_text_file(tree, path)
                found = extract(path, data)
                fresh[blob or hashlib.sha1(data, usedforsecurity=False).hexdigest()] = found
            tags[path] = found
        if fresh:
            self._cache.keep(fresh)
        return tags
