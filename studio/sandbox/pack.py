"""The tree on its way into a container and back: tar, packed and unpacked with the rules of `tree.py`.

What comes back is a tar of an untrusted program's making as far as the studio is concerned: names are judged one by one,
only regular files and directories are taken, bytes are bounded, and the result goes through the same copy as
everything else that leaves a sandbox.

Only the standard library is used: the module is sent into containers as source.
"""

from __future__ import annotations

import io
import json
import os
import stat
import tarfile
import tempfile
from pathlib import Path
from typing import IO

from studio.sandbox import tree

__all__ = ["pack_changes", "pack_tree", "unpack_changes", "unpack_tree"]

_LIST = ".studio-changes"


def pack_tree(root: int, file: IO[bytes], most_bytes: int, most_files: int) -> None:
    """Write the tree below the directory open as `root` as a tar.

    Raises:
        tree.Excess: it is larger than the bounds.

    """
    count = size = 0
    with tarfile.open(fileobj=file, mode="w:") as tar:
        for path, name, here, info in tree.walk(root):
            if tree.excluded(path):
                continue
            count += 1
            size += info.st_size if stat.S_ISREG(info.st_mode) else 0
            if count > most_files or size > most_bytes:
                raise tree.Excess("the tree is larger than the limits on disk or files")
            if stat.S_ISLNK(info.st_mode):
                member = _member(path, tarfile.SYMTYPE, 0o777)
                member.linkname = os.readlink(name, dir_fd=here)
                tar.addfile(member)
            else:
                _add(tar, path, name, here, info)


def _member(path: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(path)
    member.type = kind
    member.mode = mode
    return member


def _add(tar: tarfile.TarFile, path: str, name: str, here: int, info: os.stat_result) -> None:
    """Add a directory or a regular file; pass over anything else."""
    if stat.S_ISDIR(info.st_mode):
        tar.addfile(_member(path, tarfile.DIRTYPE, 0o755))
    elif stat.S_ISREG(info.st_mode):
        member = _member(path, tarfile.REGTYPE, 0o755 if info.st_mode & 0o100 else 0o644)
        with os.fdopen(os.open(name, tree.READ, dir_fd=here), "rb") as content:
            member.size = os.fstat(content.fileno()).st_size
            tar.addfile(member, content)


def unpack_tree(file: IO[bytes], root: Path) -> None:
    """Write a tar that `pack_tree` made into the empty directory `root`."""
    os.umask(0o022)
    with tarfile.open(fileobj=file, mode="r:") as tar:
        for member in tar:
            place = root / member.name
            if member.isdir():
                place.mkdir(exist_ok=True)
            elif member.issym():
                place.symlink_to(member.linkname)
            else:
                _write(tar, member, place)


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, place: Path) -> None:
    content = tar.extractfile(member)
    with place.open("xb") as file:
        while content is not None and (data := content.read(1 << 20)):
            file.write(data)
    place.chmod(0o755 if member.mode & 0o100 else 0o644)


def pack_changes(root: int, before: dict[str, tree.Stamp], most_files: int, file: IO[bytes]) -> None:
    """Write what changed below `root` since `before` as a tar, the list of what is gone and what was refused first."""
    gone: list[tuple[str, bool]] = []
    skipped: list[str] = []
    changed: list[str] = []
    try:
        after, skipped = tree.survey(root, most_files)
        for path, was in before.items():
            if path not in after or tree.kind_changed(was, after[path]):
                gone.append((path, stat.S_ISDIR(was[0])))
        for path, now in after.items():
            if tree.is_changed(before.get(path), now):
                reason = tree.refusal(path, now[0])
                (skipped if reason else changed).append(f"{tree.shown(path)}: {reason}" if reason else path)
    except tree.Excess as excess:
        skipped = [f".: {excess}; nothing was copied back"]
    with tarfile.open(fileobj=file, mode="w|") as tar:
        listing = json.dumps({"gone": gone, "skipped": skipped[:200]}).encode()
        member = _member(_LIST, tarfile.REGTYPE, 0o644)
        member.size = len(listing)
        tar.addfile(member, io.BytesIO(listing))
        for path in changed:
            parent, _, name = path.rpartition("/")
            with tree.opened_directory(root, parent) as here:
                if here is not None:
                    _add(tar, path, name, here, os.stat(name, dir_fd=here, follow_symlinks=False))


def unpack_changes(file: IO[bytes], root: int, most_bytes: int, most_files: int) -> list[str]:
    """Bring the changes in a tar from a container into the host's directory open as `root`; return what was skipped.

    They are unpacked into a private directory first, which then is copied like any sandbox's.
    """
    with tempfile.TemporaryDirectory() as private:
        gone, skipped = _unpack_untrusted(file, Path(private), most_bytes)
        before = {path: (stat.S_IFDIR if directory else stat.S_IFREG, 0, 0, 0) for path, directory in gone}
        work = os.open(private, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            return [*skipped, *tree.copy_out(work, root, before, most_bytes, most_files)]
        finally:
            os.close(work)


def _unpack_untrusted(file: IO[bytes], private: Path, most_bytes: int) -> tuple[list[tuple[str, bool]], list[str]]:
    gone: list[tuple[str, bool]] = []
    skipped: list[str] = []
    left = most_bytes
    with tarfile.open(fileobj=file, mode="r:") as tar:
        for member in tar:
            if member.name == _LIST and member.size < most_bytes:
                listing = tar.extractfile(member)
                found = json.loads(listing.read() if listing is not None else b"{}")
                gone = [(str(path), bool(directory)) for path, directory in found["gone"] if _is_plain(str(path))]
                skipped = [tree.shown(str(line)) for line in found["skipped"]]
            elif not _is_plain(member.name) or not (member.isreg() or member.isdir()) or member.size > left:
                skipped.append(f"{tree.shown(member.name)}: refused")
            elif member.isdir():
                (private / member.name).mkdir(parents=True, exist_ok=True)
            else:
                left -= member.size
                (private / member.name).parent.mkdir(parents=True, exist_ok=True)
                _write(tar, member, private / member.name)
    return gone, skipped


def _is_plain(path: str) -> bool:
    """Tell whether `path` names something strictly below the tree."""
    return not path.startswith("/") and all(part not in {"", ".", ".."} for part in path.split("/"))
