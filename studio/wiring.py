"""The one place that picks concrete classes. Imports are deferred: each process loads what it uses and no more."""

from __future__ import annotations

import asyncio
import math
import os
import sys
import time
import tomllib
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from studio.domain.brief import Brief
from studio.domain.checks import CheckResult
from studio.domain.config import Config, Environment
from studio.domain.errors import SandboxUnavailable, UsageError
from studio.domain.ids import RunId
from studio.domain.places import Places, user_config_dir
from studio.domain.runs import RunOptions
from studio.domain.sandbox import Probe
from studio.domain.state import StudioState
from studio.domain.trust import distant, trusted
from studio.ports.engine import CheckJob
from studio.ports.models import ModelGateway
from studio.ports.sandbox import Sandbox

if TYPE_CHECKING:
    from studio.journal import JournalStore
    from studio.pipeline.services import Services

__all__ = [
    "check_directory",
    "load_config",
    "load_environment",
    "map_of",
    "open_log",
    "require_sandbox",
    "run_host",
    "run_worker",
    "tree_of_worktree",
]

T = TypeVar("T")
_TOOLS_RUN = RunId("tools")
"""Where commands without a run keep their worktrees."""


def load_config(places: Places) -> Config:
    """Return the configuration: the user's, overridden by the repository's.

    Raises:
        UsageError: a file is not TOML, or has an unknown key or a value of the wrong kind; the repository's names other
            machines and is not trusted.

    """
    own = user_config_dir() / "config.toml"
    merged, given = _toml(own), _toml(places.config)
    if "trust" in given:
        raise UsageError(f"{places.config} sets `trust`, which is yours alone.", f"Move it to {own}.")
    far = distant(_convert(given, Config, "configuration"))
    _merge(merged, given)
    config = _convert(merged, Config, "configuration")
    if not all(0 <= amount < math.inf for amount in msgspec.structs.astuple(config.budget)):
        raise UsageError("The configuration is wrong: a budget is no amount.", "Give 0 or more in `[budget]`.")
    if far and not trusted(places, config):
        raise UsageError(
            f"{places.config} sets {', '.join(far)}: your code would go where the repository says.",
            f"Remove that, or put `{places.worktree}` into the list `trust` in {own}.",
        )
    return config


def load_environment(places: Places) -> Environment:
    """Return what the repository needs to build and test; nothing where no file says so.

    Raises:
        UsageError: as `load_config`.

    """
    return _convert(_toml(places.environment), Environment, str(places.environment))


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"{path} cannot be read: {error}.", "Mend it, or move it away.") from None


def _merge(into: dict[str, Any], other: dict[str, Any]) -> None:
    for key, value in other.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)  # pyright: ignore[reportUnknownArgumentType]  # TOML is what it is
        else:
            into[key] = value


def _convert(data: dict[str, Any], kind: type[T], name: str) -> T:
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        known = ", ".join(getattr(kind, "__struct_fields__", ()))
        raise UsageError(f"The {name} is wrong: {error}.", f"The keys are {known}.") from None


def open_log(places: Places) -> JournalStore:
    """Open the journal and what stands beside it."""
    from studio.journal import open_store

    return open_store(places, load_config(places).database)


async def choose_sandbox(config: Config, level: str) -> tuple[Sandbox | None, list[Probe]]:
    """Return the strongest sandbox that works, or the one asked for, and what trying showed."""
    from studio.sandbox.choose import choose

    return await choose("" if level == "auto" else level, config)


async def require_sandbox(places: Places, level: str) -> Sandbox:
    """Return a sandbox.

    Raises:
        SandboxUnavailable: none works, or not the one asked for.

    """
    sandbox, probes = await choose_sandbox(load_config(places), level)
    if sandbox is None:
        tried = "; ".join(f"{probe.backend}: {probe.detail}" for probe in probes)
        advice = " · ".join(probe.do for probe in probes if probe.do)
        raise SandboxUnavailable(f"No sandbox works here ({tried}).", advice or "See `studio doctor`.")
    return sandbox


@contextmanager
def tree_of_worktree(places: Places) -> Generator[Path]:
    """Give a copy of the working tree as it is now, uncommitted changes included, without what git ignores."""
    from studio.workspace import GitWorkspace

    workspace = GitWorkspace(places)
    run = RunId(f"{_TOOLS_RUN}-{os.getpid()}")
    try:
        yield workspace.checkout(run, "tree", workspace.snapshot().tree)
    finally:
        workspace.drop_worktrees(run)


async def check_directory(places: Places, directory: Path | None, level: str) -> list[CheckResult]:
    """Run the checks on the working tree, or on a directory as it is."""
    from studio.checks.runner import CheckRunner
    from studio.context.syntax import TreeSitterSyntax

    sandbox, _ = await choose_sandbox(load_config(places), level)
    runner = CheckRunner(TreeSitterSyntax())
    try:
        if directory is not None:
            return await runner.run(CheckJob(directory, ""), sandbox)
        from studio.workspace import GitWorkspace

        workspace = GitWorkspace(places)
        run = RunId(f"{_TOOLS_RUN}-{os.getpid()}")
        try:
            tree = await asyncio.to_thread(lambda: workspace.snapshot().tree)
            path = await asyncio.to_thread(workspace.checkout, run, "tree", tree)
            return await runner.run(CheckJob(path, tree), sandbox)
        finally:
            await asyncio.to_thread(workspace.drop_worktrees, run)
    finally:
        if sandbox is not None:
            await sandbox.close()


