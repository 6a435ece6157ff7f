"""Recording what a person sees as a tree of the store, through a copy of their index: nothing of theirs is touched."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from studio.domain.errors import RepositoryError, UsageError
from studio.ports.workspace import Base
from studio.workspace.git import EMPTY_TREE, Entry, Git, literal, parse_raw
from studio.workspace.person import Head, Person
from studio.workspace.secrets import HEAD_BYTES, secret_in, secret_name
from studio.workspace.store import ZERO, Store

__all__ = ["Limits", "Recorded", "Recorder", "base_of"]

_PIN = "STUDIO_BASE"
_GITLINK = "160000"
_POINTER = re.compile(rb"version https://git-lfs[^\n]*\n(?:[^\n]*\n)*?oid sha256:([0-9a-f]{64})\n")


@dataclass(frozen=True)
class Limits:
    """Caps on what is recorded of a working tree, in bytes and files."""

    untracked_file: int = 5 * 1024 * 1024
    untracked_total: int = 200 * 1024 * 1024
    untracked_files: int = 20_000
    tracked_file: int = 512 * 1024 * 1024


@dataclass
class Recorded:
    """A tree of the store, and the untracked files it leaves out."""

    tree: str
    left_out: list[str] = field(default_factory=list[str])


def base_of(store: Store, commit: str) -> dict[str, str]:
    """Return what a base's commit says of where it was taken: `head`, `branch`, `worktree`; empty for other commits."""
    body = store.git.run("cat-file", "commit", commit).decode("utf-8", "surrogateescape")
    found = re.findall(r"^Studio-(Head|Branch|Worktree): (.*)$", body, re.MULTILINE)
    return {name.lower(): value for name, value in found}


