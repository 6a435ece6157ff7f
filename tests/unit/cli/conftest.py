"""A repository, and the command as a person runs it: in a process of its own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from studio.domain.errors import StudioError
from studio.protocol.client import HostClient, Identity, run_with_host
from studio.protocol.commands import Shutdown
from tests.fakes.command_lab import CommandLab


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[CommandLab]:
    """Give a repository with one commit, whose host has no worker and ends soon."""
    runtime = Path(tempfile.mkdtemp(prefix="studio-"))  # short: a socket's path is bounded
    environ = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    environ |= {"XDG_RUNTIME_DIR": str(runtime), "XDG_CONFIG_HOME": str(tmp_path / "config"), "TERM": "xterm-256color"}
    environ |= {"PYTHONPATH": str(Path(__file__).parents[3])}
    lab = CommandLab(tmp_path / "repository", environ)
    lab.root.mkdir()
    lab.git("init", "-q", "-b", "main")
    lab.write(".studio/config.toml", "workers = 0\nidle_seconds = 2.0\n")
    lab.write("app.py", "def hello() -> str:\n    return 'hello'\n")
    lab.git("add", "-A")
    lab.git("commit", "-q", "-m", "Begin")
    yield lab
    _end_host(lab, runtime)
    shutil.rmtree(runtime, ignore_errors=True)


def _end_host(lab: CommandLab, runtime: Path) -> None:
    if not any(runtime.rglob("*.sock")):
        return

    async def end(client: HostClient) -> None:
        await client.ask(Shutdown())

    with pytest.MonkeyPatch.context() as patch, suppress(StudioError):
        patch.setenv("XDG_RUNTIME_DIR", str(runtime))
        run_with_host(lab.places, Identity("cli", "test"), end, start=False)
