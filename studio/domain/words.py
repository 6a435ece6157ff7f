"""Words of code and prose, for lexical search: identifiers are found whole and by their parts."""

from __future__ import annotations

import re

__all__ = ["split_words"]

_WORD = re.compile(r"\w+")
_PART = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")


def split_words(text: str) -> list[str]:
    """Return identifiers and their parts in lower case: `readJSON_file` gives itself, `read`, `json`, `file`."""
    words: list[str] = []
    for word in _WORD.findall(text):
        parts = _PART.findall(word) if word.isascii() else [part for part in word.split("_") if part]
        words.append(word.lower())
        if len(parts) > 1:
            words.extend(part.lower() for part in parts)
    return words
