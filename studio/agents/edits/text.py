"""A text file's bytes as text and back, losing nothing: encoding, byte order mark, line ends."""

from __future__ import annotations

import codecs
import re
from collections import Counter

from studio.domain.value import Value

__all__ = ["Line", "TextFile", "Unreadable", "decode_file", "dominant_eol", "encode_text", "split_lines", "to_lines"]

_PIECE = re.compile(r"[^\n]*\n|[^\n]+")
_LAST_ASCII, _LAST_LATIN_1 = 0x7F, 0xFF
_C1 = re.compile(r"[\x80-\x9f]")


class Unreadable(Value, frozen=True):
    """Why bytes are not edited as text."""

    reason: str


class TextFile(Value, frozen=True):
    """A decoded file. `text` keeps its line ends and has no byte order mark."""

    text: str
    encoding: str = "utf-8"
    """`utf-8` or `latin-1`."""
    bom: bool = False


class Line(Value, frozen=True):
    """A line: its text and its end (LF, CRLF, or nothing at the end of a file)."""

    body: str
    eol: str

    @property
    def whole(self) -> str:
        """The line as it stands in the file."""
        return self.body + self.eol


def decode_file(data: bytes) -> TextFile | Unreadable:
    """Return the bytes as text. What is not UTF-8 is read as latin-1, which keeps every byte."""
    if b"\0" in data:
        return Unreadable("it is a binary file (it holds NUL bytes); it can only be deleted, renamed or left alone")
    bom = data.startswith(codecs.BOM_UTF8)
    rest = data[len(codecs.BOM_UTF8) :] if bom else data
    try:
        return TextFile(rest.decode("utf-8"), bom=bom)
    except UnicodeDecodeError:
        return TextFile(data.decode("latin-1"), "latin-1")


def encode_text(text: str, like: TextFile) -> bytes | Unreadable:
    """Return `text` in the encoding of `like`, or why that cannot be done without damage."""
    if like.encoding == "utf-8":
        try:
            return (codecs.BOM_UTF8 if like.bom else b"") + text.encode("utf-8")
        except UnicodeEncodeError:
            return Unreadable("the new text holds half a surrogate pair; write whole characters")
    known = set(like.text)
    strange = sorted({char for char in text if ord(char) > _LAST_ASCII} - known)
    if not strange:
        return text.encode("latin-1")
    shown = ", ".join(repr(char) for char in strange[:4])
    if _C1.search(like.text) or any(ord(char) > _LAST_LATIN_1 for char in strange):
        return Unreadable(
            f"the file is not UTF-8 and {shown} cannot be written in its encoding; use ASCII characters in this file"
        )
    return text.encode("latin-1")


def split_lines(text: str) -> list[Line]:
    """Return the lines of a file; a carriage return counts as part of a line's end only before a newline."""
    lines: list[Line] = []
    for match in _PIECE.finditer(text):
        piece = match.group()
        if piece.endswith("\r\n"):
            lines.append(Line(piece[:-2], "\r\n"))
        elif piece.endswith("\n"):
            lines.append(Line(piece[:-1], "\n"))
        else:
            lines.append(Line(piece, ""))
    return lines


def to_lines(text: str) -> list[str]:
    """Return a model's text as lines without their ends; its last newline ends a line and begins none."""
    if not text:
        return []
    plain = text.replace("\r\n", "\n")
    return (plain.removesuffix("\n")).split("\n")


def dominant_eol(lines: list[Line]) -> str:
    """Return the line end most lines have, LF if there is none."""
    counts = Counter(line.eol for line in lines if line.eol)
    return counts.most_common(1)[0][0] if counts else "\n"
