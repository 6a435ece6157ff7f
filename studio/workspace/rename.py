"""Renames that never overwrite: exchange and no-replace, by the kernel where it can, by links where it cannot.

`renameat2` (Linux 3.15) and `renameatx_np` (macOS 10.12) are not in Python's standard library.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections.abc import Callable
from functools import cache

__all__ = ["At", "exchange", "place", "take"]

At = tuple[int, str]
"""A name in an open directory."""

_UNSUPPORTED = frozenset({errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP})
_NO_REPLACE, _EXCHANGE = (4, 2) if sys.platform == "darwin" else (1, 2)
_Call = Callable[[int, bytes, int, bytes, int], int]


@cache
def _rename_call() -> _Call | None:
    name = "renameatx_np" if sys.platform == "darwin" else "renameat2"
    call = getattr(ctypes.CDLL(None, use_errno=True), name, None)
    if call is None:
        return None
    call.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]
    call.restype = ctypes.c_int
    return call


def _rename(source: At, target: At, flags: int) -> bool:
    """Rename with flags; return False where the system cannot."""
    call = _rename_call()
    if call is None:
        return False
    if call(source[0], os.fsencode(source[1]), target[0], os.fsencode(target[1]), flags) == 0:
        return True
    number = ctypes.get_errno()
    if number in _UNSUPPORTED:
        return False
    raise OSError(number, os.strerror(number), source[1], None, target[1])


def exchange(staged: At, path: At) -> None:
    """Exchange two files.

    Where the system cannot, the file at `path` is moved beside the staged one and the staged one linked in its place:
    nothing is overwritten, but `path` is absent for a moment. A crash there leaves `<staged>.aside`.

    Raises:
        FileNotFoundError: one is not there.
        FileExistsError: without the system's help only: someone made `path` in that moment; theirs stays.

    """
    if _rename(staged, path, _EXCHANGE):
        return
    aside = (staged[0], f"{staged[1]}.aside")
    take(path, aside)
    try:
        os.link(staged[1], path[1], src_dir_fd=staged[0], dst_dir_fd=path[0], follow_symlinks=False)
    finally:
        os.replace(aside[1], staged[1], src_dir_fd=aside[0], dst_dir_fd=staged[0])


def place(staged: At, path: At) -> None:
    """Move a file to a path that must not exist.

    Raises:
        FileExistsError: it does.

    """
    if _rename(staged, path, _NO_REPLACE):
        return
    os.link(staged[1], path[1], src_dir_fd=staged[0], dst_dir_fd=path[0], follow_symlinks=False)
    os.unlink(staged[1], dir_fd=staged[0])


def take(path: At, aside: At) -> None:
    """Move whatever is at `path` aside, to a name nothing has.

    Raises:
        FileNotFoundError: nothing is there.

    """
    os.rename(path[1], aside[1], src_dir_fd=path[0], dst_dir_fd=aside[0])
