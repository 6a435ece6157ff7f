"""The Docker backend: warm containers that run one command at a time under a uid used once.

A container is hardened (no network, read-only, no capability but those of the runner, bounded memory, processes and disk)
and belongs to one profile of limits. It is used again only when the runner found nothing left of the last command; it is
removed when anything else happened. Containers carry the pid of the studio's process that made them, so that those of a
process that died can be removed.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, TypeVar

from studio.domain.errors import SandboxUnavailable
from studio.domain.sandbox import Command, CommandResult, Ending, Probe
from studio.ports.sandbox import OnOutput
from studio.sandbox import pack, seccomp, tree
from studio.sandbox.engine import Engine, Profile, Warm
from studio.sandbox.link import LinkClosed
from studio.sandbox.output import Output
from studio.sandbox.terms import check, environment, probe_toolchains
from studio.sandbox.toolchains import TOOLS, command_for

__all__ = ["DockerSandbox"]

T = TypeVar("T")

_LEVEL = "docker"
_CHUNK = 1 << 20
_GRACE_SECONDS = 30.0
"""What packing, copying back and a stalled engine may take beyond the command's own time."""
_THREADS = 32
_IDLE_CONTAINERS = 3
_PATH = (TOOLS, "/usr/local/go/bin", "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
_KILLED = 137


class DockerSandbox:
    """Commands in hardened containers of one image, which needs nothing but `sh`, `find` and Python 3.9."""

    def __init__(self, image: str = "quantumlayer-studio") -> None:
        """Use `image` on the engine of the environment; it is connected to with the first command."""
        self._image = image
        self._engine: Engine | None = None
        self._connecting = asyncio.Lock()
        self._idle: dict[Profile, list[Warm]] = {}
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="docker")

    @property
    def level(self) -> str:
        """`docker`."""
        return _LEVEL

    async def probe(self, need: tuple[str, ...] = ()) -> Probe:
        """Run a real command in a real container, then each toolchain in `need`, or all where it is empty."""
        try:
            found = await probe_toolchains(self, need)
        except SandboxUnavailable as error:
            return Probe(_LEVEL, works=False, detail=error.what, do=error.do)
        return Probe(_LEVEL, works=True, detail=f"ran a command in a container of {self._image}", toolchains=found)

    async def run(self, tree: Path, command: Command, on_output: OnOutput | None = None) -> CommandResult:
        """Run `command` in `tree`; see the port. Changes are copied back only when the command ended by itself.

        Raises:
            SandboxUnavailable: no engine, no image, or the engine failed; the command did not run to its end.

        """
        refusal = check(tree, command)
        if refusal:
            return CommandResult(126, Ending.REFUSED, refusal.encode(), 0, 0, _LEVEL)
        warm = await self._take(Profile.of(command))
        started = time.monotonic()
        output = Output(command.limits.output_bytes, on_output)
        report = await self._exchange(warm, tree, command, output)
        elapsed = int((time.monotonic() - started) * 1000)
        if report.get("refused"):
            return CommandResult(126, Ending.REFUSED, str(report["refused"]).encode(), 0, elapsed, _LEVEL)
        ending = Ending(report["ending"])
        if ending is Ending.EXITED and report["code"] and report["memory_kills"]:
            ending = Ending.MEMORY
        return CommandResult(
            exit_code=report["code"] if ending in {Ending.EXITED, Ending.MEMORY} else _KILLED,
            ending=ending,
            output=output.both,
            dropped_bytes=output.dropped + report["dropped"],
            duration_ms=elapsed,
            level=_LEVEL,
            stdout=output.stdout,
            skipped=tuple(report["skipped"]),
        )

    async def close(self) -> None:
        """Remove the idle containers and close the connection."""
        idle, self._idle = self._idle, {}
        engine, self._engine = self._engine, None
        await asyncio.gather(*(self._blocking(warm.remove) for warms in idle.values() for warm in warms))
        if engine is not None:
            await self._blocking(engine.close)
        self._threads.shutdown(wait=False)

    async def _blocking(self, action: Callable[[], T]) -> T:
        """Run `action` on one of this sandbox's own threads; a running command holds one."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, action)

    async def _take(self, profile: Profile) -> Warm:
        """Return an idle container of `profile`, or a new one."""
        idle = self._idle.get(profile)
        if idle:
            return idle.pop()
        engine = await self._connected()
        booting: asyncio.Future[Warm] = asyncio.ensure_future(self._blocking(lambda: engine.boot(profile)))
        try:
            return await asyncio.shield(booting)
        except asyncio.CancelledError:
            with suppress(SandboxUnavailable):
                await self._blocking((await booting).remove)
            raise

    async def _connected(self) -> Engine:
        async with self._connecting:
            engine = self._engine or await self._blocking(lambda: Engine(self._image))
            self._engine = engine
            return engine

    async def _give_back(self, warm: Warm, profile: Profile, *, clean: bool) -> None:
        """Keep a clean container for the next command; remove any other, and what is over the idle bound."""
        idle = sum(map(len, self._idle.values()))
        if clean and profile.reusable and self._engine is not None:
            if idle < _IDLE_CONTAINERS:
                self._idle.setdefault(profile, []).append(warm)
                return
            oldest = next(warms for warms in self._idle.values() if warms)
            self._idle.setdefault(profile, []).append(warm)
            warm = oldest.pop(0)
        await self._blocking(warm.remove)

    async def _exchange(self, warm: Warm, tree_path: Path, command: Command, output: Output) -> dict[str, Any]:
        """Have the runner run one command; every process of it is dead when this returns or raises."""
        loop = asyncio.get_running_loop()

        def emit(data: bytes, out: bool) -> None:
            loop.call_soon_threadsafe(lambda: output.add(data, stdout=out))

        work = asyncio.ensure_future(self._blocking(lambda: _talk(warm, tree_path, command, emit)))
        profile = Profile.of(command)
        try:
            report = await asyncio.wait_for(asyncio.shield(work), command.limits.seconds + _GRACE_SECONDS)
        except BaseException as error:
            warm.link.close()
            with suppress(LinkClosed, asyncio.CancelledError):
                await asyncio.wait([work])
            killed = await self._blocking(warm.memory_killed) if isinstance(error, LinkClosed) else False
            await self._give_back(warm, profile, clean=False)
            if isinstance(error, TimeoutError) or killed:
                ending = Ending.MEMORY if killed else Ending.TIMEOUT
                return {"ending": ending, "code": _KILLED, "dropped": 0, "skipped": [], "memory_kills": int(killed)}
            if isinstance(error, LinkClosed):
                why = warm.link.stderr.decode(errors="replace").strip().splitlines()[-1:]
                raise SandboxUnavailable(f"the container ended: {''.join(why) or 'no reason given'}") from error
            raise
        await self._give_back(warm, profile, clean=bool(report.get("clean")))
        return report


def _talk(warm: Warm, tree_path: Path, command: Command, emit: Callable[[bytes, bool], None]) -> dict[str, Any]:
    """Send the tree and the job, pass output on, take the report, and copy changes back. Blocks."""
    limits = command.limits
    root = os.open(tree_path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with tempfile.TemporaryFile() as outward, tempfile.TemporaryFile() as inward:
            try:
                pack.pack_tree(root, outward, limits.disk_bytes, limits.files)
            except tree.Excess as excess:
                return {"refused": str(excess), "clean": True}
            _send(warm, command, outward)
            report = _receive(warm, emit, inward, 2 * limits.disk_bytes + _CHUNK)
            if command.writable and report.get("ending") == Ending.EXITED:
                inward.seek(0)
                report["skipped"] = pack.unpack_changes(inward, root, limits.disk_bytes, limits.files)
            return report
    finally:
        os.close(root)


def _send(warm: Warm, command: Command, archive: IO[bytes]) -> None:
    limits = command.limits
    filters = {machine: base64.b64encode(seccomp.program(machine)).decode() for machine in seccomp.ARCHITECTURES}
    job = {
        "uid": warm.next_uid(),
        "argv": command_for(command.argv),
        "cwd": command.cwd,
        "env": environment(command, _PATH),
        "stdin": base64.b64encode(command.stdin).decode(),
        "writable": command.writable,
        "seconds": limits.seconds,
        "processes": limits.processes,
        "disk": limits.disk_bytes,
        "files": limits.files,
        "output": limits.output_bytes,
        "filters": filters,
    }
    warm.link.send(b"J", json.dumps(job).encode())
    archive.seek(0)
    while data := archive.read(_CHUNK):
        warm.link.send(b"T", data)
    warm.link.send(b"G")


def _receive(warm: Warm, emit: Callable[[bytes, bool], None], changes: IO[bytes], most: int) -> dict[str, Any]:
    """Take frames until the report. What comes is bounded, whoever sends it."""
    while True:
        kind, payload = warm.link.receive()
        if kind == b"D":
            return json.loads(payload)
        if kind == b"t":
            most -= len(payload)
            if most < 0:
                raise LinkClosed
            changes.write(payload)
        else:
            emit(payload, kind == b"o")
