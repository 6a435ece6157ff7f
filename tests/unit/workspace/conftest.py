from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from studio.domain.ids import RunId
from studio.workspace import GitWorkspace, discover

RUN = RunId("r-00000001")


@dataclass
class Repo:
    """A person's repository, as they would use it."""

    path: Path

    def git(self, *args: str, check: bool = True) -> str:
        env = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        env |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        done = subprocess.run(["git", *args], cwd=self.path, env=env, capture_output=True, check=False)
        if check and done.returncode:
            raise AssertionError(done.stderr.decode())
        return done.stdout.decode("utf-8", "surrogateescape").rstrip("\n")

    def write(self, files: dict[str, str | bytes]) -> None:
        for name, content in files.items():
            path = self.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def commit(self, files: dict[str, str | bytes], message: str = "Change") -> str:
        self.write(files)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def workspace(self) -> GitWorkspace:
        return GitWorkspace(discover(self.path))


@pytest.fixture
def make_repo(tmp_path: Path) -> Callable[..., Repo]:
    def make(name: str = "repo", files: dict[str, str | bytes] | None = None, *init: str) -> Repo:
        path = tmp_path / name
        path.mkdir()
        repo = Repo(path)
        repo.git("init", "-q", "-b", "main", *init)
        repo.git("config", "user.name", "Ada")
        repo.git("config", "user.email", "ada@example.org")
        if files:
            repo.commit(files, "First")
        return repo

    return make


@pytest.fixture
def repo(make_repo: Callable[..., Repo]) -> Repo:
    numbered = "".join(f"line {number}\n" for number in range(1, 31))
    return make_repo("repo", {"a.txt": numbered, "dir/b.txt": "one\ntwo\nthree\n", "run.sh": "echo\n"})
