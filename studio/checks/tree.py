"""Looking at a tree nobody vouches for: no link is followed, nothing but regular files is opened, all is bounded."""

from __future__ import annotations

import configparser
import os
import stat
import tomllib
from functools import cached_property
from pathlib import Path
from typing import Any, cast

__all__ = ["TreeView", "read_regular"]

MAX_FILES = 50_000
MAX_DEPTH = 64
MAX_READ = 2_000_000
MAX_ARGUMENTS = 500

_SKIPPED = frozenset({".git", ".hg", ".venv", "venv", "node_modules", "__pycache__", ".tox", ".mypy_cache", "target"})


def read_regular(root: Path, path: str, limit: int = MAX_READ) -> bytes | None:
    """Return up to `limit` bytes of a regular file below `root`; None for anything else, links on the way included."""
    parts = path.split("/")
    if path.startswith("/") or any(part in {"", ".", ".."} for part in parts):
        return None
    directory = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in parts[:-1]:
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=directory)
            os.close(directory)
            directory = inner
        handle = os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=directory)
    except OSError:
        return None
    finally:
        os.close(directory)
    with os.fdopen(handle, "rb") as file:
        return file.read(limit) if stat.S_ISREG(os.fstat(handle).st_mode) else None


class TreeView:
    """The files of a tree, and which of them the change touches."""

    def __init__(self, root: Path, changed: tuple[str, ...] = (), test_command: str = "") -> None:
        self.root = root
        self.test_command = test_command
        self._changed = changed

    @cached_property
    def files(self) -> tuple[str, ...]:
        """Paths of regular files, sorted, at most 50,000; dependencies, caches and names that are not UTF-8 are left out."""
        found: list[str] = []
        pending = [("", 0)]
        while pending and len(found) < MAX_FILES:
            below, depth = pending.pop()
            try:
                entries = list(os.scandir(self.root / below))
            except OSError:
                continue
            for entry in entries:
                if not _is_text(entry.name):
                    continue
                path = f"{below}/{entry.name}" if below else entry.name
                if entry.is_dir(follow_symlinks=False):
                    if depth < MAX_DEPTH and entry.name not in _SKIPPED:
                        pending.append((path, depth + 1))
                elif entry.is_file(follow_symlinks=False):
                    found.append(path)
        return tuple(sorted(found[:MAX_FILES]))

    @cached_property
    def scope(self) -> tuple[str, ...]:
        """What is checked: the files the change touches, those that are still there; all files without a change."""
        if not self._changed:
            return self.files
        there = set(self.files)
        return tuple(path for path in dict.fromkeys(self._changed) if path in there)

    def scoped(self, *suffixes: str) -> tuple[str, ...]:
        """Return files of the scope with one of the suffixes; a name that looks like an option gets `./` before it."""
        return tuple(f"./{path}" if path.startswith("-") else path for path in self.scope if path.endswith(suffixes))

    def targets(self, *suffixes: str) -> tuple[str, ...]:
        """Return what a command line can hold: the scoped files, or the whole tree where they are many."""
        files = self.scoped(*suffixes)
        return files if len(files) <= MAX_ARGUMENTS else (".",)

    def has(self, path: str) -> bool:
        """Return whether a regular file is at `path`."""
        return path in self._there

    @cached_property
    def _there(self) -> frozenset[str]:
        return frozenset(self.files)

    @cached_property
    def pyproject(self) -> dict[str, Any]:
        """The `tool` table of `pyproject.toml`, empty where there is none that can be read."""
        data = read_regular(self.root, "pyproject.toml")
        try:
            tools: Any = tomllib.loads((data or b"").decode()).get("tool", {})
        except (ValueError, RecursionError):
            return {}
        return cast("dict[str, Any]", tools) if isinstance(tools, dict) else {}

    def ini_has(self, path: str, *sections: str) -> bool:
        """Return whether an INI file has one of the sections."""
        parser = configparser.ConfigParser(interpolation=None, strict=False)
        try:
            parser.read_string((read_regular(self.root, path) or b"").decode("utf-8", "replace"))
        except configparser.Error:
            return False
        return any(parser.has_section(section) for section in sections)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
