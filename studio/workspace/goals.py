"""What a change makes of each part of the repository: working tree, index, HEAD, each merged into its own content now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from studio.domain.changes import TargetKind
from studio.workspace.person import Head
from studio.workspace.snapshot import Recorder
from studio.workspace.store import Store

__all__ = ["Goal", "Part", "Parts", "parts_of"]


class Part(StrEnum):
    """A part of the repository that holds content of its own."""

    WORKTREE = "the working tree"
    INDEX = "the index"
    HEAD = "HEAD"


_PARTS: dict[TargetKind, tuple[Part, ...]] = {
    TargetKind.WORKTREE: (Part.WORKTREE,),
    TargetKind.INDEX: (Part.INDEX, Part.WORKTREE),
    TargetKind.COMMIT: (Part.HEAD, Part.INDEX, Part.WORKTREE),
    TargetKind.BRANCH: (Part.HEAD,),
}


def parts_of(kind: TargetKind) -> tuple[Part, ...]:
    """Return the parts a landing on a target writes, the one it is about first.

    A landing in the index, or in a commit, brings the parts nearer to the person along, so that `git status` does not show
    the reverse of what landed.
    """
    return _PARTS[kind]


@dataclass(frozen=True)
class Goal:
    """One part's tree now and once landed; `after` is empty when it does not merge."""

    part: Part
    before: str
    after: str
    conflicts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Parts:
    """The trees of the parts of a repository, as they are now."""

    store: Store
    recorder: Recorder
    head: Head

    def now(self, part: Part) -> str:
        """Return the tree of a part.

        Raises:
            RepositoryError: the index is unmerged.

        """
        if part is Part.WORKTREE:
            return self.recorder.worktree(strict=False).tree
        return self.recorder.index() if part is Part.INDEX else self.recorder.head_tree(self.head)

    def goals(self, parts: Sequence[Part], change: Callable[[str], tuple[str, str]]) -> list[Goal]:
        """Merge a change into each part.

        Args:
            parts: in order.
            change: from a part's tree to the two trees whose difference is the change.

        """
        found: list[Goal] = []
        for part in parts:
            now = self.now(part)
            base, theirs = change(now)
            tree, conflicts = self.store.merge(base, now, theirs)
            found.append(Goal(part, now, tree, conflicts))
        return found
