from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.unit.workspace.repos import Repo, numbered


@pytest.fixture
def make_repo(tmp_path: Path) -> Callable[..., Repo]:
    def make(name: str = "repo", files: Mapping[str, str | bytes] | None = None, *init: str) -> Repo:
        repo = Repo.init(tmp_path / name, *init)
        if files:
            repo.commit(files, "First")
        return repo

    return make


@pytest.fixture
def repo(make_repo: Callable[..., Repo]) -> Repo:
    return make_repo("repo", {"a.txt": numbered(), "dir/b.txt": "one\ntwo\nthree\n", "run.sh": "echo\n"})
