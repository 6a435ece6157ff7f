"""The bubblewrap backend: namespaces and a private copy, without a daemon and without privileges."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from studio.domain.errors import SandboxUnavailable
from studio.domain.sandbox import Command, CommandResult, Ending, Probe
from studio.ports.sandbox import OnOutput
from studio.sandbox import seccomp, toolchains
from studio.sandbox.output import Output
from studio.sandbox.terms import check, environment, probe_toolchains

__all__ = ["BubblewrapSandbox"]

_LEVEL = "bubblewrap"
_CHUNK = 65536
_INSTALL = "install bubblewrap (Debian, Ubuntu: `apt install bubblewrap`; Fedora: `dnf install bubblewrap`)"
_ALLOW = (
    "allow unprivileged user namespaces: `sysctl user.max_user_namespaces` must not be 0, and on Ubuntu"
    " `kernel.apparmor_restrict_unprivileged_userns` must be 0 or bubblewrap have an AppArmor profile"
)


class BubblewrapSandbox:
    """Commands in namespaces of their own, on a copy of the tree in memory.

    A warden process is started with the first command and forks a cell for each; see `cell.py`.
    """

    def __init__(self, program: str = "bwrap") -> None:
        """Use the bubblewrap named `program` or at that path."""
        self._program = program
        self._warden: _Warden | None = None
        self._starting = asyncio.Lock()
        self._furnishing: toolchains.Furnishing | None = None
        self._disable_userns = False

    @property
    def level(self) -> str:
        """`bubblewrap`."""
        return _LEVEL

    async def probe(self, need: tuple[str, ...] = ()) -> Probe:
        """Run a real command under the real confinement, then each toolchain in `need`, or all where it is empty."""
        if shutil.which(self._program) is None:
            return Probe(_LEVEL, works=False, detail=f"{self._program} is not on PATH", do=_INSTALL)
        try:
            found = await probe_toolchains(self, need)
        except SandboxUnavailable as error:
            return Probe(_LEVEL, works=False, detail=error.what, do=error.do)
        return Probe(
            _LEVEL, works=True, detail="ran a command in its own namespaces on a private copy", toolchains=found
        )

    async def run(self, tree: Path, command: Command, on_output: OnOutput | None = None) -> CommandResult:
        """Run `command` in `tree`; see the port. Changes are copied back only when the command ended by itself.

        Raises:
            SandboxUnavailable: bubblewrap is missing or not allowed to confine; the command did not run.

        """
        refusal = check(tree, command)
        if refusal:
            return CommandResult(126, Ending.REFUSED, refusal.encode(), 0, 0, _LEVEL)
        warden = await self._ready()
        started = time.monotonic()
        output = Output(command.limits.output_bytes, on_output)
        report = await warden.run(self._spec(tree, command), command.stdin, output)
        if "unavailable" in report:
            raise self._unavailable(report["unavailable"] or output.both.decode(errors="replace").strip())
        elapsed = int((time.monotonic() - started) * 1000)
        if "refused" in report:
            return CommandResult(126, Ending.REFUSED, str(report["refused"]).encode(), 0, elapsed, _LEVEL)
        return CommandResult(
            exit_code=report["code"],
            ending=Ending(report["ending"]),
            output=output.both,
            dropped_bytes=output.dropped,
            duration_ms=elapsed,
            level=_LEVEL,
            stdout=output.stdout,
            skipped=tuple(report["skipped"]),
        )

    async def close(self) -> None:
        """End the warden; commands that still run end too, as their callers do."""
        warden, self._warden = self._warden, None
        if warden is not None:
            await asyncio.to_thread(warden.stop)

    async def _ready(self) -> _Warden:
        """Return the live warden, started where there is none."""
        async with self._starting:
            if self._warden is None or not self._warden.alive:
                self._warden = await asyncio.to_thread(self._start)
            return self._warden

    def _start(self) -> _Warden:
        if sys.platform != "linux" or os.uname().machine not in seccomp.ARCHITECTURES:
            raise SandboxUnavailable("bubblewrap needs Linux on x86-64 or arm64", 'use `sandbox = "docker"`')
        program = shutil.which(self._program)
        if program is None:
            raise SandboxUnavailable(f"{self._program} is not on PATH", _INSTALL)
        self._program = str(Path(program).resolve())
        usage = subprocess.run([program, "--help"], capture_output=True, check=False, timeout=10)
        self._disable_userns = b"--disable-userns" in usage.stdout + usage.stderr
        self._furnishing = toolchains.furnish()
        return _Warden()

    def _spec(self, tree: Path, command: Command) -> dict[str, Any]:
        """Return what the cell needs to know."""
        furnishing = self._furnishing
        assert furnishing is not None  # noqa: S101 - set with the warden
        binds = [*furnishing.binds]
        if command.network:
            binds.append((str(Path("/etc/resolv.conf").resolve()), "/etc/resolv.conf"))
        limits = command.limits
        return {
            "owner": os.getpid(),
            "stage": tempfile.gettempdir(),
            "bubblewrap": self._program,
            "disable_userns": self._disable_userns,
            "binds": binds,
            "links": furnishing.links,
            "texts": furnishing.texts,
            "tree": str(tree.resolve()),
            "argv": toolchains.command_for(command.argv),
            "cwd": os.path.normpath(command.cwd),
            "env": environment(command, furnishing.path),
            "mounts": [(host, os.path.normpath(path)) for host, path in command.mounts],
            "network": command.network,
            "writable": command.writable,
            "seconds": limits.seconds,
            "memory": limits.memory_bytes,
            "processes": limits.processes,
            "disk": limits.disk_bytes,
            "files": limits.files,
        }

    @staticmethod
    def _unavailable(why: str) -> SandboxUnavailable:
        line = why.splitlines()[-1] if why else "the sandbox's supervisor ended without a report"
        return SandboxUnavailable(f"bubblewrap cannot confine commands here: {line}", _ALLOW)


class _Warden:
    """The warden's process and the socket to it."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        root = str(Path(__file__).resolve().parents[2])
        boot = f"import sys; sys.path.insert(0, {root!r}); from studio.sandbox.warden import main; main()"
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", boot],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                cwd="/",
                env={},
            )
        self._socket = ours
        self.stop = weakref.finalize(self, _end, ours, self._process)

    @property
    def alive(self) -> bool:
        """Whether it still serves."""
        return self._process.poll() is None

    async def run(self, spec: dict[str, Any], stdin: bytes, output: Output) -> dict[str, Any]:
        """Have a cell run one command; return its report when its output is drained and all its processes are dead."""
        with ExitStack() as stack:
            control, theirs = socket.socketpair()
            stack.callback(control.close)
            control.setblocking(False)  # noqa: FBT003 - it has no keyword
            readers: list[int] = []
            with ExitStack() as sent:
                sent.callback(theirs.close)
                descriptors = [_memory_file(json.dumps(spec).encode()), _memory_file(stdin, sealed=True)]
                for _ in ("stdout", "stderr"):
                    reading, writing = os.pipe2(os.O_CLOEXEC)
                    os.set_blocking(reading, False)
                    readers.append(reading)
                    stack.callback(os.close, reading)
                    descriptors.append(writing)
                for descriptor in descriptors:
                    sent.callback(os.close, descriptor)
                socket.send_fds(self._socket, [b"R"], [*descriptors, theirs.fileno()])
            return await _attend(control, readers, output)


