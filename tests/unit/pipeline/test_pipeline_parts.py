"""The pipeline's parts on a real store and a real repository: kept work, the environment, cancels, live output."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from studio.domain.brief import Brief
from studio.domain.config import Config, Environment
from studio.domain.errors import Cancelled
from studio.domain.ids import ArtifactId, RunId
from studio.domain.places import Places
from studio.domain.runs import Budget, OnGate, RunOptions
from studio.domain.sandbox import Command, Probe
from studio.journal import JournalStore, open_store
from studio.pipeline import services as process
from studio.pipeline.environment import EnvironmentSandbox, prepare
from studio.pipeline.gates import waits
from studio.pipeline.hidden import Hidden
from studio.pipeline.output import OutputStream
from studio.pipeline.results import AgentWork
from studio.pipeline.reusing import find_work, keep_work
from studio.pipeline.services import Services
from studio.pipeline.steps import Cancels, RunSpec
from studio.ports.models import ModelGateway
from studio.ports.sandbox import Sandbox
from studio.workspace import GitWorkspace
from tests.fakes.local_sandbox import LocalSandbox

RUN = RunId("r-test")
SPEC = RunSpec(RUN, 1, "brief", ArtifactId("a"), RunOptions("auto"), "", "")


def git(repo: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=repo, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    repo = tmp_path / "repo"
    repo.mkdir()
    git(repo, "init", "-q")
    git(repo, "config", "user.name", "Ada")
    git(repo, "config", "user.email", "ada@example.org")
    (repo / "a.txt").write_text("a\n")
    (repo / "b.txt").write_text("b\n")
    (repo / ".gitignore").write_text("deps/\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "Begin")
    return repo


async def no_gateway(_options: RunOptions, _brief: Brief) -> ModelGateway:
    raise AssertionError


@pytest.fixture
def services(repo: Path) -> Iterator[Services]:
    places = Places(worktree=str(repo), common=str(repo / ".git"))
    store: JournalStore = open_store(places, "")
    sandbox = LocalSandbox()

    async def choose(_level: str) -> tuple[Sandbox | None, list[Probe]]:
        return sandbox, []

    absent = cast("Any", None)
    made = Services(
        "worker-1", places, Config(), Environment, store.journal, store.artifacts, store.streams, store.reuse,
        store.replies, store.ledger, GitWorkspace(places), absent, absent, absent, absent, no_gateway, choose,
    )  # fmt: skip
    before = list(process._installed)
    process.install(made)
    yield made
    process._installed[:] = before
    store.close()


def tree_with(services: Services, **files: str) -> str:
    """Return the tree of the working tree with some files written."""
    for name, text in files.items():
        Path(services.places.worktree, f"{name}.txt").write_text(text)
    return services.workspace.snapshot().tree


def make(services: Services, name: str, *, link_to: str = "") -> None:
    """Make a directory, or a link, in the working tree."""
    path = Path(services.places.worktree, name)
    if link_to:
        path.symlink_to(link_to)
    else:
        path.mkdir()


def remove(services: Services, name: str) -> None:
    """Remove a file of the working tree."""
    Path(services.places.worktree, name).unlink()


async def test_kept_work_holds_where_what_it_read_is_the_same(services: Services) -> None:
    base = services.workspace.snapshot().tree
    blobs = {path: blob for path, _, blob in services.workspace.list_tree(base)}
    after = tree_with(services, made="made\n")
    remove(services, "made.txt")
    work = AgentWork(ok=True, summary="", before=base, after=after, read=(("a.txt", blobs["a.txt"]), ("made.txt", "")))
    await keep_work(SPEC, "key", work, 0.5)

    same = await find_work("key", base)
    assert same is not None
    assert (same.work.after, same.cost_usd) == (after, 0.5)

    other = tree_with(services, b="another b\n")
    moved = await find_work("key", other)
    assert moved is not None
    names = {path: blob for path, _, blob in services.workspace.list_tree(moved.work.after)}
    assert set(names) >= {"made.txt", "a.txt", "b.txt"}
    assert services.workspace.read_blob(moved.work.after, "b.txt") == b"another b\n"

    assert await find_work("key", tree_with(services, a="another a\n")) is None
    assert await find_work("another key", base) is None


async def test_work_is_kept_once_for_each_read_set(services: Services) -> None:
    base = services.workspace.snapshot().tree
    for number in range(20):
        read = (("a.txt", f"{number % 10}"),)
        await keep_work(SPEC, "key", AgentWork(ok=True, summary=str(number), before=base, after=base, read=read), 0.0)
    assert await find_work("key", base) is None  # none of them read what is there


async def test_setup_runs_once_and_only_on_what_people_wrote(services: Services) -> None:
    base = services.workspace.snapshot().tree
    make(services, "deps")
    environment = Environment(setup=("mkdir built; echo it > built/x",), mounts=("deps", "nowhere"))
    first = await prepare(services, RUN, "auto", environment, base)
    assert isinstance(first.sandbox, EnvironmentSandbox)
    assert [note for note in first.notes if "nowhere" in note]
    again = await prepare(services, RunId("r-2"), "auto", environment, base)
    assert again.notes == first.notes
    started = services.journal.read(0, 100, None, ("command.started",))
    assert len(started) == 1
    plain = await prepare(services, RUN, "auto", Environment(), base)
    assert isinstance(plain.sandbox, LocalSandbox)


@pytest.mark.parametrize("path", ["..", "../..", "/etc", ".git", ".studio", ".", "link", "a.txt", "absent"])
async def test_mounts_stay_in_the_working_tree(services: Services, path: str) -> None:
    make(services, ".studio")
    make(services, "link", link_to="/etc")
    ready = await prepare(services, RUN, "auto", Environment(mounts=(path,)), services.workspace.snapshot().tree)
    assert [note for note in ready.notes if note.startswith(f"{path} is not mounted")]


async def test_a_secret_variable_is_given_to_a_trusted_repository_alone(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-mine")
    environment = Environment(variables=("OPENAI_API_KEY",))
    base = services.workspace.snapshot().tree
    local, _ = await services.sandbox("auto")
    assert isinstance(local, LocalSandbox)
    make(services, "empty")

    async def given(run: str) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
        ready = await prepare(services, RunId(run), "auto", environment, base)
        assert ready.sandbox is not None
        await ready.sandbox.run(Path(services.places.worktree, "empty"), Command(("true",)))
        return local.commands[-1].env, ready.notes

    env, notes = await given("r-stranger")
    assert env == ()
    assert "OPENAI_API_KEY" in notes[0]
    services.config = Config(trust=(services.places.worktree,))
    assert await given("r-trusted") == ((("OPENAI_API_KEY", "sk-mine"),), ())


async def test_a_private_directory_is_not_mounted(services: Services) -> None:
    make(services, "deps")
    base = services.workspace.snapshot().tree
    ready = await prepare(services, RUN, "auto", Environment(mounts=("deps",)), base, Hidden(("deps/**",)))
    assert ready.notes == ("deps is not mounted: it is private",)
    whole = await prepare(services, RUN, "auto", Environment(mounts=("deps",)), base)
    assert whole.notes == ()


async def test_variables_are_given_by_name_and_never_to_setup(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHOSEN", "value")
    monkeypatch.setenv("OTHER", "secret")
    environment = Environment(setup=('test -z "$CHOSEN"',), variables=("CHOSEN", "ABSENT"))
    ready = await prepare(services, RUN, "auto", environment, services.workspace.snapshot().tree)
    assert ready.notes == ("not set where the worker runs: ABSENT",)
    assert ready.sandbox is not None
    local, _ = await services.sandbox("auto")
    assert isinstance(local, LocalSandbox)
    assert all(not command.env for command in local.commands)
    make(services, "empty")
    await ready.sandbox.run(Path(services.places.worktree, "empty"), Command(("true",)))
    assert local.commands[-1].env == (("CHOSEN", "value"),)
    assert ready.sandbox.level == "local"
    assert (await ready.sandbox.probe()).works


async def test_cancelling_ends_what_a_run_does_and_what_it_would_do_next() -> None:
    cancels = Cancels()
    began = asyncio.Event()

    async def long() -> None:
        began.set()
        await asyncio.sleep(3600)

    task = asyncio.create_task(cancels.guard(RUN, long()))
    await began.wait()
    cancels.cancel(RunId("r-other"))
    assert not task.done()
    cancels.cancel(RUN)
    with pytest.raises(Cancelled):
        await task
    with pytest.raises(Cancelled):
        await cancels.guard(RUN, asyncio.sleep(0))
    cancels.revive(RUN)
    await cancels.guard(RUN, asyncio.sleep(0))


async def test_a_worker_that_ends_is_no_cancelled_run() -> None:
    cancels = Cancels()
    task = asyncio.create_task(cancels.guard(RUN, asyncio.sleep(3600)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_output_is_one_artifact_in_order(services: Services) -> None:
    quick = OutputStream(services, RUN, "quick")
    quick.write(b"one ")
    quick.write(b"two")
    assert await services.load(await quick.finish()) == b"one two"
    assert await OutputStream(services, RUN, "none").finish() == ""
    for repeat in range(2):  # the second finds the rows of the first, as a step that runs again does
        slow = OutputStream(services, RUN, "slow")
        for number in range(5):
            slow.write(f"{repeat}{number} ".encode())
            await asyncio.sleep(0.03)
        if repeat:
            assert await services.load(await slow.finish()) == b"10 11 12 13 14 "


@pytest.mark.parametrize(
    ("policy", "incarnation", "expected"),
    [(OnGate.WAIT, 1, True), (OnGate.FAIL, 1, False), (OnGate.FAIL, 2, True), (OnGate.DEFAULT, 2, False)],
)
def test_a_run_that_was_taken_up_again_waits_for_people(policy: OnGate, incarnation: int, *, expected: bool) -> None:
    options = RunOptions("auto", budget=Budget(), on_gate=policy)
    assert waits(RunSpec(RUN, incarnation, "b", ArtifactId("a"), options, "", "")) is expected
