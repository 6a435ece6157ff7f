"""Which paths may never be written: git's own, links, what is outside, ignored or protected."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Sequence

from studio.domain.errors import UsageError
from studio.workspace.git import Entry, Git, GitFailed, literal
from studio.workspace.store import Store

__all__ = ["check_paths", "is_git_name"]

_REGULAR = {"100644", "100755", "000000"}
_NAMED = 3


def is_git_name(name: str) -> bool:
    """Whether a file system may take a name for `.git`.

    Any case, trailing dots and spaces, short and stream names of NTFS, characters that HFS+ passes over.
    """
    plain = "".join(char for char in unicodedata.normalize("NFKC", name) if unicodedata.category(char) != "Cf")
    plain = plain.casefold().split(":")[0].rstrip(". ")
    return plain == ".git" or re.fullmatch(r"git~\d+", plain) is not None


def check_paths(store: Store, view: Git, entries: Sequence[Entry], protect: Sequence[str]) -> None:
    """Refuse a landing that would write where none may.

    Raises:
        UsageError: naming each path.

    """
    paths = [entry.path for entry in entries]
    _refuse([path for path in paths if _escapes(path)], "inside .git or outside the tree", "Reject its hunks.")
    special = [entry.path for entry in entries if not {entry.old_mode, entry.new_mode} <= _REGULAR]
    _refuse(special, "a symbolic link or a submodule", "Reject its hunks and make it yourself.")
    _refuse(_matching(store, protect, paths), "protected", "Reject its hunks: the brief's `protect` names it.")
    added = [entry.path for entry in entries if entry.status == "A"]
    _refuse(_ignored(view, added), "ignored by git", "Reject its hunks, or change .gitignore first.")


def _escapes(path: str) -> bool:
    parts = re.split(r"[/\\]", path)
    return path.startswith("/") or not path or any(part in {"", ".", ".."} or is_git_name(part) for part in parts)


def _ignored(git: Git, paths: Sequence[str]) -> list[str]:
    """Return the paths git ignores. The command takes no literal pathspecs; `./` before each path keeps `:` from being magic."""
    if not paths:
        return []
    plain = git.with_env(GIT_LITERAL_PATHSPECS="0")
    done = plain.call("check-ignore", "-z", "--stdin", data=literal(f"./{path}" for path in paths))
    if done.returncode not in {0, 1}:
        raise GitFailed("check-ignore", done.returncode, done.stderr.decode("utf-8", "replace"))
    return [os.fsdecode(item).removeprefix("./") for item in done.stdout.split(b"\0") if item]


def _matching(store: Store, globs: Sequence[str], paths: Sequence[str]) -> list[str]:
    """Return the paths that match, by the rules of .gitignore, which git itself applies in an empty directory."""
    if not globs:
        return []
    with store.scratch() as directory:
        (directory / "globs").write_text("\n".join(globs) + "\n", encoding="utf-8")
        (directory / "empty").mkdir()
        git = Git(
            store.git.git_dir,
            directory / "empty",
            directory / "index",
            (f"core.excludesFile={directory / 'globs'}",),
            store.git.extra,
        )
        return _ignored(git, paths)


def _refuse(paths: Sequence[str], why: str, do: str) -> None:
    if not paths:
        return
    named = ", ".join(paths[:_NAMED]) + (f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else "")
    verb = "is" if len(paths) == 1 else "are"
    raise UsageError(f"{named} {verb} {why}.", do)
