"""Which paths a model may write: relative, inside the tree, not protected, through no symbolic link."""

from __future__ import annotations

import difflib
import posixpath
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from studio.agents.edits.globs import matches
from studio.ports.engine import SyntaxGate

__all__ = ["EditPolicy", "near_paths", "refused_path"]

MAX_PATH_BYTES = 1024
MAX_NAME_BYTES = 255
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_DRIVE = re.compile(r"^[A-Za-z]:")
_RESERVED = {".git": "git's own directory", ".studio": "the studio's settings"}


def _no_link(_path: str) -> str:
    return ""


def _no_mode(_path: str) -> int | None:
    return None


@dataclass(frozen=True)
class EditPolicy:
    """What edits are held to. The callables ask about the tree as it is before the reply."""

    paths: Sequence[str] = ()
    """Every file of the tree."""
    protect: Sequence[str] = ()
    """Globs never to be touched."""
    syntax: SyntaxGate | None = None
    link_on: Callable[[str], str] = field(default=_no_link)
    """Returns the part of a path that is a symbolic link (or a special file), empty if there is none."""
    mode: Callable[[str], int | None] = field(default=_no_mode)
    """Returns a file's permission bits."""


def refused_path(path: str, policy: EditPolicy) -> str:
    """Return why `path` may not be written, empty if it may."""
    return _malformed(path) or _reserved(path) or _guarded(path, policy)


def _malformed(path: str) -> str:
    if not path.strip():
        return "the path is empty"
    if _CONTROL.search(path) or any("\ud800" <= char <= "\udfff" for char in path):
        return "the path holds control characters"
    if len(path.encode()) > MAX_PATH_BYTES or any(len(name.encode()) > MAX_NAME_BYTES for name in path.split("/")):
        return "the path is too long"
    if path.startswith(("/", "~")) or _DRIVE.match(path) or "\\" in path:
        return "paths are relative to the repository's root, with forward slashes"
    return _indirect(path)


def _indirect(path: str) -> str:
    if ".." in path.split("/"):
        return "the path leaves the repository"
    plain = posixpath.normpath(path)
    if plain == ".":
        return "the path names a directory"
    return "" if plain == path else f"write the path plainly, as {plain}"


def _plain(name: str) -> str:
    """Return a name as file systems that fold case and ignore some characters see it."""
    kept = "".join(char for char in unicodedata.normalize("NFKC", name) if unicodedata.category(char) != "Cf")
    return kept.casefold().rstrip(". ").split(":")[0]


def _reserved(path: str) -> str:
    names = [_plain(name) for name in path.split("/")]
    if ".git" in names or any(re.fullmatch(r"git~\d+", name) for name in names):
        return f"{_RESERVED['.git']} is never written"
    return f"{_RESERVED['.studio']} are written by people alone" if names[0] == ".studio" else ""


def _guarded(path: str, policy: EditPolicy) -> str:
    for pattern in policy.protect:
        if matches(path, pattern):
            return f"the brief protects it (`{pattern}`); solve the task without touching it"
    link = policy.link_on(path)
    return f"{link} is a symbolic link or a special file; edit the file it stands for by its own path" if link else ""


def near_paths(path: str, known: Iterable[str]) -> list[str]:
    """Return up to three known paths that look like `path`: the same name elsewhere first, then similar ones."""
    listing = list(known)
    name = posixpath.basename(path).casefold()
    same = [other for other in listing if posixpath.basename(other).casefold() == name and other != path]
    close = difflib.get_close_matches(path, listing[:20_000], n=3, cutoff=0.7)
    return list(dict.fromkeys([*same, *close]))[:3]
