"""The file tree's rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from widgets.ansi import clean
from widgets.file_tree_view import FileRow

if TYPE_CHECKING:
    from studio.protocol.commands import FileEntry

__all__ = ["file_rows"]


def file_rows(entries: Iterable[FileEntry]) -> list[FileRow]:
    """Return directories and files, directories first; a directory is open if something in it changed."""
    files = sorted(entries, key=lambda entry: entry.path)
    touched: set[str] = set()
    for entry in files:
        if entry.mark:
            touched.update(_parents(entry.path))
    few = len(files) <= 40  # noqa: PLR2004 - all of a small tree fits the pane
    rows: dict[str, FileRow] = {}
    for entry in files:
        for directory in _parents(entry.path):
            if directory not in rows:
                above, _, name = directory.rpartition("/")
                rows[directory] = FileRow(
                    directory, above, clean(name, 200), directory=True, open=few or directory in touched
                )
        above, _, name = entry.path.rpartition("/")
        rows[entry.path] = FileRow(
            entry.path, above, clean(name, 200), mark=entry.mark, added=entry.added, removed=entry.removed
        )
    return sorted(rows.values(), key=lambda row: (not row.directory, row.key))


def _parents(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[: at + 1]) for at in range(len(parts))]
