"""Reading files of a tree, and telling which of them nobody may see."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pathspec import GitIgnoreSpec

from studio.domain.errors import BriefError

__all__ = ["Globs", "read_text_file"]

MAX_BYTES = 1_000_000


def read_text_file(tree: Path, path: str, limit: int = MAX_BYTES) -> bytes:
    """Return a regular file's bytes; nothing for links, devices, what is outside, binary or larger than `limit`."""
    where = tree / path
    try:
        if where.is_symlink() or not where.is_file() or where.stat().st_size > limit:
            return b""
        if not where.resolve().is_relative_to(tree.resolve()):
            return b""
        data = where.read_bytes()
    except (OSError, ValueError):
        return b""
    return b"" if b"\0" in data[:8192] else data


class Globs:
    """Globs as in `.gitignore`: `*.key` matches at any depth, `secrets/` a folder and all below it."""

    def __init__(self, patterns: Sequence[str]) -> None:
        """Compile the patterns.

        Raises:
            BriefError: a pattern is none.

        """
        try:
            self._spec = GitIgnoreSpec.from_lines(patterns)
        except ValueError as error:
            raise BriefError(f"A glob of the brief is broken: {error}", "Write it as in .gitignore.") from None

    def match(self, path: str) -> bool:
        """Return whether a path matches."""
        return self._spec.match_file(path)
