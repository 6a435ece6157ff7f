"""A sandbox that confines nothing: plain subprocesses on the tests' own fixtures, for tests of what parses outputs."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from studio.domain.sandbox import Command, CommandResult, Ending, Probe
from studio.ports.sandbox import OnOutput

__all__ = ["LocalSandbox"]


class LocalSandbox:
    """Runs each command in a copy of the tree, as the user who runs the tests. Never give it anything untrusted."""

    level = "local"

    def __init__(self, path: str | None = None) -> None:
        self._path = path if path is not None else f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
        self.commands: list[Command] = []

    async def probe(self, need: tuple[str, ...] = ()) -> Probe:
        """Say that it works."""
        return Probe("local", works=True, detail="no confinement at all", toolchains=need)

    async def run(self, tree: Path, command: Command, on_output: OnOutput | None = None) -> CommandResult:
        """Run a command and collect what it prints."""
        self.commands.append(command)
        with tempfile.TemporaryDirectory() as scratch:
            work = Path(scratch) / "work"
            shutil.copytree(tree, work, symlinks=True)
            started = time.monotonic()
            process = await asyncio.create_subprocess_exec(
                *command.argv,
                cwd=work / command.cwd,
                env={"PATH": self._path, "LANG": "C.UTF-8", **dict(command.env), "HOME": scratch},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            output = bytearray()
            assert process.stdout is not None
            while data := await process.stdout.read(1 << 14):
                output += data
                if on_output is not None:
                    on_output(data)
            code = await process.wait()
            if command.writable:
                shutil.copytree(work, tree, symlinks=True, dirs_exist_ok=True)
        replaced = bytes(output).replace(os.fsencode(work), b"/work")
        elapsed = int((time.monotonic() - started) * 1000)
        return CommandResult(code if code >= 0 else 128 - code, Ending.EXITED, replaced, 0, elapsed, self.level)

    async def close(self) -> None:
        """Do nothing."""
