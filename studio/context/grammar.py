"""Tree-sitter: grammars loaded on first use, parsing within a time limit.

The only module that imports tree-sitter. Trees of hostile bytes may nest tens of thousands deep, so nothing here
recurses and no node is ever turned into a string (that recurses in C and overflows the stack).
"""

from __future__ import annotations

import importlib
import time
from functools import cache

import tree_sitter

__all__ = ["Node", "Query", "QueryCursor", "compile_query", "load", "parse"]

Node = tree_sitter.Node
Query = tree_sitter.Query
QueryCursor = tree_sitter.QueryCursor

PARSE_SECONDS = 3.0
"""Ordinary source parses at some 5 MB/s; only input made to be slow comes near this."""

_CHUNK = 1 << 16

_GRAMMARS = {
    "python": ("tree_sitter_python", "language"),
    "javascript": ("tree_sitter_javascript", "language"),
    "typescript": ("tree_sitter_typescript", "language_typescript"),
    "tsx": ("tree_sitter_typescript", "language_tsx"),
    "go": ("tree_sitter_go", "language"),
    "java": ("tree_sitter_java", "language"),
    "rust": ("tree_sitter_rust", "language"),
    "ruby": ("tree_sitter_ruby", "language"),
    "php": ("tree_sitter_php", "language_php"),
}


@cache
def load(language: str) -> tree_sitter.Language:
    """Return the grammar of a language of `studio.context.languages`."""
    module, function = _GRAMMARS[language]
    pointer: object = getattr(importlib.import_module(module), function)()
    return tree_sitter.Language(pointer)


def parse(language: str, data: bytes, seconds: float = PARSE_SECONDS) -> tree_sitter.Tree | None:
    """Return the syntax tree of `data`, None where parsing took longer than `seconds`.

    The bytes go in through a read callback: the binding honours its progress callback only then.
    """
    deadline = time.monotonic() + seconds
    parser = tree_sitter.Parser(load(language))

    def read(offset: int, _point: tree_sitter.Point) -> bytes:
        return data[offset : offset + _CHUNK]

    def late(_offset: int, _has_error: bool) -> bool:
        return time.monotonic() > deadline

    try:
        return parser.parse(read, progress_callback=late)
    except ValueError:
        return None


def compile_query(language: str, source: str) -> tree_sitter.Query:
    """Return `source` compiled for a language."""
    return tree_sitter.Query(load(language), source)
