"""Folding of punctuation and composition that models do not reproduce faithfully: quotes, dashes, spaces, NFD."""

from __future__ import annotations

import unicodedata

__all__ = ["fold", "fold_with_offsets"]

_GROUPS = {
    "'": "\u2018\u2019\u201a\u201b\u2032\u02bc\uff07",
    '"': "\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb\uff02",
    "-": "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d",
    " ": "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000",
    "...": "\u2026",
    "": "\u200b\u200c\u200d\u2060\ufeff\u00ad",
}
_TABLE = {ord(char): plain for plain, chars in _GROUPS.items() for char in chars}


def fold(text: str) -> str:
    """Return `text` composed (NFC) and with look-alike punctuation and spaces in ASCII."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", text).translate(_TABLE)


def fold_with_offsets(text: str) -> tuple[str, list[int]]:
    """Return the folded text, and for each of its characters (and its end) the offset it came from."""
    folded: list[str] = []
    offsets: list[int] = []
    at = 0
    while at < len(text):
        end = at + 1
        while end < len(text) and unicodedata.combining(text[end]):
            end += 1
        for char in fold(text[at:end]):
            folded.append(char)
            offsets.append(at)
        at = end
    offsets.append(len(text))
    return "".join(folded), offsets
