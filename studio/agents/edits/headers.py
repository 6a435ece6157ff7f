"""Telling a line that names a file from prose, and a fence from text."""

from __future__ import annotations

import re

__all__ = ["bare_name", "fence_path", "is_labelled", "opening_fence", "path_line"]

_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})([^`]*)$")
_INFO_PATH = re.compile(r"(?:^|\s)(?:path|file|filename|title)\s*[=:]\s*(\"[^\"]+\"|'[^']+'|`[^`]+`|\S+)")
_LABEL = re.compile(r"^(?:\*\*)?(?:FILE|File|PATH|Path|WHOLE|Filename)(?:\*\*)?\s*:?\s+(?:\*\*)?(.+)$")
_DECORATION = re.compile(r"^(?:#{1,6}\s+|[-*]\s+)?(?:\*\*)?(`?)([^`*]+)\1(?:\*\*)?:?$")
_TOKEN = re.compile(r"^[^\s<>|\"'*?()\[\]{},;]+$")
_WELL_KNOWN = frozenset(
    [
        "Makefile",
        "Dockerfile",
        "Containerfile",
        "LICENSE",
        "README",
        "CHANGELOG",
        "Procfile",
        "Gemfile",
        "Rakefile",
        "Justfile",
        "Vagrantfile",
        "NOTICE",
        "CODEOWNERS",
        "AUTHORS",
    ]
)


def opening_fence(line: str) -> tuple[str, str] | None:
    """Return a fence's marks and its info string, None if the line is no fence."""
    match = _FENCE.match(line)
    return (match.group(1), match.group(2).strip()) if match else None


def fence_path(info: str) -> str:
    """Return the path a fence's info string names, as in `python path=a.py`; else empty."""
    match = _INFO_PATH.search(info)
    return match.group(1).strip("\"'`") if match else ""


def is_labelled(line: str) -> bool:
    """Whether a line announces a whole file: `FILE: a.py`."""
    return bool(_LABEL.match(line.strip()))


def path_line(line: str) -> str:
    """Return the path a line consists of, plain, quoted by backticks, bold, as a heading or after `File:`; else empty."""
    bare = line.strip()
    if not bare or bare.startswith(("```", "~~~")):
        return ""
    if label := _LABEL.match(bare):
        return label.group(1).strip().strip("`*:").strip()
    match = _DECORATION.match(bare)
    if not match:
        return ""
    path = match.group(2).strip().rstrip(":")
    if match.group(1):
        return path if _TOKEN.match(path.replace(" ", "_")) and ("/" in path or "." in path or _is_path(path)) else ""
    return path if _is_path(path) else ""


def bare_name(line: str) -> str:
    """Return the line if it is one word that may name a file, such as `config`: only right above a block is it read so."""
    bare = line.strip().strip("`*")
    return bare if _TOKEN.match(bare) and not bare.endswith((":", ".", "!")) else ""


def _is_path(text: str) -> bool:
    if not _TOKEN.match(text) or text.endswith((".", "/")):
        return False
    return "/" in text or "." in text.lstrip(".") or text in _WELL_KNOWN or text.startswith(".")
