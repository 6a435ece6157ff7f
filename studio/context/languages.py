"""The languages that are parsed, and how a path tells which one it is in."""

from __future__ import annotations

from pathlib import PurePosixPath

__all__ = ["EXTENSIONS", "language_of", "looks_generated"]

MAX_PARSED_BYTES = 1_000_000
"""Larger files are data or generated: a 5 MB bundle costs 1.4 s to parse and tells nothing."""

_MINIFIED_MEAN_LINE = 400
_MINIFIED_FROM = 4_096

EXTENSIONS: dict[str, str] = {
    ".py": "python",
    ".pyi": "python",
    ".js": "javascript",
    ".jsx": "javascript",
    ".mjs": "javascript",
    ".cjs": "javascript",
    ".ts": "typescript",
    ".mts": "typescript",
    ".cts": "typescript",
    ".tsx": "tsx",
    ".go": "go",
    ".java": "java",
    ".rs": "rust",
    ".rb": "ruby",
    ".rake": "ruby",
    ".gemspec": "ruby",
    ".php": "php",
}

_NAMES = {"Rakefile": "ruby", "Gemfile": "ruby", "config.ru": "ruby", "SConstruct": "python", "wscript": "python"}


def language_of(path: str) -> str | None:
    """Return the language of a path by its name alone, None if it is not parsed."""
    pure = PurePosixPath(path)
    return _NAMES.get(pure.name) or EXTENSIONS.get(pure.suffix.lower())


def looks_generated(path: str, data: bytes) -> bool:
    """Return whether a file is too big, binary or minified: nothing worth reading is in its tree."""
    if len(data) > MAX_PARSED_BYTES or b"\0" in data[:8192] or ".min." in PurePosixPath(path).name:
        return True
    return len(data) > _MINIFIED_FROM and len(data) > _MINIFIED_MEAN_LINE * (data.count(b"\n") + 1)
