"""The stage: a root of our own that holds exactly what a command may see, from which bubblewrap then binds.

It is built in a mount namespace that dies with the command, so nothing has to be cleaned up. It exists for three reasons:
the private copy of the tree needs a tmpfs with its own size and inode limits, which bubblewrap cannot make; toolchains below
a directory that only root may enter must be found by a bubblewrap that is no longer root; and what is not on the stage
cannot leak through a mistake in the arguments.

Only the standard library is used: the module runs in the warden, which is started without site packages.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from studio.sandbox import kernel

__all__ = ["CELL", "build", "enter", "open_sources"]

CELL = "/cell"
"""Where the writable tmpfs is on the stage; its `work`, `tmp` and `shm` are all a command can write to."""


def enter() -> bool:
    """Leave the host's mount namespace; return whether this process still is the host's root.

    Raises:
        OSError: neither root's way nor an ordinary user's (a user namespace) is allowed here.

    """
    uid, gid = os.geteuid(), os.getegid()
    real = uid == 0
    if real:
        try:
            kernel.unshare(kernel.CLONE_NEWNS)
        except PermissionError:
            real = False
    if not real:
        kernel.become_root_inside(uid, gid)
    with suppress(PermissionError):  # in a user namespace propagation already is one way
        kernel.mount("", "/", "", kernel.MS_REC | kernel.MS_PRIVATE)
    return real


def open_sources(paths: list[str]) -> dict[str, int]:
    """Open what is to be shown by path only, so that mounting the stage over its directory hides nothing."""
    opened: dict[str, int] = {}
    for path in paths:
        with suppress(FileNotFoundError, NotADirectoryError):
            opened[path] = os.open(path, os.O_PATH | os.O_CLOEXEC)
    return opened


def build(
    root: str,
    sources: dict[str, int],
    binds: list[tuple[str, str]],
    links: list[tuple[str, str]],
    texts: list[tuple[str, str, int]],
    disk: tuple[int, int],
) -> None:
    """Mount the stage on the directory `root` and furnish it.

    Args:
        root: any directory; it is covered.
        sources: what `open_sources` returned.
        binds: (host path, path on the stage).
        links: (target, path on the stage).
        texts: (path on the stage, content, mode) of small files.
        disk: bytes and inodes of the writable part.

    """
    kernel.mount("stage", root, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "size=16m,mode=755")
    Path(root + "/tmp").mkdir()  # noqa: S108 - on the stage, where bubblewrap builds its root
    for host, path in binds:
        if host in sources:
            _bind(sources[host], root + path)
    for target, path in links:
        Path(root + path).parent.mkdir(parents=True, exist_ok=True)
        Path(root + path).symlink_to(target)
    for path, text, mode in texts:
        Path(root + path).parent.mkdir(parents=True, exist_ok=True)
        file = Path(root + path)
        file.write_text(text, encoding="utf-8")
        file.chmod(mode)
    size, inodes = disk
    Path(root + CELL).mkdir()
    options = f"size={size},nr_inodes={inodes},mode=755"
    kernel.mount("cell", root + CELL, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, options)
    for name in ("work", "tmp", "shm"):
        Path(root + CELL, name).mkdir(mode=0o700)


def _bind(source: int, target: str) -> None:
    """Bind an open path, with all that is mounted below it, where a directory or file is made for it."""
    opened = f"/proc/self/fd/{source}"
    if Path(opened).is_dir():
        Path(target).mkdir(parents=True, exist_ok=True)
    else:
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        Path(target).touch()
    kernel.mount(opened, target, "", kernel.MS_BIND | kernel.MS_REC)
