"""The filter is judged by a small machine of our own that runs it, and by the kernel in the contract tests."""

from __future__ import annotations

import errno
import struct

import pytest

from studio.sandbox import seccomp

ALLOW, KILL = 0x7FFF0000, 0x80000000
X86 = seccomp.ARCHITECTURES["x86_64"][0]


def run(program: bytes, number: int, arch: int = X86, arguments: tuple[int, ...] = ()) -> int:
    """Run classic BPF over one call's `struct seccomp_data` and return what it returns."""
    data = struct.pack("<iIQ6Q", number, arch, 0, *(*arguments, *[0] * (6 - len(arguments))))
    at = accumulator = 0
    while True:
        code, yes, no, k = struct.unpack_from("<HBBI", program, at * 8)
        at += 1
        if code == 0x20:
            accumulator = struct.unpack_from("<I", data, k)[0]
        elif code == 0x06:
            return k
        else:
            met = {0x15: accumulator == k, 0x35: accumulator >= k, 0x45: bool(accumulator & k)}[code]
            at += yes if met else no


def refused(number: int) -> int:
    return 0x00050000 | number


@pytest.mark.parametrize(
    ("number", "arguments", "expected"),
    [
        (0, (), ALLOW),  # read
        (165, (), refused(errno.EPERM)),  # mount
        (425, (), refused(errno.EPERM)),  # io_uring_setup
        (435, (), refused(errno.ENOSYS)),  # clone3
        (56, (0x11,), ALLOW),  # clone as fork does
        (56, (0x3D0F00,), ALLOW),  # clone as pthread_create does
        (56, (0x10000011,), refused(errno.EPERM)),  # clone with CLONE_NEWUSER
        (16, (0, 0x5401), ALLOW),  # ioctl TCGETS
        (16, (0, 0x5412), refused(errno.EPERM)),  # ioctl TIOCSTI
        (16, (0, 0xFF00005412), refused(errno.EPERM)),  # its high half is not looked at by the kernel either
        (41, (1,), ALLOW),  # AF_UNIX
        (41, (2,), ALLOW),  # AF_INET
        (41, (16,), ALLOW),  # AF_NETLINK
        (41, (40,), refused(errno.EAFNOSUPPORT)),  # AF_VSOCK
        (41, (38,), refused(errno.EAFNOSUPPORT)),  # AF_ALG
        (135, (0xFFFFFFFF,), ALLOW),  # personality, asked
        (135, (0x0040000,), refused(errno.EPERM)),  # personality ADDR_NO_RANDOMIZE
        (0x40000000, (), refused(errno.ENOSYS)),  # x32
        (319, (), ALLOW),  # memfd_create
    ],
)
def test_calls(number: int, arguments: tuple[int, ...], expected: int) -> None:
    assert run(seccomp.program("x86_64"), number, X86, arguments) == expected


@pytest.mark.parametrize("machine", seccomp.ARCHITECTURES)
def test_foreign_architecture_is_killed(machine: str) -> None:
    assert run(seccomp.program(machine), 0, arch=0x40000003) == KILL


def test_memory_that_nobody_counts_is_denied() -> None:
    assert run(seccomp.program("x86_64", accounted=False), 319) == refused(errno.EPERM)


@pytest.mark.parametrize("machine", seccomp.ARCHITECTURES)
def test_every_program_ends_within_the_kernels_bound(machine: str) -> None:
    program = seccomp.program(machine)
    constant, _ = seccomp.ARCHITECTURES[machine]
    assert len(program) % 8 == 0
    assert len(program) // 8 <= 4096
    for number in range(600):
        run(program, number, constant)
