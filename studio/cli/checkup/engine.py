"""The engine's parts: sandboxes and their toolchains, models, memory."""

from __future__ import annotations

import asyncio
import os
from importlib.metadata import PackageNotFoundError, version

from studio.cli.checkup.finding import Finding, State
from studio.domain.config import Config
from studio.domain.sandbox import Probe

__all__ = ["memory", "models", "sandboxes"]


def sandboxes(config: Config) -> list[Finding]:
    """Run a real command in each backend, and every toolchain in each that works."""
    probes = asyncio.run(_probe_all(config))
    wanted = [probe for probe in probes if config.sandbox in {"auto", probe.backend}]
    taken = next((probe for probe in wanted if probe.works and "python" in probe.toolchains), None)
    findings = [_about(probe, taken) for probe in probes]
    if taken is None:
        asked = "" if config.sandbox == "auto" else f" (the configuration asks for {config.sandbox})"
        do = next((probe.do for probe in wanted if probe.do), "See above.")
        findings.append(
            Finding("sandbox", State.BROKEN, f"none works{asked}", "Nothing that a model writes can be run.", do)
        )
    return findings


async def _probe_all(config: Config) -> list[Probe]:
    from studio.sandbox.bubblewrap import BubblewrapSandbox
    from studio.sandbox.container import DockerSandbox

    probes: list[Probe] = []
    for sandbox in (DockerSandbox(config.image), BubblewrapSandbox()):
        try:
            probes.append(await sandbox.probe())
        finally:
            await sandbox.close()
    return probes


def _about(probe: Probe, taken: Probe | None) -> Finding:
    part = f"sandbox {probe.backend}"
    if not probe.works:
        return Finding(part, State.ADVICE, probe.detail, "Commands cannot be run in it.", probe.do)
    found = f"{probe.detail}; toolchains that ran: {', '.join(probe.toolchains) or 'none'}"
    if probe is taken:
        return Finding(part, State.OK, found, "Runs take this one.")
    return Finding(part, State.OK, found, "It works; runs take another, or it lacks Python.")


def models(config: Config) -> list[Finding]:
    """List models by keys in the environment and by servers of this machine. None is asked for a reply."""
    from studio.models import HOW_TO_CHOOSE, describe_models

    infos = describe_models(config.models, os.environ)
    if not infos:
        means = "No key is set and no server answered on this machine. Replays and `manual:DIR` need neither."
        return [Finding("models", State.ADVICE, "none found", means, HOW_TO_CHOOSE)]
    found = "; ".join(f"{info.name} ({info.found}{', auto' if info.auto else ''})" for info in infos)
    means = "None was asked for a reply, so whether a key is accepted was not tried."
    return [Finding("models", State.OK, found, means, "" if config.models.default else HOW_TO_CHOOSE)]


def memory(config: Config) -> list[Finding]:
    """Look at ChromaDB and the embedder. The store is not opened: it has one writer, the worker."""
    from studio.memory.embed import choose

    try:
        installed = f"ChromaDB {version('chromadb')}"
    except PackageNotFoundError:
        return [Finding("memory", State.BROKEN, "ChromaDB is not installed", "Workers cannot start.", "make setup")]
    place = "a server, which was not asked" if config.memory.url else "in the worker's process; not opened here"
    found = f"{installed}, {place}"
    wanted = config.memory.embedder
    if wanted not in {"auto", "none"}:
        return [Finding("memory", State.OK, f"{found}; embedder {wanted}", "The embedder was not asked.")]
    if choose(wanted).ranks:
        return [Finding("memory", State.OK, f"{found}; embedder MiniLM", "Its files are here; it was not loaded.")]
    means = "Recall ranks by words alone: no embedding model is at hand, and none is fetched unasked."
    do = "" if wanted == "none" else "Set `memory.embedder` to a LiteLLM embedding model, if you want vectors."
    return [Finding("memory", State.OK, f"{found}; no embedder", means, do)]
