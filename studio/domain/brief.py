"""The brief: Markdown with optional front matter, cut into sentences with stable ids."""

from __future__ import annotations

import math
import re
from itertools import pairwise
from typing import Any, cast

import msgspec

from studio.domain.errors import BriefError
from studio.domain.ids import BriefName, content_digest, short_digest
from studio.domain.stages import Depth
from studio.domain.value import Value

__all__ = ["MAX_BRIEF_BYTES", "Brief", "FrontMatter", "Sentence", "parse_brief", "read_brief_bytes"]

MAX_BRIEF_BYTES = 1024 * 1024
"""A brief is read by people; what is larger is a mistake."""

_FRONT = re.compile(r"\A---[ \t]*\n(.*?)^---[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_BREAK = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(\[]*[A-Z0-9`*_])|\n\s*\n|\n(?=\s*(?:[-*+]|\d+[.)])\s)|(?<=\n)(?=#)")
_FENCE = re.compile(r"^(```|~~~).*?^\1[ \t]*$", re.DOTALL | re.MULTILINE)


class FrontMatter(Value, frozen=True, forbid_unknown_fields=True):
    """The brief's settings."""

    title: str = ""
    overlays: tuple[str, ...] = ()
    """For people: no stage reads it."""
    languages: tuple[str, ...] = ()
    """For people: languages are told from the files."""
    depth: Depth = Depth.AUTO
    budget: float | None = None
    """US dollars."""
    models: tuple[str, ...] = ()
    context: tuple[str, ...] = ()
    """Globs of files to show the model."""
    accept: tuple[str, ...] = ()
    """Commands that must exit 0."""
    protect: tuple[str, ...] = ()
    """Globs never to be touched."""
    private: tuple[str, ...] = ()
    """Globs never sent to a model."""


class Sentence(Value, frozen=True):
    """A sentence, list item or code block: `start`..`end` are code points in the brief's whole text."""

    id: str
    start: int
    end: int
    text: str


class Brief(Value, frozen=True):
    """A parsed brief. `text` is the whole of it, front matter included, with LF line ends."""

    name: BriefName
    text: str
    revision: str
    """Digest of the text, 16 hex digits."""
    front: FrontMatter
    body_start: int
    sentences: tuple[Sentence, ...]

    @property
    def body(self) -> str:
        """The Markdown after the front matter."""
        return self.text[self.body_start :]

    @property
    def title(self) -> str:
        """The title of the front matter, else the first heading, else the name."""
        heading = re.search(r"^#+\s+(.+?)\s*#*$", self.body, re.MULTILINE)
        return self.front.title or (heading.group(1) if heading else self.name)


def read_brief_bytes(name: str, data: bytes) -> str:
    """Return the brief's text with LF line ends.

    Raises:
        BriefError: too big, not UTF-8, or with NUL bytes.

    """
    if len(data) > MAX_BRIEF_BYTES:
        raise BriefError(
            f"The brief {name} is {len(data) / 1e6:.1f} MB; at most {MAX_BRIEF_BYTES / 1e6:.0f} MB are read.",
            "Keep the brief to what is wanted and name large files under `context:`.",
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BriefError(
            f"The brief {name} is not UTF-8 (byte {error.start}).", "Save it as UTF-8 and run again."
        ) from None
    if "\0" in text:
        raise BriefError(f"The brief {name} holds NUL bytes.", "Give a Markdown file.")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def parse_brief(name: str, text: str) -> Brief:
    """Parse a brief.

    Raises:
        BriefError: the body is empty, or the front matter is broken.

    """
    match = _FRONT.match(text)
    front = _front_matter(name, match.group(1)) if match else FrontMatter()
    if match is None and text.startswith("---\n"):
        raise BriefError(f"The front matter of {name} is not closed.", "End it with a line that reads `---`.")
    body_start = match.end() if match else 0
    if not text[body_start:].strip():
        raise BriefError(f"The brief {name} is empty.", "Write what you want in plain words.")
    return Brief(
        BriefName(name), text, content_digest(text)[:16], front, body_start, tuple(_sentences(text, body_start))
    )


def _front_matter(name: str, text: str) -> FrontMatter:
    import yaml

    try:
        loaded: Any = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 2})" if mark else ""
        raise BriefError(
            f"The front matter of {name} is not YAML{where}: {getattr(error, 'problem', None) or error}.",
            "Write `key: value` lines between the `---` lines.",
        ) from None
    except RecursionError:
        raise BriefError(
            f"The front matter of {name} is nested too deep.", "Write `key: value` lines between the `---` lines."
        ) from None
    if loaded is None:
        return FrontMatter()
    if not isinstance(loaded, dict):
        raise BriefError(f"The front matter of {name} is not a list of keys.", "Write `key: value` lines.")
    fields = cast("dict[str, Any]", loaded)
    listed = {"overlays", "languages", "models", "context", "accept", "protect", "private"}
    plain = {key: [value] if key in listed and isinstance(value, str) else value for key, value in fields.items()}
    try:
        front = msgspec.convert(plain, FrontMatter)
    except msgspec.ValidationError as error:
        known = ", ".join(FrontMatter.__struct_fields__)
        raise BriefError(f"The front matter of {name}: {error}.", f"The keys are {known}.") from None
    if front.budget is not None and not 0 <= front.budget < math.inf:  # NaN compares with nothing: no budget would hold
        raise BriefError(f"The front matter of {name}: the budget is no amount.", "Give US dollars, 0 or more.")
    return front


def _sentences(text: str, start: int) -> list[Sentence]:
    fences = [match.span() for match in _FENCE.finditer(text, start)]
    cuts = sorted(
        {start, len(text)}
        | {match.end() for match in _BREAK.finditer(text, start) if not any(a < match.end() < b for a, b in fences)}
    )
    found: list[Sentence] = []
    seen: dict[str, int] = {}
    for begin, end in pairwise(cuts):
        raw = text[begin:end]
        stripped = raw.strip()
        if not stripped or stripped.strip("#-*_ ") == "":
            continue
        first = begin + (len(raw) - len(raw.lstrip()))
        normal = " ".join(stripped.split()).casefold()
        ordinal = seen[normal] = seen.get(normal, 0) + 1
        found.append(
            Sentence(short_digest("s", normal, str(ordinal), length=6), first, first + len(stripped), stripped)
        )
    return found
