"""Differences between trees, as paths and lines."""

from __future__ import annotations

from difflib import SequenceMatcher

from studio.ports.workspace import Workspace

__all__ = ["changed_lines", "changed_paths"]

_MAX_BYTES = 1_000_000


def changed_paths(workspace: Workspace, base: str, tree: str) -> tuple[str, ...]:
    """Return the paths of `tree` that are new or other than in `base`, sorted."""
    before = {path: (mode, blob) for path, mode, blob in workspace.list_tree(base)}
    return tuple(path for path, mode, blob in workspace.list_tree(tree) if before.get(path) != (mode, blob))


def changed_lines(
    workspace: Workspace, base: str, tree: str, paths: tuple[str, ...]
) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Return the 1-based lines of `tree` that are new or other than in `base`, for text files up to a megabyte."""
    found: list[tuple[str, tuple[int, ...]]] = []
    for path in paths:
        new = workspace.read_blob(tree, path) or b""
        old = workspace.read_blob(base, path) or b""
        if len(new) > _MAX_BYTES or len(old) > _MAX_BYTES or b"\0" in new:
            continue
        after = new.splitlines()
        matcher = SequenceMatcher(None, old.splitlines(), after, autojunk=False)
        kept = {line for block in matcher.get_matching_blocks() for line in range(block.b, block.b + block.size)}
        lines = tuple(number + 1 for number in range(len(after)) if number not in kept)
        if lines:
            found.append((path, lines))
    return tuple(found)
