"""The runner: what a warm container does between commands.

It is the container's first process, as root with the right to change its uid, its gid and to signal, and nothing else. It
takes one command at a time, runs it under a uid used once, and when the command has ended kills all that is left of that
uid, sends what changed in the tree, and wipes what the uid wrote. A command can neither signal nor trace the runner, nor
write to its pipes, since they belong to another uid.

Frames are one letter, four bytes of length (big-endian), and the payload. To the runner: `J` the job (JSON), `T` the tree
(tar, in pieces), `G` go, `K` kill. From it: `o` and `e` output, `t` what changed (tar, in pieces), `D` done (JSON).

Only the standard library is used, and `tree.py` and `pack.py`: all are sent to the container as source when it starts, so that an
image needs nothing but Python.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import json
import os
import resource
import selectors
import signal
import struct
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from studio.sandbox import pack, tree

__all__ = ["serve"]

_WORK = "/work"
_WRITABLE = (_WORK, "/tmp", "/dev/shm")  # noqa: S108 - the container's own
_CHUNK = 65536
_HEADER = struct.Struct(">cI")
_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2


def serve() -> None:
    """Run jobs until the stream ends."""
    while True:
        kind, payload = _receive()
        if kind == b"J":
            _job(json.loads(payload))


def _receive() -> tuple[bytes, bytes]:
    """Return the next frame; the runner ends, and the container with it, when there is none."""
    header = _read(_HEADER.size)
    kind, length = _HEADER.unpack(header)
    return kind, _read(length)


def _read(length: int) -> bytes:
    data = bytearray()
    while len(data) < length:
        piece = os.read(0, length - len(data))
        if not piece:
            sys.exit(0)
        data += piece
    return bytes(data)


def _send(kind: bytes, payload: bytes) -> None:
    view = memoryview(_HEADER.pack(kind, len(payload)) + payload)
    while view:
        view = view[os.write(1, view) :]


def _job(job: dict[str, Any]) -> None:
    """Run one job from its tree to the report."""
    with os.fdopen(os.memfd_create("tree"), "w+b") as archive:
        while True:
            kind, payload = _receive()
            if kind == b"T":
                archive.write(payload)
            elif kind == b"G":
                break
        archive.seek(0)
        problem = _as_user(job["uid"], lambda: pack.unpack_tree(archive, Path(_WORK)))
    report: dict[str, Any] = {"refused": problem}
    if not problem:
        before = _survey(job)
        kills = _memory_kills()
        report = _run(job)
        _kill_all(job["uid"])
        report["memory_kills"] = _memory_kills() - kills
        if job["writable"] and report["ending"] == "exited":
            _send_changes(job, before)
    _kill_all(job["uid"])
    _as_user(job["uid"], _wipe)
    _reap()
    report["clean"] = not any(any(Path(place).iterdir()) for place in _WRITABLE)
    _send(b"D", json.dumps(report).encode())


def _as_user(uid: int, action: Callable[[], None]) -> str:
    """Run `action` in a child under `uid`; return what went wrong, or nothing."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        problem = ""
        try:
            _become(uid)
            action()
        except (OSError, tarfile.TarError) as error:
            problem = str(error) or type(error).__name__
        os.write(writing, problem.encode()[:4000])
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        problem = file.read().decode(errors="replace")
    os.waitpid(child, 0)
    return problem


def _become(uid: int) -> None:
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def _survey(job: dict[str, Any]) -> dict[str, tree.Stamp]:
    root = os.open(_WORK, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return tree.survey(root, job["files"])[0]
    finally:
        os.close(root)


def _run(job: dict[str, Any]) -> dict[str, Any]:
    """Run the command to its end, its deadline or a kill, passing its output on."""
    stdin = os.memfd_create("stdin")
    os.write(stdin, base64.b64decode(job["stdin"]))
    os.lseek(stdin, 0, os.SEEK_SET)
    out, out_in = os.pipe()
    err, err_in = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _exec(job, (stdin, out_in, err_in))
        finally:
            os._exit(126)
    for descriptor in (stdin, out_in, err_in):
        os.close(descriptor)
    ending, dropped = _attend(job, child, {out: b"o", err: b"e"})
    if ending != "exited":
        _kill_all(job["uid"])
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return {"ending": ending, "code": 128 - code if code < 0 else code, "dropped": dropped, "skipped": []}


def _exec(job: dict[str, Any], descriptors: tuple[int, int, int]) -> None:
    """Become the command. Runs in the child; does not return."""
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
    os.closerange(3, 1024)
    os.setsid()
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    bounds = {
        resource.RLIMIT_NPROC: job["processes"],
        resource.RLIMIT_FSIZE: job["disk"],
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MSGQUEUE: 0,
    }
    for which, most in bounds.items():
        resource.setrlimit(which, (most, most))
    os.umask(0o022)
    _become(job["uid"])
    os.chdir(os.path.normpath(f"{_WORK}/{job['cwd']}"))
    _filter(base64.b64decode(job["filters"].get(os.uname().machine, "")))
    os.execve("/bin/sh", ["/bin/sh", "-c", 'exec "$@"', "sh", *job["argv"]], dict(job["env"]))  # noqa: S606 - no shell is wanted


def _filter(program: bytes) -> None:
    """Load a seccomp program; the container was started with no new privileges, which is what this needs."""

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]

    if program:
        rules = Program(len(program) // 8, program)
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(rules), 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "seccomp")