def map_of(places: Places, directory: Path | None, tokens: int, focus: Sequence[str]) -> str:
    """Return the repo map of the working tree, or of a directory below it."""
    from studio.context.index import TreeSitterIndex
    from studio.workspace import GitWorkspace

    workspace = GitWorkspace(places)
    index = TreeSitterIndex(places.cache / "index.sqlite")
    prefix = ""
    if directory is not None and directory != Path(places.worktree):
        try:
            prefix = f"{directory.relative_to(places.worktree)}/"
        except ValueError:
            raise UsageError(f"{directory} is not in the repository.", "Give a directory of it, or --repo.") from None
    files = [
        (path, blob)
        for path, mode, blob in workspace.list_tree(workspace.snapshot().tree)
        if mode.startswith("100") and path.startswith(prefix)
    ]
    with tree_of_worktree(places) as tree:
        return index.repo_map(tree, files, tokens, focus)


async def run_host(places: Places) -> None:
    """Be the host of a repository until told to end, or until idle."""
    from studio.host.parts import HostParts
    from studio.host.serve import serve
    from studio.journal import open_store
    from studio.workspace import GitWorkspace

    config = load_config(places)
    if config.workers > 1 and not config.memory.url:
        raise UsageError(
            "More than one worker needs a ChromaDB server: the embedded memory has one owner.",
            "Start one with `chroma run` and name it as `memory.url` in the configuration, or set `workers = 1`.",
        )

    def worker_command(name: str, lifeline: int) -> Sequence[str]:
        base = [sys.executable, "-m", "studio", "worker", "--repo", places.worktree]
        return [*base, "--name", name, "--lifeline", str(lifeline)]

    store = open_store(places, config.database)
    parts = HostParts(
        store.journal,
        store.artifacts,
        store.streams,
        store.snapshots,
        GitWorkspace,
        worker_command,
        collect_garbage=lambda days: collect_garbage(places, store, days),
        close=store.close,
    )
    await serve(parts, places, config)


def collect_garbage(places: Places, store: JournalStore, keep_days: float) -> str:
    """Drop from the store the trees of runs that ended longer ago than `keep_days`; return a line on what went.

    The log and every artifact it names stay: what goes are worktrees, bases and proposals that nothing names any more.
    """
    from studio.domain.fold import fold
    from studio.workspace import GitWorkspace

    state, after = StudioState(), 0
    while records := store.journal.read(after, 5000):
        state = fold(records, state)
        after = records[-1].seq
    horizon = time.time() - keep_days * 86_400
    kept = {run.id for run in state.runs.values() if not run.status.final or run.finished >= horizon}
    GitWorkspace(places).keep(kept, store.referenced_artifacts())
    return f"{len(state.runs) - len(kept)} runs let go, {len(kept)} kept."


def _services(places: Places, name: str) -> Services:
    from studio.checks.runner import CheckRunner
    from studio.context.index import TreeSitterIndex
    from studio.context.syntax import TreeSitterSyntax
    from studio.journal import open_store
    from studio.memory.store import ChromaMemory
    from studio.models import embedder, open_gateway
    from studio.pipeline.services import Services
    from studio.workspace import GitWorkspace

    config = load_config(places)
    store = open_store(places, config.database)
    syntax = TreeSitterSyntax()

    async def gateway(options: RunOptions, brief: Brief) -> ModelGateway:
        def open_it() -> ModelGateway:
            return open_gateway(
                options.model,
                config.models,
                replies=store.replies,
                ledger=store.ledger,
                artifacts=store.artifacts,
                environ=os.environ,
                api_base=options.api_base,
                record=options.record,
                title=brief.title,
            )

        return await asyncio.to_thread(open_it)

    wanted = config.memory.embedder
    embed = None if wanted in {"auto", "none"} else embedder(wanted, os.environ, config.models.api_base)
    return Services(
        worker=name,
        places=places,
        config=config,
        read_environment=lambda: load_environment(places),
        journal=store.journal,
        artifacts=store.artifacts,
        streams=store.streams,
        reuse=store.reuse,
        replies=store.replies,
        ledger=store.ledger,
        workspace=GitWorkspace(places),
        checks=CheckRunner(syntax, store.artifacts),
        syntax=syntax,
        index=TreeSitterIndex(places.cache / "index.sqlite"),
        memory=ChromaMemory(config.memory.url or places.memory, places.common, wanted, embed),
        open_gateway=gateway,
        choose_sandbox=lambda level: choose_sandbox(config, level),
    )


async def run_worker(places: Places, name: str, *, lifeline: int | None = None, adopt: str | None = None) -> None:
    """Be a worker until told to end, or until the lifeline closes."""
    from studio.models import warm
    from studio.pipeline.learn import remembered
    from studio.pipeline.worker import work

    lost = not load_config(places).memory.url and not any(places.memory.glob("*.sqlite"))
    services = _services(places, name)
    items = await asyncio.to_thread(remembered, services.journal) if lost else []
    if items:
        await asyncio.to_thread(services.memory.rebuild, items)
    await work(services, lifeline=lifeline, warm=warm, adopt=adopt)
