"""Stage 10: the program, started in the sandbox. What was not started is said to be not run, and why."""

from __future__ import annotations

import asyncio

from studio.domain.events import CommandFinished, CommandStarted, ProgramRan
from studio.domain.ids import short_digest
from studio.domain.sandbox import Command, Ending, Limits
from studio.pipeline.environment import prepare
from studio.pipeline.hidden import Hidden, checkout_shown
from studio.pipeline.output import OutputStream
from studio.pipeline.results import Ran
from studio.pipeline.scope import brief_of
from studio.pipeline.services import Services, current
from studio.pipeline.steps import RunSpec
from studio.pipeline.trees import changed_paths

__all__ = ["start_program"]

_SECONDS = 8.0
"""A program that still runs after this long serves; one that ends is judged by its exit code."""


async def start_program(spec: RunSpec, tree: str) -> Ran:
    """Start the program once: a step's work."""
    services = current()
    argv, how = await asyncio.to_thread(_program, services, spec, tree)
    if not argv:
        return await _ran(services, spec, Ran("not-run", how))
    hidden = Hidden((await brief_of(spec)).front.private)
    ready = await prepare(services, spec.run, spec.options.sandbox, spec.environment, spec.base_tree, hidden)
    sandbox = ready.sandbox
    if sandbox is None:
        return await _ran(services, spec, Ran("not-run", f"no sandbox: {ready.detail}", argv))
    path, _ = await checkout_shown(services, spec.run, "program", tree, hidden)
    command = short_digest("x", spec.run, spec.at("run"), tree, length=6)
    at = spec.at("run/program")
    await services.log(spec.run, at, CommandStarted(command, argv, sandbox.level))
    output = OutputStream(services, spec.run, command)
    result = await sandbox.run(path, Command(argv, limits=Limits(seconds=_SECONDS), writable=False), output.write)
    artifact = await output.finish()
    await services.log(
        spec.run,
        at,
        CommandFinished(
            command, result.exit_code, result.ending, result.duration_ms, artifact, result.dropped_bytes, result.level
        ),
        n=1,
    )
    if result.ending is Ending.TIMEOUT:
        return await _ran(
            services, spec, Ran("passed", f"{how}: still running after {_SECONDS:.0f} s, then stopped", argv)
        )
    passed = result.ending is Ending.EXITED and result.exit_code == 0
    how = "; ".join((how, *ready.notes)) if not passed else how
    ending = f"exit {result.exit_code}" if result.ending is Ending.EXITED else result.ending
    return await _ran(services, spec, Ran("passed" if passed else "failed", f"{how}: {ending}", argv))


async def _ran(services: Services, spec: RunSpec, ran: Ran) -> Ran:
    await services.log(spec.run, spec.at("run/result"), ProgramRan(ran.outcome, ran.detail, ran.argv))
    return ran


def _program(services: Services, spec: RunSpec, tree: str) -> tuple[tuple[str, ...], str]:
    """Return how the program is started, and in words; no argv and why not where nothing says how."""
    if spec.environment.run:
        return ("sh", "-c", spec.environment.run), spec.environment.run
    paths = {path for path, _, _ in services.workspace.list_tree(tree)}
    changed = changed_paths(services.workspace, spec.base_tree, tree)
    packages = sorted({path.split("/")[0] for path in changed if "/" in path})
    for package in packages:
        if f"{package}/__main__.py" in paths:
            return ("python3", "-m", package, "--help"), f"python3 -m {package} --help"
    return (), "nothing says how to start it; name it as `run` in .studio/environment.toml"