async def _attend(control: socket.socket, readers: list[int], output: Output) -> dict[str, Any]:
    """Drain the output and take the report. When cancelled, have the cell end everything first, then be cancelled."""
    work = asyncio.ensure_future(_collect(control, readers, output))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        control.shutdown(socket.SHUT_WR)
        while not work.done():
            try:
                await asyncio.shield(work)
            except asyncio.CancelledError:
                continue
        raise


async def _collect(control: socket.socket, readers: list[int], output: Output) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    drains = [
        asyncio.ensure_future(_drain(descriptor, partial(output.add, stdout=descriptor == readers[0])))
        for descriptor in readers
    ]
    report = bytearray()
    while data := await loop.sock_recv(control, _CHUNK):
        report += data
    await asyncio.gather(*drains)
    return json.loads(report) if report else {"unavailable": ""}


async def _drain(descriptor: int, take: Callable[[bytes], None]) -> None:
    """Pass on what a pipe yields until every writer has closed it."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()

    def ready() -> None:
        try:
            data = os.read(descriptor, _CHUNK)
        except BlockingIOError:
            return
        if data:
            take(data)
        elif not ended.done():
            ended.set_result(None)

    loop.add_reader(descriptor, ready)
    try:
        await ended
    finally:
        loop.remove_reader(descriptor)


def _memory_file(content: bytes, *, sealed: bool = False) -> int:
    """Return a descriptor of a file in memory at its start; sealed, nobody can write to it any more."""
    import fcntl

    file = os.memfd_create("studio", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    view = memoryview(content)
    while view:
        view = view[os.write(file, view) :]
    os.lseek(file, 0, os.SEEK_SET)
    if sealed:
        fcntl.fcntl(
            file, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
        )
    return file


def _end(connection: socket.socket, process: subprocess.Popen[bytes]) -> None:
    """Close the warden's socket and wait for it to end."""
    connection.close()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
