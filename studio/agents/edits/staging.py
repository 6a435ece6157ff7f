"""The tree as the edits of a reply have left it so far, in memory."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from studio.agents.edits.drafts import Draft
from studio.agents.edits.paths import EditPolicy, near_paths, refused_path
from studio.agents.edits.text import TextFile, decode_file
from studio.domain.edits import AppliedEdit

__all__ = ["Refused", "Staging"]


class Refused(Exception):
    """An edit is refused; the message is for the model."""


class Staging:
    """Files by path, read when first touched."""

    def __init__(self, read: Callable[[str], bytes | None], policy: EditPolicy) -> None:
        self.read = read
        self.policy = policy
        self.drafts: dict[str, Draft] = {}
        self.removed: set[str] = set()
        self.notes: list[tuple[int, AppliedEdit]] = []
        """What became of deletions and renames."""

    @cached_property
    def _folded(self) -> dict[str, str]:
        return {path.casefold(): path for path in self.policy.paths}

    @cached_property
    def _directories(self) -> set[str]:
        found: set[str] = set()
        for path in self.policy.paths:
            while "/" in path:
                path = path.rpartition("/")[0]  # noqa: PLW2901 - climbs to the root
                if path in found:
                    break
                found.add(path)
        return found

    def at(self, path: str, index: int) -> Draft:
        """Return the draft of `path`.

        Raises:
            Refused: it may not be written.

        """
        if reason := refused_path(path, self.policy):
            raise Refused(f"{path[:200]!r}: {reason}")
        draft = self.drafts.get(path)
        if draft is None:
            draft = self.drafts[path] = self._opened(path)
        draft.last = index
        return draft

    def text_of(self, draft: Draft) -> str:
        """Return the text of a file that has to exist.

        Raises:
            Refused: it does not, or is no text.

        """
        if draft.text is None:
            near = near_paths(draft.path, [path for path in self.policy.paths if path not in self.removed])
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            raise Refused(f"{draft.path}: there is no such file.{hint} To make a new one, leave the search text empty")
        if draft.unreadable:
            raise Refused(f"{draft.path}: {draft.unreadable}")
        return draft.text

    def create(self, draft: Draft) -> None:
        """Make the file exist, empty.

        Raises:
            Refused: another file or a directory is in its way.

        """
        path = draft.path
        twin = self._folded.get(path.casefold(), path)
        twins = [other for other, each in self.drafts.items() if each.text is not None and other != path]
        twin = next((other for other in twins if other.casefold() == path.casefold()), twin)
        if twin != path and twin not in self.removed:
            raise Refused(f"{path}: {twin} exists, and some file systems do not tell them apart; use that name")
        if path in self._directories or any(other.startswith(f"{path}/") for other in twins):
            raise Refused(f"{path}: this is a directory")
        parent = path
        while "/" in parent:
            parent = parent.rpartition("/")[0]
            if parent in self._known_files or parent in twins:
                raise Refused(f"{path}: {parent} is a file, not a directory")
        draft.text = ""
        self.removed.discard(path)

    @cached_property
    def _known_files(self) -> frozenset[str]:
        return frozenset(self.policy.paths)

    def remove(self, draft: Draft) -> None:
        """Make the file not exist."""
        draft.text = None
        draft.unreadable = ""
        draft.touched.clear()
        draft.moves.clear()
        if draft.original is not None and not draft.source:
            self.removed.add(draft.path)
        draft.source = ""

    def move(self, draft: Draft, target: Draft) -> None:
        """Give the file another path, with all that was done to it."""
        target.text, target.file, target.original = draft.text, draft.file, draft.original
        target.touched, target.moves = draft.touched, draft.moves
        target.unreadable, target.mode = draft.unreadable, draft.mode
        target.source = draft.source or draft.path
        if not draft.source and draft.original is not None:
            self.removed.add(draft.path)
        self.drafts[draft.path] = Draft(draft.path, None, TextFile(""), None)

    def _opened(self, path: str) -> Draft:
        data = self.read(path)
        if data is None:
            return Draft(path, None, TextFile(""), None)
        mode = self.policy.mode(path)
        decoded = decode_file(data)
        if isinstance(decoded, TextFile):
            return Draft(path, data, decoded, decoded.text, mode=mode)
        return Draft(path, data, TextFile(""), "", unreadable=decoded.reason, mode=mode)
