"""ChromaDB: five collections of vectors with their items. The only module that imports chromadb, on first use."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from studio.domain.errors import InternalError, StudioError, UsageError
from studio.domain.memory import Collection, MemoryItem
from studio.domain.value import decode, encode
from studio.memory.embed import Embedder

__all__ = ["ChromaCollections"]

MAX_TEXT = 20_000
"""Characters of an item that are embedded and kept as its document."""
_PAGE = 500


class ChromaCollections:
    """A connection to an embedded store or a server, not thread-safe: one thread at a time uses it.

    A collection whose vectors came from another embedder is emptied where the store is our own, since its items can be
    embedded again; on a server others may live by it, so that is an error.
    """

    def __init__(self, where: Path | str, embedder: Embedder) -> None:
        self._where = where
        self._embedder = embedder
        self._client: Any = None
        self._collections: dict[Collection, Any] = {}

    def collection(self, kind: Collection) -> Any:
        """Return a collection, made if it is not there.

        Raises:
            InternalError: the store or server cannot be used.
            UsageError: a server's collection has vectors of another embedder.

        """
        found = self._collections.get(kind)
        if found is None:
            try:
                found = self._collections[kind] = self._open(kind)
            except StudioError:
                raise
            except Exception as error:
                what = str(error).splitlines()[0] if str(error) else type(error).__name__
                raise InternalError(
                    f"ChromaDB at {self._where} cannot be used: {what}", "Run `studio doctor`."
                ) from error
        return found

    def _open(self, kind: Collection) -> Any:
        if self._client is None:
            self._client = _connect(self._where)
        name = f"studio-{kind.value}"
        wanted: dict[str, Any] = {"embedder": self._embedder.name, "hnsw:space": "cosine"}
        found: Any = self._client.get_or_create_collection(name, metadata=wanted, embedding_function=None)
        metadata: dict[str, Any] = found.metadata or {}
        held = metadata.get("embedder")
        if held == self._embedder.name:
            return found
        if isinstance(self._where, str):
            raise UsageError(
                f"The memory server's {name} holds vectors of {held}, not of {self._embedder.name}.",
                f"Set memory.embedder to {held}, or name another server.",
            )
        self._client.delete_collection(name)
        return self._client.create_collection(name, metadata=wanted, embedding_function=None)

    def upsert(self, items: Sequence[MemoryItem]) -> None:
        """Add or replace items."""
        for kind in Collection:
            own = [item for item in items if item.collection is kind]
            for start in range(0, len(own), _PAGE):
                page = own[start : start + _PAGE]
                texts = [item.text[:MAX_TEXT] for item in page]
                self.collection(kind).upsert(
                    ids=[item.id for item in page],
                    documents=texts,
                    embeddings=self._embedder.embed(texts),
                    metadatas=[_metadata(item) for item in page],
                )

    def delete(self, kind: Collection, ids: Sequence[str]) -> None:
        """Remove items; unknown ids are passed over."""
        if ids:
            self.collection(kind).delete(ids=list(ids))

    def count(self, kind: Collection) -> int:
        """Return how many items a collection holds."""
        return int(self.collection(kind).count())

    def ids(self, kind: Collection) -> set[str]:
        """Return all ids of a collection."""
        return set(self.collection(kind).get(include=[])["ids"])

    def changed_since(self, kind: Collection, since: float) -> list[MemoryItem]:
        """Return the items written after `since`, in Unix seconds."""
        got: Any = self.collection(kind).get(where={"changed": {"$gt": since}}, include=["metadatas"])
        return [decode(str(metadata["item"]).encode(), MemoryItem) for metadata in got["metadatas"]]

    def nearest(
        self, query: str, kinds: Sequence[Collection], project: str, now: float, limit: int
    ) -> list[tuple[MemoryItem, float]]:
        """Return the nearest recallable items with their cosine distance, nearest first, over several collections."""
        vectors = self._embedder.embed([query[:MAX_TEXT]])
        where: dict[str, Any] = {
            "$and": [{"project": {"$in": [project, ""]}}, {"state": {"$ne": "retracted"}}, {"expires": {"$gt": now}}]
        }
        found: list[tuple[MemoryItem, float]] = []
        for kind in kinds:
            got: Any = self.collection(kind).query(
                query_embeddings=vectors, n_results=limit, where=where, include=["metadatas", "distances"]
            )
            for metadata, distance in zip(got["metadatas"][0], got["distances"][0], strict=True):
                found.append((decode(str(metadata["item"]).encode(), MemoryItem), float(distance)))
        return sorted(found, key=lambda pair: pair[1])[:limit]

    def close(self) -> None:
        """Release the store."""
        self._collections.clear()
        if self._client is None:
            return
        client, self._client = self._client, None
        sessions = [_session(client), _session(getattr(client, "_admin_client", None))]
        client.close()
        for session in sessions:
            if session is not None:
                session.close()


def _session(client: Any) -> Any:
    """Return the connection pool of an HTTP client: each has its own, and ChromaDB leaves it open when it closes."""
    return getattr(getattr(client, "_server", None), "_session", None)


def _connect(where: Path | str) -> Any:
    import chromadb
    from chromadb.config import Settings

    settings = Settings(anonymized_telemetry=False)
    if isinstance(where, Path):
        return chromadb.PersistentClient(str(where), settings=settings)
    parts = urlsplit(where)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise UsageError(f"{where} is no ChromaDB server's URL.", "Write memory.url like http://127.0.0.1:8000.")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return chromadb.HttpClient(parts.hostname, port, ssl=parts.scheme == "https", settings=settings)


def _metadata(item: MemoryItem) -> dict[str, Any]:
    """Return what filters need, and the whole item. No expiry is written as infinity's stand-in, so that `$gt` holds."""
    return {
        "project": item.project,
        "state": item.state.value,
        "expires": item.expires or float(math.ldexp(1.0, 52)),
        "changed": time.time(),
        "item": encode(item).decode(),
    }
