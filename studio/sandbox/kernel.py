"""The few Linux calls that Python's library lacks: namespaces, mounts, and the root's exchange.

Every function raises OSError with the call's name. Nothing here decides anything. Only the standard library is used:
the module runs in the warden, which is started without site packages.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

__all__ = [
    "CLONE_NEWNS",
    "CLONE_NEWUSER",
    "MNT_DETACH",
    "MS_BIND",
    "MS_NODEV",
    "MS_NOSUID",
    "MS_PRIVATE",
    "MS_REC",
    "become_root_inside",
    "become_subreaper",
    "mount",
    "pivot",
    "unshare",
]

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x40000
MNT_DETACH = 2
_PR_SET_CHILD_SUBREAPER = 36

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(name: str, result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Leave the namespaces named by `flags` for new ones."""
    _checked("unshare", _libc.unshare(ctypes.c_int(flags)))


def mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    """Mount `source` on `target`; `kind` and `data` are empty for binds and changes of propagation."""
    result = _libc.mount(
        os.fsencode(source),
        os.fsencode(target),
        kind.encode() or None,
        ctypes.c_ulong(flags),
        os.fsencode(data) or None,
    )
    _checked(f"mount {target}", result)


def pivot(root: str) -> None:
    """Make the mount point `root` the root, and let go of the old one."""
    os.chdir(root)
    result = _libc.pivot_root(b".", b".")
    _checked("pivot_root", result)
    _checked("umount", _libc.umount2(b".", ctypes.c_int(MNT_DETACH)))
    os.chdir("/")


def become_subreaper() -> None:
    """Become the parent of all descendants whose own parent dies, so that each can be waited for."""
    unused = ctypes.c_ulong(0)
    _checked("prctl", _libc.prctl(_PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(1), unused, unused, unused))


def become_root_inside(uid: int, gid: int) -> None:
    """Enter a user namespace of our own in which `uid` and `gid` are 0; nothing else is mapped."""
    unshare(CLONE_NEWUSER | CLONE_NEWNS)
    for name, text in (("setgroups", "deny"), ("gid_map", f"0 {gid} 1"), ("uid_map", f"0 {uid} 1")):
        Path("/proc/self", name).write_text(text, encoding="ascii")
