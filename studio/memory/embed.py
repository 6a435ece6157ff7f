"""Vectors for items. Nothing here fetches anything: MiniLM is used only where its files already are."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from math import sqrt
from pathlib import Path
from typing import Any

from studio.domain.errors import UsageError
from studio.domain.value import Value
from studio.domain.words import split_words

__all__ = ["Embed", "Embedder", "choose", "hashed"]

Embed = Callable[[list[str]], list[list[float]]]
"""Returns one vector a text, all of one length."""

HASHED_SIZE = 256
_BATCH = 32
_MINILM = Path(".cache") / "chroma" / "onnx_models" / "all-MiniLM-L6-v2" / "onnx"
_MINILM_FILES = (
    "config.json",
    "model.onnx",
    "special_tokens_map.json",
    "tokenizer_config.json",
    "tokenizer.json",
    "vocab.txt",
)


class Embedder(Value, frozen=True):
    """How items become vectors. `ranks` is False for hashed vectors: fusing them in was measured to make ranking worse."""

    name: str
    embed: Embed
    ranks: bool


def choose(name: str, embed: Embed | None = None, home: Path | None = None) -> Embedder:
    """Return the embedder of a name: `auto`, `none`, or a model that `embed` speaks for.

    Raises:
        UsageError: a model is named and nothing was given to ask it with.

    """
    if name == "none":
        return Embedder("none", hashed, ranks=False)
    if embed is not None:
        return Embedder(name, embed, ranks=True)
    if name != "auto":
        raise UsageError(f"No embedding model {name} is at hand.", "Set memory.embedder to `auto` or `none`.")
    where = (home or Path.home()) / _MINILM
    if all((where / file).is_file() for file in _MINILM_FILES):
        return Embedder("MiniLM", _MiniLM(), ranks=True)
    return Embedder("none", hashed, ranks=False)


def hashed(texts: list[str]) -> list[list[float]]:
    """Return normalised feature-hashed word counts (Weinberger et al., 2009): cheap vectors a store can hold."""
    return [_hashed(text) for text in texts]


def _hashed(text: str) -> list[float]:
    vector = [0.0] * HASHED_SIZE
    for word in split_words(text):
        code = zlib.crc32(word.encode())
        vector[code % HASHED_SIZE] += 1.0 if code & 0x10000 else -1.0
    norm = sqrt(sum(value * value for value in vector))
    if not norm:
        vector[0] = norm = 1.0
    return [value / norm for value in vector]


class _MiniLM:
    """MiniLM on ONNX Runtime by ChromaDB's own function, loaded on first use."""

    def __init__(self) -> None:
        self._function: Any = None

    def __call__(self, texts: list[str]) -> list[list[float]]:
        """Embed."""
        if self._function is None:
            from chromadb.utils.embedding_functions.onnx_mini_lm_l6_v2 import ONNXMiniLM_L6_V2

            self._function = ONNXMiniLM_L6_V2()
        vectors: list[list[float]] = []
        for start in range(0, len(texts), _BATCH):
            vectors += [[float(value) for value in vector] for vector in self._function(texts[start : start + _BATCH])]
        return vectors
