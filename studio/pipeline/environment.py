"""What a repository needs to build and test, given to every command: `.studio/environment.toml`, honoured or said not to be.

The file is a repository's, so it is trusted with little: setup commands have the network and therefore none of the person's
variables; only directories that git does not hold, really inside the working tree, are mounted; variables named like secrets
are given where the person trusts the repository.
"""

from __future__ import annotations

import asyncio
import os
import posixpath
import re
import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from studio.domain.checks import CheckResult, Outcome
from studio.domain.config import Environment
from studio.domain.events import CommandFinished, CommandStarted
from studio.domain.ids import RunId, content_digest, short_digest
from studio.domain.sandbox import MEBI, Command, CommandResult, Ending, Limits, Probe
from studio.domain.trust import trusted
from studio.domain.value import Value, decode, encode
from studio.models.redaction import names_secret
from studio.pipeline.hidden import Hidden
from studio.pipeline.output import OutputStream
from studio.pipeline.services import Services
from studio.ports.sandbox import OnOutput, Sandbox

__all__ = ["EnvironmentSandbox", "Prepared", "noted", "prepare"]

_SETUP_LIMITS = Limits(seconds=1800.0, disk_bytes=8192 * MEBI, files=500_000, output_bytes=1 * MEBI)
_LOCK_FILES = frozenset(
    {
        "package.json", "package-lock.json", "pnpm-lock.yaml", "yarn.lock", "requirements.txt", "pyproject.toml", "uv.lock",
        "poetry.lock", "Cargo.toml", "Cargo.lock", "go.mod", "go.sum", "Gemfile", "Gemfile.lock", "composer.json",
        "composer.lock",
    }
)  # fmt: skip
"""Files that setup commands read without naming them."""


class Layer(Value, frozen=True):
    """What setup commands left, as kept beside it."""

    paths: tuple[str, ...]
    """Directories, relative to the tree."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A sandbox with the environment in it."""

    sandbox: Sandbox | None
    detail: str
    """What probing showed: why there is none."""
    notes: tuple[str, ...] = ()
    """What of the environment could not be honoured."""


class EnvironmentSandbox:
    """Gives every command the environment's mounts and variables. Implements `studio.ports.sandbox.Sandbox`."""

    def __init__(
        self, inner: Sandbox, mounts: tuple[tuple[str, str], ...], variables: tuple[tuple[str, str], ...]
    ) -> None:
        self._inner = inner
        self._mounts = mounts
        self._variables = variables

    @property
    def level(self) -> str:
        """The backend's."""
        return self._inner.level

    async def probe(self, need: tuple[str, ...] = ()) -> Probe:
        """Try the backend."""
        return await self._inner.probe(need)

    async def run(self, tree: Path, command: Command, on_output: OnOutput | None = None) -> CommandResult:
        """Run a command with the environment in it, as `studio.ports.sandbox.Sandbox.run` does."""
        # A path that the tree has as its own is the tree's: a mount would hide what is checked.
        mounts = tuple(
            (host, path) for host, path in self._mounts if not (tree / path).exists() and not (tree / path).is_symlink()
        )
        whole = msgspec.structs.replace(
            command, mounts=(*mounts, *command.mounts), env=(*self._variables, *command.env)
        )
        return await self._inner.run(tree, whole, on_output)

    async def close(self) -> None:
        """Leave the backend to its owner."""


def noted(result: CheckResult, notes: tuple[str, ...]) -> CheckResult:
    """Return a verdict that did not pass with what of the environment was missing."""
    if not notes or result.outcome is Outcome.PASSED:
        return result
    said = "; ".join(notes)
    if result.outcome is Outcome.NOT_RUN:
        return msgspec.structs.replace(result, reason=f"{result.reason} (environment: {said})")
    return msgspec.structs.replace(result, summary=f"{result.summary} (environment: {said})")


_preparing = asyncio.Lock()
_sandboxes: dict[tuple[str, str, tuple[str, ...]], Prepared] = {}
"""By run and what determines it, so that a setup which failed is not tried again by every command of a run."""
_MAX_KEPT = 64


async def prepare(
    services: Services, run: RunId, level: str, environment: Environment, tree: str, hidden: Hidden | None = None
) -> Prepared:
    """Return the sandbox of a level with the environment in it; setup commands run on `tree`, once for what they read.

    Args:
        services: The parts.
        run: On whose account setup commands run; their output is shown there.
        level: `auto`, or a backend's name.
        environment: What to honour.
        tree: Tree id with the person's files: no model wrote what setup commands read.
        hidden: What of the working tree is not mounted, because a model may be told what commands print.

    """
    sandbox, detail = await services.sandbox(level)
    if sandbox is None or environment == Environment():
        return Prepared(sandbox, detail)
    async with _preparing:
        entries = await asyncio.to_thread(services.workspace.list_tree, tree)
        key = _key(environment, sandbox.level, {path: blob for path, _, blob in entries})
        patterns = hidden.patterns if hidden else ()
        known = _sandboxes.get((run, key, patterns))
        if known is None:
            known = await _prepared(services, run, sandbox, environment, tree, key, hidden)
            while len(_sandboxes) >= _MAX_KEPT:
                _sandboxes.pop(next(iter(_sandboxes)))
            _sandboxes[run, key, patterns] = known
    return Prepared(known.sandbox, detail, known.notes)


def _key(environment: Environment, level: str, blobs: dict[str, str]) -> str:
    words = {word for line in environment.setup for word in re.split(r"[\s'\"=;&|]+", line)}
    read = sorted((path, blob) for path, blob in blobs.items() if path in words or path in _LOCK_FILES)
    return content_digest("environment", encode(environment), level, *(part for pair in read for part in pair))