class Recorder:
    """Records one working tree."""

    def __init__(self, store: Store, person: Person, limits: Limits) -> None:
        self._store = store
        self.person = person
        self._limits = limits

    def view(self, index: Path) -> Git:
        """Return git that reads the person's working tree with a copy of their index."""
        git = Git.view(self._store.view, self.person.worktree, self._store.objects, self.person.settings())
        return git.with_index(index)

    def copy_index(self, to: Path) -> None:
        """Copy the index; its times too, by which git knows entries too young to trust."""
        if not self.person.index.exists():
            return
        shutil.copy2(self.person.index, to)
        if b"link" in to.read_bytes()[-4096:]:
            self.person.git.with_index(to).run("update-index", "--no-split-index")

    def head_tree(self, head: Head) -> str:
        """Return the tree of HEAD, the empty one before the first commit."""
        return self._store.tree_of(head.commit) if head.commit else EMPTY_TREE

    def snapshot(self) -> Base:
        """Record the base, keep its objects and pin its HEAD.

        Raises:
            RepositoryError: unmerged index, changed path under a clean filter, a file too large.

        """
        head = self.person.head()
        tree = self.worktree()
        self._store.own(tree.tree, self.head_tree(head))
        origin = f"Studio-Head: {head.commit}\nStudio-Branch: {head.branch}\nStudio-Worktree: {self.person.worktree}"
        commit = self._store.commit(tree.tree, (), f"Base\n\n{origin}")
        self._store.set_ref(f"refs/studio/bases/{commit}", commit)
        if head.commit:
            self.pin(head.commit, commit)
        worktree = str(self.person.worktree)
        return Base(commit, tree.tree, head.commit, head.branch, worktree, tuple(tree.left_out))

    def pin(self, head: str, why: str) -> None:
        """Keep `head` from git's garbage collection.

        A reference outside `refs/` with a log of its own: the log makes every value it had reachable, while `log --all`,
        `for-each-ref` and `push --mirror` look into `refs/` alone. It is in the common directory, so that it outlives the
        removal of a linked worktree.
        """
        Git.person(self.person.common).run("update-ref", "--create-reflog", "-m", f"base {why}", _PIN, head)

    def index(self) -> str:
        """Return the tree of the index as it is.

        Raises:
            RepositoryError: the index is unmerged.

        """
        with self._store.scratch() as directory:
            self.copy_index(directory / "index")
            view = self.view(directory / "index")
            if view.run("ls-files", "-u", "-z"):
                raise _unmerged(os.fsdecode(view.run("ls-files", "-u", "-z")).split("\0")[0].partition("\t")[2])
            return view.text("write-tree")

    def clean(self, path: str) -> bytes:
        """Return a file of the working tree as git would store it.

        Raises:
            UsageError: there is no such file in the working tree.

        """
        if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
            raise UsageError(
                f"{path} is not in the working tree.", "Name a file by its path from the top of the repository."
            )
        try:
            content = (self.person.worktree / path).read_bytes()
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror}.", "Name a file of the working tree.") from error
        with self._store.scratch() as directory:
            view = self.view(directory / "index")
            blob = view.text("hash-object", "-w", "--stdin", f"--path={path}", data=content)
        return self._store.blobs([blob])[blob]

    def worktree(self, *, strict: bool = True) -> Recorded:
        """Return the tree of the working tree: index, unstaged and untracked files.

        Args:
            strict: refuse changed paths under a clean filter, instead of keeping what the index has.

        Raises:
            RepositoryError: unmerged index, changed path under a clean filter, a file too large.

        """
        with self._store.scratch() as directory:
            self.copy_index(directory / "index")
            view = self.view(directory / "index")
            changed = parse_raw(view.run("diff-files", "--raw", "-z", "--no-abbrev", "--ignore-submodules=all"))
            for entry in changed:
                if entry.status == "U":
                    raise _unmerged(entry.path)
            found = view.paths("ls-files", "-o", "-z", "--exclude-standard")
            filtered = filters(view, [*(entry.path for entry in changed), *found])
            gone, written = self._changed(changed, filtered, strict=strict)
            recorded = Recorded("")
            written += self._untracked(found, filtered, recorded.left_out)
            stage(view, gone, written)
            recorded.tree = view.text("write-tree")
            return recorded

    def _changed(
        self, changed: Sequence[Entry], filtered: dict[str, str], *, strict: bool
    ) -> tuple[list[str], list[str]]:
        gone: list[str] = []
        written: list[str] = []
        for entry in changed:
            if _GITLINK in {entry.old_mode, entry.new_mode} or not is_text_name(entry.path):
                continue
            if entry.path in filtered:
                if strict and not self._same_pointer(entry):
                    raise RepositoryError(
                        f"{entry.path} is under the clean filter `{filtered[entry.path]}` and has uncommitted changes.",
                        "Commit it or restore it: the studio never runs filters.",
                    )
                continue
            if entry.status == "D":
                gone.append(entry.path)
                continue
            if self._size(entry.path) > self._limits.tracked_file:
                raise RepositoryError(f"{entry.path} is too large to record.", "Commit it or restore it first.")
            written.append(entry.path)
        return gone, written

    def _size(self, path: str) -> int:
        """Return the size of a file, 0 if it went while it was being recorded: git then takes it for deleted."""
        try:
            return (self.person.worktree / path).lstat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return 0

    def _same_pointer(self, entry: Entry) -> bool:
        """Whether a path of Git LFS holds what its pointer names: only its times changed."""
        if entry.status != "M":
            return False
        pointer = _POINTER.match(self._store.git.run("cat-file", "blob", entry.old_blob)[:1024])
        if pointer is None:
            return False
        with (self.person.worktree / entry.path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest().encode() == pointer[1]

    def _untracked(self, found: Iterable[str], filtered: dict[str, str], left_out: list[str]) -> list[str]:
        taken: list[str] = []
        total = 0
        for path in found:
            reason = self._reason(path, filtered)
            size = 0 if reason else self._size(path)
            if not reason and (
                total + size > self._limits.untracked_total or len(taken) >= self._limits.untracked_files
            ):
                reason = "more untracked files than the cap"
            if reason:
                left_out.append(f"{path.encode('utf-8', 'replace').decode()}: {reason}")
                continue
            total += size
            taken.append(path)
        return taken

    def _reason(self, path: str, filtered: dict[str, str]) -> str:
        """Return why an untracked path is left out, empty if it is not."""
        if path.endswith("/"):
            return "a repository of its own"
        if not is_text_name(path):
            return "its name is not UTF-8"
        if path in filtered:
            return f"under the clean filter `{filtered[path]}`"
        if reason := secret_name(path):
            return reason
        try:
            return self._reason_in(self.person.worktree / path)
        except OSError as error:
            gone = isinstance(error, FileNotFoundError)
            return "" if gone else f"cannot be read: {error.strerror}"

    def _reason_in(self, file: Path) -> str:
        status = file.lstat()
        if stat.S_ISLNK(status.st_mode):
            return ""
        if not stat.S_ISREG(status.st_mode):
            return "not a regular file"
        if status.st_size > self._limits.untracked_file:
            return f"{status.st_size:,} bytes, more than {self._limits.untracked_file:,}"
        with file.open("rb") as opened:
            return secret_in(opened.read(HEAD_BYTES))


def is_text_name(path: str) -> bool:
    """Whether a path is UTF-8: others cannot travel in events, and stay as they are in the base."""
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def filters(view: Git, paths: Sequence[str]) -> dict[str, str]:
    """Return the clean filter each path is under, for those that are; runs none."""
    if not paths:
        return {}
    fields = view.paths("check-attr", "-z", "--stdin", "filter", data=literal(paths))
    triples = zip(fields[::3], fields[2::3], strict=True)
    return {path: value for path, value in triples if value not in {"unspecified", "unset"}}


def stage(view: Git, gone: Iterable[str], written: Iterable[str]) -> None:
    """Remove and add paths in the index of `view`."""
    removed = "".join(f"0 {ZERO}\t{path}\0" for path in gone)
    if removed:
        view.run("update-index", "-z", "--index-info", data=os.fsencode(removed))
    if added := literal(written):
        view.run("update-index", "-z", "--add", "--remove", "--replace", "--stdin", data=added)


def _unmerged(path: str) -> RepositoryError:
    return RepositoryError(
        f"The index has unmerged paths: {path}.", "Finish the merge (`git add`, `git commit`) or abort it first."
    )
