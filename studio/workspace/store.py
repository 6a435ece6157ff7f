"""The store: a bare repository of ours that borrows the person's objects and keeps everything a run makes."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Generator, Iterable, Mapping, Sequence
from pathlib import Path

from studio.domain.errors import InternalError, RepositoryError, UsageError
from studio.domain.places import Places
from studio.workspace.git import EMPTY_TREE, Entry, Git, parse_raw

__all__ = ["Store", "locked"]

_OVERRIDE = b"* -text -filter -ident -eol -working-tree-encoding !diff !merge -export-subst\n"
"""No attribute of a tree changes a byte of it, hides a difference or chooses how it merges."""
_CONFIG = b"[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n[gc]\n\tauto = 0\n"
_IDENTITY = "QuantumLayer Studio <studio@localhost> 0 +0000"
"""Commits of the store are named by their content alone, so that a step that runs again makes the same ones."""
ZERO = "0" * 40


@contextlib.contextmanager
def locked(path: Path) -> Generator[None]:
    """Hold an exclusive lock on `path`, waiting for it; it ends with the process that holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


class Store:
    """Objects, trees, commits and references of ours."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.git = Git.null(places.store)

    @property
    def objects(self) -> Path:
        """Where objects are written."""
        return self.places.store / "objects"

    @property
    def view(self) -> Path:
        """An empty repository through which the person's working tree is read."""
        return self.places.state / "view.git"

    def ensure(self) -> None:
        """Create what is missing; safe to call from several processes at once.

        Raises:
            RepositoryError: the repository cannot be written to.

        """
        try:
            self._ensure(self.places.store)
            self._ensure(self.view)
            _put_file(self.objects / "info" / "alternates", os.fsencode(f"{self.places.common}/objects\n"))
            _put_file(self.places.store / "info" / "attributes", _OVERRIDE)
            if b"auto = 0" not in (self.places.store / "config").read_bytes():
                self.git.run("config", "gc.auto", "0")
            for name in ("exclude", "attributes"):
                _put_link(self.view / "info" / name, Path(self.places.common) / "info" / name)
        except OSError as error:
            raise RepositoryError(
                f"{self.places.state} cannot be written to: {error.strerror}.",
                "Make the repository writable, or clone it somewhere that is.",
            ) from error

    def _ensure(self, repository: Path) -> None:
        if (repository / "HEAD").exists() and (repository / "refs").is_dir() and (repository / "info").is_dir():
            return
        self.places.state.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f"{repository.name}-", dir=self.places.state))
        try:
            for name in ("objects/info", "objects/pack", "refs/heads", "info"):
                (fresh / name).mkdir(parents=True)
                (repository / name).mkdir(parents=True, exist_ok=True) if repository.exists() else None
            (fresh / "config").write_bytes(_CONFIG)
            (fresh / "HEAD").write_bytes(b"ref: refs/heads/none\n")
            with contextlib.suppress(OSError):
                fresh.rename(repository)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

    @contextlib.contextmanager
    def scratch(self) -> Generator[Path]:
        """Give a directory that goes away."""
        base = self.places.state / "tmp"
        base.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=base, ignore_cleanup_errors=True) as directory:
            yield Path(directory)

    def put_blobs(self, contents: Sequence[bytes], kind: str = "blob") -> list[str]:
        """Write objects and return their ids."""
        if not contents:
            return []
        with self.scratch() as directory:
            names: list[str] = []
            for number, content in enumerate(contents):
                (directory / str(number)).write_bytes(content)
                names.append(str(directory / str(number)))
            arguments = ("hash-object", "-w", "--no-filters", "-t", kind, "--stdin-paths")
            return self.git.text(*arguments, data="\n".join(names).encode()).split("\n")

    def blobs(self, ids: Iterable[str]) -> dict[str, bytes]:
        """Return the bytes of blobs by id.

        Raises:
            InternalError: one is not there.

        """
        wanted = sorted(set(ids))
        if not wanted:
            return {}
        output = self.git.run("cat-file", "--batch", data="\n".join(wanted).encode() + b"\n")
        found: dict[str, bytes] = {}
        offset = 0
        while offset < len(output):
            end = output.index(b"\n", offset)
            name, kind, *size = output[offset:end].decode().split(" ")
            if not size:
                raise InternalError(
                    f"Object {name} is {kind}.", "The repository's objects were pruned; start a new run."
                )
            start, length = end + 1, int(size[0])
            found[name] = output[start : start + length]
            offset = start + length + 1
        return found

    def tree_of(self, commit_or_tree: str) -> str:
        """Return the tree of a commit, or the tree itself.

        Raises:
            UsageError: there is no such commit or tree.

        """
        done = self.git.call("rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit_or_tree}^{{tree}}")
        if done.returncode != 0:
            raise UsageError(
                f"There is no commit or tree {commit_or_tree}.", "It may have been pruned: start a new run."
            )
        return done.stdout.decode().strip()

    def files(self, tree: str) -> list[tuple[str, str, str]]:
        """Return (path, mode, blob) of every entry of a tree, sorted by path as git sorts it."""
        if tree == EMPTY_TREE:
            return []
        entries: list[tuple[str, str, str]] = []
        for record in self.git.paths("ls-tree", "-r", "-z", "--full-tree", tree):
            meta, _, path = record.partition("\t")
            mode, _, blob = meta.split(" ")
            entries.append((path, mode, blob))
        return entries

    def entries(self, tree: str, paths: Sequence[str]) -> dict[str, tuple[str, str]]:
        """Return (mode, blob) of those of `paths` that are files of `tree`."""
        wanted = set(paths)
        return {path: (mode, blob) for path, mode, blob in self.files(tree) if path in wanted}

    def diff(self, old: str, new: str, *, renames: bool = False) -> list[Entry]:
        """Return what differs between two trees, by path."""
        flags = ("-M",) if renames else ("--no-renames",)
        return parse_raw(self.git.run("diff-tree", "-r", "-z", "--raw", "--no-abbrev", *flags, old, new))

    def patch(self, old: str, new: str) -> bytes:
        """Return the unified diff between two trees, binary changes included."""
        flags = (
            "-r",
            "-p",
            "-M",
            "--no-rename-empty",
            "--binary",
            "--full-index",
            "--no-color",
            "--no-ext-diff",
            "--no-textconv",
        )
        return self.git.run("diff-tree", *flags, old, new)

    def overlay(self, tree: str, changes: Mapping[str, tuple[str, str] | None]) -> str:
        """Return `tree` with paths set to (mode, blob), or removed where None."""
        if not changes:
            return tree
        lines = [f"0 {ZERO}\t{path}" for path in changes]
        lines += [f"{entry[0]} {entry[1]}\t{path}" for path, entry in changes.items() if entry]
        with self.scratch() as directory:
            git = self.git.with_index(directory / "index")
            git.run("read-tree", tree)
            git.run("update-index", "-z", "--replace", "--index-info", data=os.fsencode("\0".join(lines) + "\0"))
            return git.text("write-tree")

    def commit(self, tree: str, parents: Sequence[str], message: str) -> str:
        """Write a commit of ours and return its id."""
        return self.put_blobs([_commit_body(tree, parents, message)], "commit")[0]

    def merge(self, base: str, ours: str, theirs: str) -> tuple[str, tuple[str, ...]]:
        """Merge trees three ways; return the tree, empty when there are conflicts, and their paths.

        Git's ort merge, on commits that exist for this alone (`--merge-base` needs git 2.40 or later).
        """
        if theirs in {base, ours}:
            return ours, ()
        if base == ours:
            return theirs, ()
        root = _commit_body(base, (), "base")
        parent = hashlib.sha1(b"commit %d\0" % len(root) + root, usedforsecurity=False).hexdigest()
        sides = [_commit_body(ours, (parent,), "ours"), _commit_body(theirs, (parent,), "theirs")]
        _, left, right = self.put_blobs([root, *sides], "commit")
        flags = ("--write-tree", "-z", "--name-only", "--no-messages")
        done = self.git.call("merge-tree", *flags, left, right)
        if done.returncode not in {0, 1}:
            raise InternalError(
                f"git merge-tree failed: {done.stderr.decode('utf-8', 'replace').strip()}.", "See the log."
            )
        tree, *conflicts = (os.fsdecode(item) for item in done.stdout.split(b"\0") if item)
        return ("", tuple(dict.fromkeys(conflicts))) if done.returncode else (tree, ())

    def own(self, tree: str, borrowed: str) -> None:
        """Copy into the store what `tree` has and `borrowed` has not, should the person's repository be its only home."""
        if tree == borrowed:
            return
        output = self.git.text("rev-list", "--objects", "--no-object-names", tree, f"^{borrowed}")
        missing = [name for name in output.split() if not (self.objects / name[:2] / name[2:]).exists()]
        if missing:
            self.git.run("pack-objects", "-q", str(self.objects / "pack" / "pack"), data="\n".join(missing).encode())

    def lend(self, person: Git, tree: str, known: str) -> None:
        """Copy into the person's repository what `tree` has and `known`, which they have, has not."""
        if tree == known:
            return
        names = self.git.run("rev-list", "--objects", "--no-object-names", tree, f"^{known}")
        pack = self.git.run("pack-objects", "-q", "--stdout", data=names)
        person.run("unpack-objects", "-q", data=pack)

    def set_ref(self, name: str, target: str) -> None:
        """Set a reference of the store."""
        self.git.run("update-ref", name, target)


def _commit_body(tree: str, parents: Sequence[str], message: str) -> bytes:
    lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents)]
    lines += [f"author {_IDENTITY}", f"committer {_IDENTITY}", "", message.rstrip("\n"), ""]
    return "\n".join(lines).encode("utf-8", "surrogateescape")


def _put_file(path: Path, content: bytes) -> None:
    if path.is_file() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    Path(name).replace(path)


def _put_link(path: Path, target: Path) -> None:
    if path.is_symlink():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        path.symlink_to(target)
