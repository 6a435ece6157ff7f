"""Between the bytes of blobs and the bytes of working files, where eol attributes or `core.autocrlf` make them differ.

Only landed lines change: a working file keeps every byte of its other lines, mixed line ends included.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from studio.domain.errors import UsageError
from studio.workspace.diff import file_hunks
from studio.workspace.git import Git, literal
from studio.workspace.lines import split_lines
from studio.workspace.store import Store
from studio.workspace.transaction import moved

__all__ = ["Converter", "blob_id"]

_ATTRIBUTES = ("text", "eol", "crlf", "ident", "working-tree-encoding", "filter")
_PLAIN = frozenset({"unspecified", "unset"})


def blob_id(content: bytes) -> str:
    """Return the id git gives these bytes."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


class Converter:
    """Converts files of one working tree."""

    def __init__(self, store: Store, view: Git, paths: Sequence[str]) -> None:
        self._store = store
        self._view = view
        self._auto = any(setting.startswith("core.autocrlf=") for setting in view.settings)
        self._marked = self._attributes(paths)
        filtered = [path for path, names in self._marked.items() if "filter" in names]
        if filtered:
            raise UsageError(
                f"{filtered[0]} is under a clean filter.", "Reject its hunks: the studio never runs filters."
            )

    def _attributes(self, paths: Sequence[str]) -> dict[str, set[str]]:
        if not paths:
            return {}
        fields = self._view.paths("check-attr", "-z", "--stdin", *_ATTRIBUTES, data=literal(paths))
        marked: dict[str, set[str]] = {}
        for path, name, value in zip(fields[::3], fields[1::3], fields[2::3], strict=True):
            if value not in _PLAIN:
                marked.setdefault(path, set()).add(name)
        return marked

    def working(self, path: str, now: bytes | None, before: str, after: str, content: bytes) -> bytes:
        """Return the bytes of the working file once it holds the blob `after`.

        Args:
            path: in the working tree.
            now: the file's bytes, None if there is none.
            before: the blob that those stand for.
            after: the blob it is to hold.
            content: the bytes of `after`.

        Raises:
            Moved: `now` does not stand for `before`.
            UsageError: the attributes of the path do not let it be written line by line.

        """
        if now is None:
            if not self._auto and path not in self._marked:
                return content
            return self._view.run("cat-file", "--filters", f"--path={path}", after)
        if blob_id(now) == before:
            return content
        if self._clean(path, now) != before:
            raise moved(path)
        result = self._by_lines(now, before, after, content)
        if self._clean(path, result) != after:
            raise UsageError(f"The attributes of {path} forbid a change of single lines.", "Reject its hunks.")
        return result

    def check(self, path: str, now: bytes, before: str) -> None:
        """Raise Moved unless the bytes of a working file stand for the blob `before`."""
        if before not in (blob_id(now), self._clean(path, now)):
            raise moved(path)

    def _clean(self, path: str, content: bytes) -> str:
        return self._view.text("hash-object", "--stdin", f"--path={path}", data=content)

    def _by_lines(self, now: bytes, before: str, after: str, content: bytes) -> bytes:
        """Return `now` with the lines that differ between the blobs, in the line ends that most of `now` has."""
        old, new = split_lines(now), split_lines(content)
        wide = sum(line.endswith(b"\r\n") for line in old) * 2 > len(old)
        patch = self._store.git.run("diff", "--no-color", "--no-ext-diff", "--no-textconv", "-U0", before, after)
        result: list[bytes] = []
        place = 0
        for hunk in file_hunks(patch):
            start = hunk.old_start - 1 if hunk.old_count else hunk.old_start
            result += old[place:start]
            first = hunk.new_start - 1 if hunk.new_count else hunk.new_start
            for line in new[first : first + hunk.new_count]:
                crlf = wide and line.endswith(b"\n") and not line.endswith(b"\r\n")
                result.append(line[:-1] + b"\r\n" if crlf else line)
            place = start + hunk.old_count
        return b"".join((*result, *old[place:]))
