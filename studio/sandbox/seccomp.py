"""A seccomp filter that denies what no build or test needs, assembled by hand as classic BPF.

A program is a list of `struct sock_filter {u16 code; u8 jt; u8 jf; u32 k}` (linux/filter.h) over
`struct seccomp_data {int nr; u32 arch; u64 ip; u64 args[6]}` (linux/seccomp.h); the deny list starts from the calls that
Docker's default profile withholds. Denied calls fail with EPERM, so that programs can go on; `clone3` and the x32 table
with ENOSYS, so that the C library falls back to `clone`, whose flags can be read. Calls of a foreign architecture kill.
"""

from __future__ import annotations

import errno
import struct

__all__ = ["ARCHITECTURES", "program"]

_LOAD = 0x20  # BPF_LD | BPF_W | BPF_ABS
_JUMP_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_JUMP_AT_LEAST = 0x35  # BPF_JMP | BPF_JGE | BPF_K
_JUMP_ANY_BIT = 0x45  # BPF_JMP | BPF_JSET | BPF_K
_RETURN = 0x06  # BPF_RET | BPF_K
_KILL, _ALLOW, _ERRNO = 0x80000000, 0x7FFF0000, 0x00050000
_NUMBER, _ARCHITECTURE, _ARGUMENT0, _ARGUMENT1 = 0, 4, 16, 24  # offsets; low words on little-endian machines
_X32_BIT = 0x40000000

_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_NEW_NAMESPACES = 0x7E020000  # CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}; clone takes no NEWTIME
_FAMILIES = (1, 2, 10, 16)  # AF_UNIX, AF_INET, AF_INET6, AF_NETLINK
_PERSONALITIES = (0, 0xFFFFFFFF)  # the default, and the question

# From asm/unistd.h: x86-64 first, then the generic table that arm64 uses; a missing call is None.
_DENIED: dict[str, tuple[int | None, int | None]] = {
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "delete_module": (176, 106),
    "finit_module": (313, 273),
    "open_by_handle_at": (304, 265),
    "setns": (308, 268),
    "unshare": (272, 97),
    "mount": (165, 40),
    "umount2": (166, 39),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    "syslog": (103, 116),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "reboot": (169, 142),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "ioperm": (173, None),
    "iopl": (172, None),
    "acct": (163, 89),
    "settimeofday": (164, 170),
    "fanotify_init": (300, 262),
}
_UNACCOUNTED: dict[str, tuple[int, int]] = {"memfd_create": (319, 279), "shmget": (29, 194)}
_SPECIAL: dict[str, tuple[int, int]] = {
    "clone": (56, 220),
    "clone3": (435, 435),
    "ioctl": (16, 29),
    "socket": (41, 198),
    "personality": (135, 92),
}

ARCHITECTURES: dict[str, tuple[int, int]] = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
"""`uname -m` to (AUDIT_ARCH constant, column of the tables)."""


def _op(code: int, k: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("<HBBI", code, yes, no, k)


def _return_errno(number: int) -> bytes:
    return _op(_RETURN, _ERRNO | number)


def _deny(numbers: list[int], error: int) -> list[bytes]:
    """Fail each of the calls `numbers`; two instructions each, so that no jump grows with the list."""
    return [part for nr in numbers for part in (_op(_JUMP_EQUAL, nr, 0, 1), _return_errno(error))]


def _on_call(number: int, body: list[bytes]) -> list[bytes]:
    """Run `body`, which returns in every case, when the call is `number`; else go past it."""
    return [_op(_JUMP_EQUAL, number, 0, len(body)), *body]


def _one_of(offset: int, values: tuple[int, ...], error: int) -> list[bytes]:
    """Allow the call when the argument at `offset` is one of `values`, else fail it."""
    tests = [_op(_JUMP_EQUAL, value, len(values) - at) for at, value in enumerate(values)]
    return [_op(_LOAD, offset), *tests, _return_errno(error), _op(_RETURN, _ALLOW)]


def _none_of(offset: int, values: tuple[int, ...], error: int) -> list[bytes]:
    """Fail the call when the argument at `offset` is one of `values`, else allow it."""
    tests = [_op(_JUMP_EQUAL, value, len(values) - at) for at, value in enumerate(values)]
    return [_op(_LOAD, offset), *tests, _op(_RETURN, _ALLOW), _return_errno(error)]


def program(machine: str, *, accounted: bool = True) -> bytes:
    """Return the filter for `machine` (`uname -m`).

    Args:
        machine: a key of `ARCHITECTURES`.
        accounted: whether a control group counts memory. Where none does, memory that no per-process limit sees
            (`memfd_create`, System V segments) is denied as well.

    Raises:
        KeyError: the machine's call numbers are not known.

    """
    constant, column = ARCHITECTURES[machine]
    denied = [numbers[column] for numbers in _DENIED.values()]
    if not accounted:
        denied += [numbers[column] for numbers in _UNACCOUNTED.values()]
    special = {name: numbers[column] for name, numbers in _SPECIAL.items()}
    namespaces = [
        _op(_LOAD, _ARGUMENT0),
        _op(_JUMP_ANY_BIT, _NEW_NAMESPACES, 0, 1),
        _return_errno(errno.EPERM),
        _op(_RETURN, _ALLOW),
    ]
    parts = [
        _op(_LOAD, _ARCHITECTURE),
        _op(_JUMP_EQUAL, constant, 1, 0),
        _op(_RETURN, _KILL),
        _op(_LOAD, _NUMBER),
    ]
    if machine == "x86_64":
        parts += [_op(_JUMP_AT_LEAST, _X32_BIT, 0, 1), _return_errno(errno.ENOSYS)]
    parts += _deny([special["clone3"]], errno.ENOSYS)
    parts += _deny([number for number in denied if number is not None], errno.EPERM)
    parts += _on_call(special["clone"], namespaces)
    parts += _on_call(special["ioctl"], _none_of(_ARGUMENT1, (_TIOCSTI, _TIOCLINUX), errno.EPERM))
    parts += _on_call(special["socket"], _one_of(_ARGUMENT0, _FAMILIES, errno.EAFNOSUPPORT))
    parts += _on_call(special["personality"], _one_of(_ARGUMENT0, _PERSONALITIES, errno.EPERM))
    return b"".join([*parts, _op(_RETURN, _ALLOW)])
