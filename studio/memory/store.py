"""`ChromaMemory`: items in ChromaDB, found by words always and by vectors where a real embedder is at hand."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from studio.domain.errors import InternalError, StudioError, UsageError
from studio.domain.memory import Collection, MemoryItem, Recalled
from studio.memory.chroma import ChromaCollections
from studio.memory.embed import Embed, choose
from studio.memory.fusion import fuse, lexical
from studio.memory.shelf import Shelf, terms_of

__all__ = ["ChromaMemory"]

CANDIDATES = 40
"""Taken from each ranking before they are fused."""
_BATCH = 200
_OVERLAP = 60.0
"""Seconds by which reads of a server overlap, for clocks that differ."""


class ChromaMemory:
    """Implements `studio.ports.engine.Memory`. Thread-safe; blocks: call it off the event loop.

    The embedded store has one owner process, held by a lock file. Its items are committed to SQLite at once, and a thread
    tells ChromaDB of them; what a crash cuts off is told at the next opening. A server is told at once, and asked what
    others changed before each recall. ChromaDB is imported when it is first needed: words alone never need it.

    Args:
        where: the directory of the embedded store, or a ChromaDB server's URL.
        project: whose items are recalled; items of project "" belong to all.
        embedder: `auto`, `none`, or the name of the model that `embed` asks.
        embed: asks an embedding model.
        clock: Unix seconds.

    Raises:
        UsageError: another process has the store open; or an embedding model is named without `embed`.

    """

    def __init__(
        self,
        where: Path | str,
        project: str,
        embedder: str = "auto",
        embed: Embed | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._project = project
        self._clock = clock
        self._embedder = choose(embedder, embed)
        self._chroma = ChromaCollections(where / "chroma" if isinstance(where, Path) else where, self._embedder)
        self._using = threading.Lock()
        self._wake = threading.Condition()
        self._closing = False
        self._teller: threading.Thread | None = None
        self._seen: dict[Collection, float] = {}
        self._server = isinstance(where, str)
        self._owner: IO[str] | None = None
        self.problem = ""
        """Why ChromaDB could not be told, as one line; empty when all is well."""
        if isinstance(where, Path):
            where.mkdir(parents=True, exist_ok=True)
            self._owner = _own(where / "owner.lock")
            self._shelf = Shelf(where / "items.sqlite")
            self._match_embedder(where / "embedder")
            self._shelf.expire(clock())
            self._notify()
        else:
            self._shelf = Shelf(None)

    @property
    def ranking(self) -> str:
        """How results are ranked: `lexical`, or `lexical + MODEL`."""
        return f"lexical + {self._embedder.name}" if self._embedder.ranks else "lexical"

    def recall(self, query: str, collections: Sequence[Collection], limit: int) -> list[Recalled]:
        """Return the best items that are not retracted or expired, with why; the newest ones for an empty query.

        Where vectors cannot be had (no model answers, ChromaDB is broken), words alone rank, and `problem` says why.
        """
        kinds = tuple(collections) or tuple(Collection)
        if limit <= 0:
            return []
        self._pull(kinds)
        now = self._clock()
        if not query.strip():
            newest = self._shelf.newest(kinds, self._project, now, limit)
            return [Recalled(item, 1.0 / (rank + 1), "newest") for rank, item in enumerate(newest)]
        hits = self._shelf.search(terms_of(query), kinds, self._project, now, max(limit, CANDIDATES))
        if not self._embedder.ranks:
            return lexical(hits)[:limit]
        try:
            self.flush()
            with self._using:
                near = self._chroma.nearest(query, kinds, self._project, now, max(limit, CANDIDATES))
        except Exception as error:  # noqa: BLE001 -- whatever a model or a store raises, words still answer
            self.problem = f"No vectors: {error}"
            return lexical(hits)[:limit]
        return fuse(hits, near, self._embedder.name)[:limit]

    def remember(self, items: Sequence[MemoryItem]) -> None:
        """Add items, or replace those with the same id."""
        self._shelf.put(items)
        self._changed()

    def get(self, item: str) -> MemoryItem | None:
        """Return an item, whatever its state."""
        self._pull(tuple(Collection))
        return self._shelf.get(item)

    def forget(self, item: str) -> bool:
        """Remove an item, from SQLite and from ChromaDB, before this returns; False if there was none."""
        self._pull(tuple(Collection))
        there = self._shelf.drop(item)
        if there:
            self.flush()
        return there

    def rebuild(self, items: Sequence[MemoryItem]) -> None:
        """Make the store hold exactly these, ChromaDB included, before this returns."""
        self._pull(tuple(Collection))
        self._shelf.replace(items)
        self.flush()
        with self._using:
            for kind in Collection:
                self._chroma.delete(kind, sorted(self._chroma.ids(kind) - self._shelf.ids(kind)))

    def flush(self) -> None:
        """Tell ChromaDB what it does not know yet.

        Raises:
            InternalError: ChromaDB or the embedding model cannot be used; what was not told stays marked.

        """
        with self._using:
            try:
                self._tell_all()
            except StudioError as error:
                self.problem = error.what
                raise
            except Exception as error:
                self.problem = f"ChromaDB could not be told: {error}"
                raise InternalError(self.problem, "Run `studio doctor`.") from error
            self.problem = ""

    def _tell_all(self) -> None:
        while True:
            items, gone = self._shelf.untold(_BATCH)
            if not items and not gone:
                return
            for kind in Collection:
                self._chroma.delete(kind, [item for item, collection in gone if collection == kind.value])
            self._chroma.upsert(items)
            self._shelf.told(items, gone)

    def close(self) -> None:
        """Tell ChromaDB the rest and release the store. Closing twice does nothing."""
        with self._wake:
            if self._closing:
                return
            self._closing = True
            self._wake.notify()
        if self._teller is not None:
            self._teller.join()
        with contextlib.suppress(StudioError):
            self.flush()
        with self._using:
            self._chroma.close()
        self._shelf.close()
        if self._owner is not None:
            self._owner.close()

    def _changed(self) -> None:
        if self._server:
            self.flush()
        else:
            self._notify()

    def _notify(self) -> None:
        """Wake the thread that tells ChromaDB, if there is anything to tell."""
        if not any(self._shelf.untold(1)):
            return
        with self._wake:
            if self._teller is None:
                self._teller = threading.Thread(target=self._tell, name="studio-memory", daemon=True)
                self._teller.start()
            self._wake.notify()

    def _tell(self) -> None:
        while True:
            with contextlib.suppress(StudioError):
                self.flush()
            with self._wake:
                if self._closing:
                    return
                self._wake.wait()
                if self._closing:
                    return

    def _pull(self, kinds: Sequence[Collection]) -> None:
        """With a server: take over what others wrote or removed since the last look."""
        if not self._server:
            return
        with self._using:
            for kind in kinds:
                began = time.time()
                self._shelf.put(self._chroma.changed_since(kind, self._seen.get(kind, 0.0)), told=True)
                if self._chroma.count(kind) != self._shelf.count(kind):
                    for item in self._shelf.ids(kind) - self._chroma.ids(kind):
                        self._shelf.drop(item, told=True)
                self._seen[kind] = began - _OVERLAP

    def _match_embedder(self, note: Path) -> None:
        """Have all items embedded again when the embedder is another one than last time, or the store is gone."""
        name = self._embedder.name
        chroma = note.parent / "chroma"
        if not chroma.exists() or not note.exists() or note.read_text("utf-8") != name:
            self._shelf.forget_told()
            note.write_text(name, "utf-8")


def _own(path: Path) -> IO[str]:
    """Take the store's lock, which the process's end releases however it ends."""
    file = path.open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.seek(0)
        owner = file.read(20).strip()
        file.close()
        raise UsageError(
            f"The memory of this repository is open in another process{f' ({owner})' if owner else ''}.",
            "Ask through that process's host, or set memory.url to a ChromaDB server that both can use.",
        ) from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file