async def _prepared(
    services: Services,
    run: RunId,
    sandbox: Sandbox,
    environment: Environment,
    tree: str,
    key: str,
    hidden: Hidden | None,
) -> Prepared:
    notes: list[str] = []
    mounts: dict[str, str] = {}
    for path in environment.mounts:
        source = Path(services.places.worktree, path)
        private = hidden is not None and hidden.covers(posixpath.normpath(path))
        problem = "it is private" if private else _unfit(source, Path(services.places.worktree))
        if problem:
            notes.append(f"{path} is not mounted: {problem}")
        else:
            mounts[posixpath.normpath(path)] = str(source)
    if environment.setup:
        folder = services.places.cache / "environment" / key
        layer = await _layer(services, run, sandbox, environment, tree, folder)
        if layer.note:
            notes.append(layer.note)
        mounts |= {path: str(folder / "tree" / path) for path in layer.paths}
    notes = [note for note in notes if note.split(" ", 1)[0] not in mounts]
    variables, unset = _variables(services, environment)
    notes += unset
    given = tuple((host, path) for path, host in sorted(mounts.items()))
    return Prepared(EnvironmentSandbox(sandbox, given, variables), "", tuple(notes))


def _variables(services: Services, environment: Environment) -> tuple[tuple[tuple[str, str], ...], list[str]]:
    """Return the variables given, and what is not given: a stranger's file is not to name a secret for a model to print."""
    names = environment.variables
    missing = [name for name in names if name not in os.environ]
    trust = trusted(services.places, services.config)
    secret = [name for name in names if name in os.environ and names_secret(name) and not trust]
    notes = [f"not set where the worker runs: {', '.join(missing)}"] if missing else []
    if secret:
        notes.append(f"not given, since the repository is not under `trust`: {', '.join(secret)}")
    given = tuple((name, os.environ[name]) for name in names if name in os.environ and name not in secret)
    return given, notes


def _unfit(source: Path, worktree: Path) -> str:
    """Return why a path of the working tree is not mounted, empty if it may be."""
    if not source.is_dir():
        return "there is no such directory in the working tree"
    if source.resolve() != Path(posixpath.normpath(source)) or not source.resolve().is_relative_to(worktree.resolve()):
        return "it leads out of the working tree"
    first = source.resolve().relative_to(worktree.resolve()).parts[:1]
    return "" if first and first[0] not in {".git", ".studio"} else "it is not a directory of the program"


async def _layer(
    services: Services, run: RunId, sandbox: Sandbox, environment: Environment, tree: str, folder: Path
) -> Layer:
    """Return what setup commands leave for this key, running them if nobody did."""
    kept = folder / "layer.json"
    if kept.is_file():
        return decode(await asyncio.to_thread(kept.read_bytes), Layer)
    root = await asyncio.to_thread(services.workspace.checkout, run, "setup", tree)
    skipped = 0
    for number, line in enumerate(environment.setup):
        result = await _set_up(services, run, sandbox, root, line, f"environment/{folder.name[:12]}/{number}")
        skipped += len(result.skipped)
        if result.ending is not Ending.EXITED or result.exit_code:
            said = result.output.decode("utf-8", "replace").strip().splitlines()[-1:]
            return Layer((), f"setup `{line}` {result.ending}, exit code {result.exit_code}: {' '.join(said)[:200]}")
    tracked = {path.split("/")[0] for path, _, _ in await asyncio.to_thread(services.workspace.list_tree, tree)}
    note = f"{skipped} entries that setup made are not kept: links and special files never are" if skipped else ""
    return await asyncio.to_thread(_keep, root, folder, tracked, environment.mounts, note)


async def _set_up(services: Services, run: RunId, sandbox: Sandbox, root: Path, line: str, step: str) -> CommandResult:
    identity = short_digest("x", run, step, length=8)
    argv = ("sh", "-c", line)
    await services.log(run, step, CommandStarted(identity, argv, sandbox.level))
    output = OutputStream(services, run, identity)
    result = await sandbox.run(root, Command(argv, limits=_SETUP_LIMITS, network=True), output.write)
    artifact = await output.finish()
    finished = CommandFinished(
        identity, result.exit_code, result.ending, result.duration_ms, artifact, result.dropped_bytes, result.level
    )
    await services.log(run, step, finished, n=1)
    return result


def _keep(root: Path, folder: Path, tracked: set[str], wanted: tuple[str, ...], note: str) -> Layer:
    """Move the directories that are new into the cache, all of them or none."""
    is_new: Callable[[Path], bool] = lambda path: path.is_dir() and not path.is_symlink()  # noqa: E731 -- one test, two uses
    new = sorted(
        path.name for path in root.iterdir() if path.name not in tracked and path.name != ".git" and is_new(path)
    )
    nested = [path for path in map(posixpath.normpath, wanted) if "/" in path and is_new(root / path)]
    layer = Layer((*new, *(path for path in nested if path.split("/")[0] not in new)), note)
    folder.parent.mkdir(parents=True, exist_ok=True)
    making = folder.with_name(f"{folder.name}.{uuid.uuid4().hex[:8]}")
    for path in layer.paths:
        target = making / "tree" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(root / path, target)
    making.mkdir(exist_ok=True)
    (making / "layer.json").write_bytes(encode(layer))
    try:
        making.rename(folder)
    except OSError:
        shutil.rmtree(making)  # another worker was first, with the same
    return layer
