"""Running commands where they can do no harm."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from studio.domain.sandbox import Command, CommandResult, Probe

__all__ = ["OnOutput", "Sandbox"]

OnOutput = Callable[[bytes], None]
"""Called on the event loop with raw output as it comes."""


class Sandbox(Protocol):
    """A backend. One instance serves many trees and many commands at once."""

    @property
    def level(self) -> str:
        """`bubblewrap` or `docker`."""
        ...

    async def probe(self, need: tuple[str, ...] = ()) -> Probe:
        """Run a real command under the real confinement and tell what came of it.

        Args:
            need: Languages whose toolchains are tried too; what ran is in `Probe.toolchains`.

        """
        ...

    async def run(self, tree: Path, command: Command, on_output: OnOutput | None = None) -> CommandResult:
        """Run `command` in `tree` (a host directory seen as `/work`), streaming its output.

        Every process it started is gone when this returns, also when this is cancelled. Host paths are seen as they are
        inside: toolchains and the studio's own tools are on PATH; nothing else of the host is readable.

        Raises:
            SandboxUnavailable: the backend cannot enforce what was asked; the command did not run.

        """
        ...

    async def close(self) -> None:
        """Remove what the backend keeps warm."""
        ...
