"""What is hidden from models: private files are in no tree whose commands' output a model may be told.

A command that an agent asks for, or a test that an agent wrote, can print any file it finds. So the commands of a run work
on trees without the files that the brief's `private` globs name. What would land is checked whole: people alone see that.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from studio.context.files import Globs
from studio.domain.ids import RunId
from studio.pipeline.services import Services

__all__ = ["Hidden", "checkout_shown"]

_SETTINGS = ".studio"


class Hidden:
    """The paths of a brief that no model sees: what is private, and the studio's own settings."""

    def __init__(self, private: tuple[str, ...]) -> None:
        """Compile the globs.

        Raises:
            BriefError: one is broken.

        """
        self.patterns = private
        self._globs = Globs(private)

    def private(self, path: str) -> bool:
        """Return whether a path of a tree is private."""
        return bool(self.patterns) and self._globs.match(path)

    def covers(self, directory: str) -> bool:
        """Return whether a directory, or all that is in it, is private."""
        return self.private(directory) or self.private(f"{directory}/x")

    def __contains__(self, path: str) -> bool:
        """Return whether a path is not to be shown."""
        return path.split("/", 1)[0].casefold() == _SETTINGS or self.private(path)


async def checkout_shown(
    services: Services, run: RunId, name: str, tree: str, hidden: Hidden
) -> tuple[Path, tuple[str, ...]]:
    """Check a tree out as the run's worktree `name`, without its private files, and return their paths."""
    return await asyncio.to_thread(_checkout_shown, services, run, name, tree, hidden)


def _checkout_shown(
    services: Services, run: RunId, name: str, tree: str, hidden: Hidden
) -> tuple[Path, tuple[str, ...]]:
    root = services.workspace.checkout(run, name, tree)
    if not hidden.patterns:
        return root, ()
    left_out = tuple(path for path, _, _ in services.workspace.list_tree(tree) if hidden.private(path))
    for path in left_out:
        (root / path).unlink(missing_ok=True)
    return root, left_out