def _attend(job: dict[str, Any], child: int, pipes: dict[int, bytes]) -> tuple[str, int]:
    """Pass output on until the command ends; return why it ended and how many bytes were let go.

    What its children keep open does not hold it: what is in the pipes when it ends is read, then they are closed.
    """
    process = os.pidfd_open(child)
    deadline = time.monotonic() + job["seconds"]
    left = job["output"]
    dropped = 0
    ending = ""
    with selectors.DefaultSelector() as selector:
        for descriptor in pipes:
            os.set_blocking(descriptor, False)
            selector.register(descriptor, selectors.EVENT_READ)
        selector.register(process, selectors.EVENT_READ)
        selector.register(0, selectors.EVENT_READ)
        while not ending:
            ready = {key.fd for key, _ in selector.select(max(deadline - time.monotonic(), 0))}
            for descriptor in ready & pipes.keys():
                data = _read_some(descriptor)
                if not data:
                    selector.unregister(descriptor)
                left, dropped = _pass_on(pipes[descriptor], data, left, dropped)
            if process in ready:
                ending = "exited"
            elif 0 in ready:
                _receive()
                ending = "cancelled"
            elif time.monotonic() >= deadline:
                ending = "timeout"
    for descriptor, kind in pipes.items():
        while data := _read_some(descriptor):
            left, dropped = _pass_on(kind, data, left, dropped)
        os.close(descriptor)
    os.close(process)
    return ending, dropped


def _read_some(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, _CHUNK)
    except BlockingIOError:
        return b""


def _pass_on(kind: bytes, data: bytes, left: int, dropped: int) -> tuple[int, int]:
    kept = data[:left]
    if kept:
        _send(kind, kept)
    return left - len(kept), dropped + len(data) - len(kept)


def _kill_all(uid: int) -> None:
    """Kill every process of `uid` until none is left alive. The dead stay for whoever waits for them."""
    while True:
        child = os.fork()
        if child == 0:
            _become(uid)
            with contextlib.suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)
            os._exit(0)
        os.waitpid(child, 0)
        if not any(map(_alive_as(uid), Path("/proc").iterdir())):
            return


def _alive_as(uid: int) -> Callable[[Path], bool]:
    """Return a test for whether an entry of /proc is a live process of `uid`."""

    def alive(place: Path) -> bool:
        if place.name.isdigit():
            with contextlib.suppress(OSError):
                status = (place / "status").read_text(encoding="ascii", errors="replace")
                return f"\nUid:\t{uid}\t" in status and "\nState:\tZ" not in status
        return False

    return alive


def _reap() -> None:
    """Let the dead go that were handed to the container's first process."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _memory_kills() -> int:
    """Return how often the kernel has killed for memory in this container."""
    for file in ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"):
        with contextlib.suppress(OSError):
            for line in Path(file).read_text(encoding="ascii").splitlines():
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
    return 0


def _send_changes(job: dict[str, Any], before: dict[str, tree.Stamp]) -> None:
    """Send what changed, read and packed under the command's uid."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            _become(job["uid"])
            with os.fdopen(writing, "wb") as file:
                pack.pack_changes(os.open(_WORK, os.O_RDONLY | os.O_DIRECTORY), before, job["files"], file)
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb", buffering=0) as file:
        while data := file.read(_CHUNK):
            _send(b"t", data)
    os.waitpid(child, 0)


def _wipe() -> None:
    """Remove all that the command's uid wrote."""
    os.execve("/bin/sh", ["/bin/sh", "-c", _WIPE], {"PATH": "/usr/bin:/bin"})  # noqa: S606 - constant


_WIPE = f"cd / && chmod -R u+rwx {' '.join(_WRITABLE)} 2>/dev/null; find {' '.join(_WRITABLE)} -mindepth 1 -delete"
