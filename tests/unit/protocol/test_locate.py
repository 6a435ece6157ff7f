from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from studio.domain.errors import RepositoryError, UsageError
from studio.protocol.locate import git_environment, locate, person_name


@pytest.fixture(autouse=True)
def _no_user_config(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)


def git(path: Path, *arguments: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=A", "-c", "user.email=a@b.c", "-c", "protocol.file.allow=always", *arguments],
        cwd=path, check=True, capture_output=True,
    )  # fmt: skip


def repository(path: Path, *, commit: bool = True) -> Path:
    path.mkdir(parents=True)
    git(path, "init", "-q")
    if commit:
        git(path, "commit", "-q", "--allow-empty", "-m", "First")
    return path


def test_a_subdirectory_and_a_repository_without_a_commit(tmp_path: Path) -> None:
    top = repository(tmp_path / "repo", commit=False)
    (top / "a/b").mkdir(parents=True)
    places = locate(top / "a/b")
    assert places.common == str(top / ".git")
    assert places.worktree == str(top)


def test_a_detached_head_is_fine(tmp_path: Path) -> None:
    top = repository(tmp_path / "repo")
    git(top, "checkout", "-q", "--detach")
    assert locate(top).worktree == str(top)


def test_a_linked_worktree_shares_the_common_directory(tmp_path: Path) -> None:
    top = repository(tmp_path / "repo")
    git(top, "worktree", "add", "-q", str(tmp_path / "linked"))
    linked = locate(tmp_path / "linked")
    assert linked.common == locate(top).common
    assert linked.worktree == str(tmp_path / "linked")
    assert linked.socket() == locate(top).socket()


def test_a_submodule_has_its_own(tmp_path: Path) -> None:
    inner, outer = repository(tmp_path / "inner"), repository(tmp_path / "outer")
    git(outer, "submodule", "--quiet", "add", str(inner), "sub")
    places = locate(outer / "sub")
    assert places.common == str(outer / ".git/modules/sub")
    assert places.worktree == str(outer / "sub")


def test_what_is_no_working_tree_is_refused_with_advice(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    with pytest.raises(RepositoryError) as caught:
        locate(plain)
    assert f"git init {plain}" in caught.value.do
    git(tmp_path, "init", "-q", "--bare", "bare.git")
    with pytest.raises(RepositoryError, match="bare"):
        locate(tmp_path / "bare.git")
    with pytest.raises(RepositoryError, match="git directory"):
        locate(repository(tmp_path / "repo") / ".git")
    with pytest.raises(UsageError, match="does not exist"):
        locate(tmp_path / "absent")
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="not a directory"):
        locate(tmp_path / "file")
    broken = repository(tmp_path / "broken")
    (broken / ".git/config").write_text("[")
    with pytest.raises(RepositoryError, match="cannot read"):
        locate(broken)


def test_read_only_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    top = repository(tmp_path / "repo")
    real = os.access

    def access(path: Path, mode: int) -> bool:
        return not mode & os.W_OK and real(path, mode)

    def no_access(path: Path, mode: int) -> bool:
        return False

    monkeypatch.setattr(os, "access", access)
    with pytest.raises(RepositoryError, match="read-only"):
        locate(top)
    monkeypatch.setattr(os, "access", no_access)
    with pytest.raises(UsageError, match="may not read"):
        locate(top)


def test_another_owner_is_refused_as_git_does(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a directory away")
    top = repository(tmp_path / "repo")
    for path in (top, top / ".git"):
        os.chown(path, 12345, 12345)
    with pytest.raises(RepositoryError) as caught:
        locate(top)
    assert "safe.directory" in caught.value.do


def test_git_variables_of_a_hook_do_not_lead_astray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    top, other = repository(tmp_path / "repo"), repository(tmp_path / "other")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", "x")
    assert locate(top).common == str(top / ".git")
    assert "GIT_DIR" not in git_environment()


def test_no_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RepositoryError, match="not installed"):
        locate(tmp_path)


def test_a_persons_name(tmp_path: Path) -> None:
    top = repository(tmp_path / "repo")
    places = locate(top)
    assert person_name(places, "Configured") == "Configured"
    assert person_name(places)
    git(top, "config", "user.name", "Ada")
    assert person_name(places) == "Ada"
