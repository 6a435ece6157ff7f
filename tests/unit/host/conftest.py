from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from studio.domain.places import Places
from studio.protocol import start
from studio.protocol.client import HostClient, Identity
from studio.protocol.locate import locate
from studio.protocol.sockets import HostLock

HOST = Path(__file__).parents[2] / "fakes" / "host_process.py"
ROOT = Path(__file__).parents[3]


class Site:
    """A repository with hosts in processes of their own."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def places(self) -> Places:
        return locate(self.path)

    def command(self, *more: str) -> list[str]:
        return [sys.executable, str(HOST), "--repo", str(self.path), *more]

    async def client(
        self, name: str = "Ada", role: str = "driver", client: str = "tui", more: tuple[str, ...] = ()
    ) -> HostClient:
        return await HostClient.open(self.places, Identity(client, name, role), command=self.command(*more))

    def git(self, *arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=self.path, capture_output=True, check=True, text=True)
        return done.stdout.strip()


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Site]:
    # A socket's address is short, a test's directory may not be.
    runtime = Path(tempfile.mkdtemp(prefix="qls-"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    site = Site(tmp_path / "repo")
    site.path.mkdir()
    site.git("init", "-q", "-b", "main")
    site.git("config", "user.name", "Ada")
    site.git("config", "user.email", "ada@example.org")
    (site.path / "a.txt").write_text("one\ntwo\n")
    site.git("add", ".")
    site.git("commit", "-qm", "First")
    places = site.places
    yield site
    holder = HostLock(places).holder()
    if holder is not None and HostLock(places).held():
        with suppress(ProcessLookupError):
            os.kill(holder.pid, signal.SIGKILL)
    for process in start._started:
        process.kill()
        process.wait(20)
    shutil.rmtree(runtime, ignore_errors=True)


@pytest.fixture
def eventually() -> Callable[..., object]:
    async def wait(condition: Callable[[], object]) -> None:
        async with asyncio.timeout(30):
            while not condition():  # noqa: ASYNC110  # what is waited for is in other processes
                await asyncio.sleep(0.01)

    return wait
