"""Choosing a backend: the one asked for, or the strongest that really runs what is needed. Never a weaker one silently."""

from __future__ import annotations

from studio.domain.config import Config
from studio.domain.errors import SandboxUnavailable, UsageError
from studio.domain.sandbox import Probe
from studio.ports.sandbox import Sandbox
from studio.sandbox.bubblewrap import BubblewrapSandbox
from studio.sandbox.container import DockerSandbox

__all__ = ["LEVELS", "choose"]

LEVELS = ("auto", "bubblewrap", "docker")
"""What can be asked for."""


async def choose(level: str, config: Config, need: tuple[str, ...] = ("python",)) -> tuple[Sandbox | None, list[Probe]]:
    """Return the sandbox to use and what was tried to find it.

    `auto` takes Docker where an engine with the image runs every toolchain in `need`, else bubblewrap where that does, else
    none. A level asked for by name is that level or an error.

    Args:
        level: one of `LEVELS`; empty for the configuration's.
        config: names the image, and the level where `level` is empty.
        need: languages whose toolchains have to run, keys of `toolchains.LANGUAGES`.

    Raises:
        UsageError: there is no such level.
        SandboxUnavailable: the level asked for does not work, or lacks a toolchain in `need`.

    """
    level = level or config.sandbox
    if level not in LEVELS:
        raise UsageError(f"No sandbox level `{level}`.", f"Use one of {', '.join(LEVELS)}.")
    candidates = {"docker": lambda: DockerSandbox(config.image), "bubblewrap": BubblewrapSandbox}
    probes: list[Probe] = []
    for name, make in candidates.items():
        if level not in {"auto", name}:
            continue
        sandbox = make()
        probe = _judged(await sandbox.probe(need), need)
        probes.append(probe)
        if probe.works:
            return sandbox, probes
        await sandbox.close()
        if level == name:
            raise SandboxUnavailable(f"The {name} sandbox does not work: {probe.detail}.", probe.do)
    return None, probes


def _judged(probe: Probe, need: tuple[str, ...]) -> Probe:
    """Return `probe`, as not working where a toolchain that is needed did not run."""
    missing = [language for language in need if language not in probe.toolchains]
    if not probe.works or not missing:
        return probe
    tools = ", ".join(missing)
    do = f"install the toolchain of {tools} on PATH" if probe.backend == "bubblewrap" else f"use an image with {tools}"
    return Probe(
        probe.backend, works=False, detail=f"{probe.detail}, but not {tools}", do=do, toolchains=probe.toolchains
    )
