"""Untrusted text made harmless: terminal output decoded to styled lines, and plain strings made visible.

Of everything a program can print, only SGR (colours and attributes) has an effect. Cursor movement, titles, clipboard
writes, device queries, C0 and C1 controls are removed; bidirectional overrides are shown, never obeyed.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from functools import cache

from rich.text import Text

__all__ = ["AnsiLines", "clean", "visible", "without_controls"]

_ESCAPES = (
    r"\x1b\[(?P<sgr>[0-9;:]*)m"  # SGR: kept
    r"|\x1b\[[0-?]*[ -/]*[@-~]"  # any other CSI
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\|\x9c|$)"  # OSC, DCS, SOS, PM, APC with their payload
    r"|\x1b[ -/]*[0-~]"  # other escapes
    r"|\x1b$|\x1b"
    r"|\x9b[0-?]*[ -/]*[@-~]"  # 8-bit CSI
    r"|[\x9d\x90\x98\x9e\x9f].*?(?:\x07|\x1b\\|\x9c|$)"
)
_OPEN_TAIL = r"\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b]{0,4096}\x1b?)?\Z"
_CONTROL = r"[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]"
_BIDI = "[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]"
_ANY_CONTROL = "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]"
_MAX_SGR = 64
MAX_LINE = 16_384
"""Code points kept of one line."""


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Return the pattern compiled when it is first needed: compiling all takes longer than painting them."""
    return re.compile(pattern, re.DOTALL)


def clean(text: str, limit: int = 4096) -> str:
    """Return `text` on one line, without any control or bidirectional character, at most `limit` code points."""
    if len(text) <= limit and text.isascii() and text.isprintable():
        return " ".join(text.split())
    cut = text[: limit + 1]
    flat = " ".join(_compiled(_ANY_CONTROL).sub(" ", _compiled(_ESCAPES).sub("", cut)).split())
    return flat if len(text) <= limit else flat[:limit] + "…"


def without_controls(text: str) -> str:
    """Return `text` without control and bidirectional characters, whatever is left of a sequence's rest."""
    return text if text.isascii() and text.isprintable() else _compiled(_ANY_CONTROL).sub("", text)


def visible(text: str) -> str:
    """Return a source line with tabs expanded and every control or bidirectional character shown as a symbol."""
    if text.isascii() and text.isprintable():
        return text
    return _compiled(_ANY_CONTROL).sub(_show, text.expandtabs(4))


def _show(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x20:  # noqa: PLR2004 - the C0 controls have pictures at U+2400
        return chr(0x2400 + code)
    return "␡" if code == 0x7F else f"<U+{code:04X}>"  # noqa: PLR2004 - DEL


class AnsiLines:
    """An incremental decoder: bytes in, as they come; whole styled lines out.

    Sequences and characters cut between two chunks are put together. A carriage return inside a line restarts it, so
    that progress bars show their last state.
    """

    def __init__(self) -> None:
        from rich.ansi import AnsiDecoder

        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")
        self._styles = AnsiDecoder()
        self._pending = ""

    def feed(self, data: bytes) -> list[Text]:
        """Return the lines that `data` completes."""
        self._pending += self._utf8.decode(data)
        if "\n" not in self._pending:
            if len(self._pending) <= MAX_LINE:
                return []
            held = _compiled(_OPEN_TAIL).search(self._pending)
            cut = held.start() if held and held.start() > 0 else MAX_LINE
            lines, self._pending = [self._pending[:cut]], self._pending[cut:]
        else:
            *lines, self._pending = self._pending.split("\n")
        return [self._line(line) for line in lines]

    def flush(self) -> list[Text]:
        """Return what is left as a last line, if anything is."""
        rest = self._pending + self._utf8.decode(b"", final=True)
        self._pending = ""
        return [self._line(rest)] if rest else []

    def tail(self) -> Text:
        """Return the line under way, without consuming it."""
        rest = _compiled(_OPEN_TAIL).sub("", self._pending)
        return Text(_plain(rest))

    def _line(self, raw: str) -> Text:
        raw = raw.rstrip("\r")
        if "\r" in raw:
            raw = raw.rsplit("\r", 1)[1]
        kept = _compiled(_ESCAPES).sub(_keep_sgr, raw[:MAX_LINE])
        return self._styles.decode_line(_plain(kept, sgr=True))


def _keep_sgr(match: re.Match[str]) -> str:
    codes = match.group("sgr")
    return f"\x1b[{codes.replace(':', ';')}m" if codes is not None and len(codes) <= _MAX_SGR else ""


def _plain(text: str, *, sgr: bool = False) -> str:
    if not sgr:
        text = _compiled(_ESCAPES).sub("", text)
    text = (
        _compiled(_CONTROL).sub("", text.expandtabs(8))
        if sgr
        else _compiled(_CONTROL).sub("", text.replace("\x1b", "").expandtabs(8))
    )
    return _compiled(_BIDI).sub(_show, text)


def decode_all(data: bytes | Iterable[bytes]) -> list[Text]:
    """Return all lines of `data`."""
    decoder = AnsiLines()
    chunks = (data,) if isinstance(data, bytes) else data
    return [line for chunk in chunks for line in decoder.feed(chunk)] + decoder.flush()
