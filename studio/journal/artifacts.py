"""Artifacts: bytes kept as git blobs in the bare store repository.

Written as loose objects by ourselves, since that is one file's write where a `git hash-object` is a process; the format
is in git's documentation ("Git Internals, Git Objects"). Read from the loose object, else by `git cat-file`, which knows
packs and alternates.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import shutil
import subprocess
import threading
import zlib
from collections import OrderedDict
from functools import cached_property
from pathlib import Path

from studio.domain.errors import InternalError, UsageError
from studio.domain.ids import ArtifactId

__all__ = ["GitArtifacts", "ensure_store", "git_environment"]

_ID = re.compile(r"\A(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")
_SHA256 = re.compile(r"^\s*objectformat\s*=\s*sha256\s*$", re.IGNORECASE | re.MULTILINE)
_REMEMBERED_BYTES = 16 * 1024 * 1024
_REMEMBERED_MOST = 1024 * 1024
"""Larger artifacts are not remembered: one of them would drive out all others."""


def git_environment() -> dict[str, str]:
    """Return an environment in which git sees no configuration but the repository's own, and no repository but the named."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LC_ALL": "C",
        "HOME": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
    }


def ensure_store(store: Path) -> None:
    """Create the bare store repository unless it is there; several processes may do so at once.

    Raises:
        InternalError: git is missing or failed.

    """
    if (store / "HEAD").exists():
        return
    store.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = store.with_name(f"{store.name}.{os.getpid()}-{secrets.token_hex(4)}")
    try:
        _git("init", "--quiet", "--bare", "--template=", str(fresh))
        _git("--git-dir", str(fresh), "config", "gc.auto", "0")
        with contextlib.suppress(OSError):  # somebody else's store is in place: it is as good
            fresh.rename(store)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    if not (store / "HEAD").exists():
        raise InternalError(f"The store {store} cannot be made.", "Check the permissions of the directory it is in.")


class GitArtifacts:
    """The artifacts of one store repository. Thread-safe; processes share the repository."""

    def __init__(self, store: Path) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._remembered: OrderedDict[ArtifactId, bytes] = OrderedDict()
        self._size = 0

    def put(self, data: bytes) -> ArtifactId:
        """Keep `data` and return its id.

        Raises:
            InternalError: it cannot be written.

        """
        content = b"blob %d\0" % len(data) + data
        artifact = ArtifactId(hashlib.new(self._algorithm, content, usedforsecurity=False).hexdigest())
        path = self._path(artifact)
        try:
            try:
                os.utime(path)  # as git does: gc spares what was wanted a moment ago
            except FileNotFoundError:
                _write_object(path, zlib.compress(content, 1))
            except PermissionError:
                pass  # another person's in a shared repository: it is there, which is what counts
        except OSError as error:
            raise InternalError(
                f"An artifact cannot be written to {self._store}: {error.strerror or error}.",
                "Free space there or check its permissions.",
            ) from error
        self._remember(artifact, data)
        return artifact

    def get(self, artifact: ArtifactId) -> bytes:
        """Return the bytes.

        Raises:
            UsageError: no such artifact.
            InternalError: it is there and damaged.

        """
        if not _ID.match(artifact):
            raise UsageError(f"{artifact[:80]!r} is not an artifact's id.", "An id has 40 hexadecimal digits.")
        with self._lock:
            data = self._remembered.get(artifact)
            if data is not None:
                self._remembered.move_to_end(artifact)
                return data
        data = self._read_loose(artifact)
        if data is None:
            data = self._read_by_git(artifact)
        self._remember(artifact, data)
        return data

    @cached_property
    def _algorithm(self) -> str:
        """The repository's object format: a store that borrows from a SHA-256 repository has that too."""
        try:
            config = (self._store / "config").read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise InternalError(f"The store {self._store} cannot be read.", "Check its permissions.") from error
        return "sha256" if _SHA256.search(config) else "sha1"

    def _path(self, artifact: ArtifactId) -> Path:
        return self._store / "objects" / artifact[:2] / artifact[2:]

    def _read_loose(self, artifact: ArtifactId) -> bytes | None:
        """Return the bytes of a loose object, None where there is none."""
        try:
            packed = self._path(artifact).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise InternalError(
                f"The artifact {artifact} cannot be read: {error.strerror}.", "Check the disk."
            ) from error
        try:
            content = zlib.decompress(packed)
        except zlib.error:
            content = b""
        if hashlib.new(self._algorithm, content, usedforsecurity=False).hexdigest() != artifact:
            raise InternalError(
                f"The artifact {artifact} is damaged.", "Restore the store from a backup, or run again."
            )
        kind, _, data = content.partition(b"\0")
        if not kind.startswith(b"blob "):
            raise _absent(artifact)
        return data

    def _read_by_git(self, artifact: ArtifactId) -> bytes:
        done = subprocess.run(
            ["git", "--git-dir", str(self._store), "cat-file", "blob", artifact],
            env=git_environment(), capture_output=True, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if done.returncode != 0:
            raise _absent(artifact)
        return done.stdout

    def _remember(self, artifact: ArtifactId, data: bytes) -> None:
        if len(data) > _REMEMBERED_MOST:
            return
        with self._lock:
            if artifact not in self._remembered:
                self._remembered[artifact] = data
                self._size += len(data)
            while self._size > _REMEMBERED_BYTES:
                _, gone = self._remembered.popitem(last=False)
                self._size -= len(gone)


def _write_object(path: Path, packed: bytes) -> None:
    """Write a loose object so that it is there whole or not at all."""
    fresh = path.parent / f"tmp_obj_{secrets.token_hex(8)}"  # the name git's gc sweeps
    try:
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(packed)
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


def _absent(artifact: ArtifactId) -> UsageError:
    return UsageError(f"There is no artifact {artifact}.", "`studio events RUN` shows the artifacts of a run.")


def _git(*arguments: str) -> None:
    try:
        subprocess.run(
            ["git", *arguments], env=git_environment(), check=True, capture_output=True, stdin=subprocess.DEVNULL
        )
    except FileNotFoundError as error:
        raise InternalError("git is not installed.", "Install git 2.38 or newer.") from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().splitlines()
        raise InternalError(
            f"git failed: {said[-1] if said else error}.", "Check the repository's permissions."
        ) from error
