"""Saves at every step of a landing, with and without the system's exchange."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from studio.domain.errors import LandingConflict
from studio.domain.ids import LandingId
from studio.workspace import GitWorkspace, discover, rename
from tests.unit.workspace.repos import BRANCH, COMMIT, Repo, land, numbered, outside, propose

STEPS = ("prepared", "locked", "swapped", "moved", "decided", "indexed", "cleaned")


@pytest.fixture(params=["exchange", "links"])
def renames(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "links":

        def unsupported() -> None:
            return None

        monkeypatch.setattr(rename, "_rename_call", unsupported)
    return str(request.param)


def save(path: Path, content: str) -> None:
    fresh = path.with_name(".swp")
    fresh.write_text(content)
    fresh.rename(path)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.usefixtures("renames")
def test_a_save_at_any_step_stays(repo: Repo, step: str) -> None:
    """One save during the landing: it is merged, or the landing gives way to it."""
    saved: list[str] = []

    def observe(name: str) -> None:
        if name == step and not saved:
            content = repo.read("a.txt").replace("line 20\n", "saved\n")
            saved.append(content)
            save(repo.path / "a.txt", content)

    ws = GitWorkspace(discover(repo.path), observe=observe)
    landing = land(ws, propose(ws, {"a.txt": numbered(l2="two\n"), "dir/b.txt": None, "new.txt": "n\n"}))
    assert saved
    assert "saved\n" in repo.read("a.txt")
    assert "two\n" in repo.read("a.txt")
    assert (repo.path / "new.txt").exists()
    ws.undo(landing, LandingId("l-undo"))
    assert repo.read("a.txt") == numbered(l20="saved\n")
    assert repo.read("dir/b.txt") == "one\ntwo\nthree\n"
    assert not list((repo.path / ".git/studio/landings").glob("*.d"))


@pytest.mark.parametrize("name", ["a.txt", "dir/b.txt", "new.txt"])
@pytest.mark.usefixtures("renames")
def test_saves_that_never_stop_win(repo: Repo, name: str) -> None:
    count = 0

    def observe(step: str) -> None:
        nonlocal count
        if step == "locked":
            count += 1
            save(repo.path / name, f"saved {count}\n")

    ws = GitWorkspace(discover(repo.path), observe=observe)
    changes = propose(ws, {"a.txt": numbered(l2="two\n"), "dir/b.txt": None, "new.txt": "n\n"})
    with pytest.raises(LandingConflict):
        land(ws, changes)
    assert repo.read(name) == f"saved {count}\n"
    others = {"a.txt": numbered(), "dir/b.txt": "one\ntwo\nthree\n"}
    assert {other: repo.read(other) for other in others if other != name} == {
        k: v for k, v in others.items() if k != name
    }
    assert (repo.path / "new.txt").exists() == (name == "new.txt")


@pytest.mark.usefixtures("renames")
def test_a_file_deleted_while_landing_stays_deleted_or_comes_back_whole(repo: Repo) -> None:
    def observe(step: str) -> None:
        if step == "locked" and (repo.path / "a.txt").exists():
            (repo.path / "a.txt").unlink()

    ws = GitWorkspace(discover(repo.path), observe=observe)
    changes = propose(ws, {"a.txt": numbered(l2="two\n"), "new.txt": "n\n"})
    with pytest.raises(LandingConflict):
        land(ws, changes)
    assert not (repo.path / "a.txt").exists()
    assert not (repo.path / "new.txt").exists()


def test_head_index_and_branch_that_move_under_a_landing(repo: Repo) -> None:
    moved: list[str] = []

    def observe(step: str) -> None:
        if step == "swapped" and not moved:
            moved.append(repo.git("commit-tree", "HEAD^{tree}", "-p", "HEAD", "-m", "Meanwhile"))
            repo.git("update-ref", "refs/heads/main", moved[0])

    ws = GitWorkspace(discover(repo.path), observe=observe)
    changes = propose(ws, {"a.txt": numbered(l2="two\n")})
    landing = land(ws, changes, COMMIT)
    assert repo.git("rev-parse", f"{landing.commit}^") == moved[0]
    assert repo.git("status", "--short") == ""
    branch = land(ws, propose(ws, {"a.txt": numbered(l2="two\n", l9="nine\n")}), BRANCH)
    repo.git("update-ref", "refs/heads/studio/work", moved[0])
    before = outside(repo)
    with pytest.raises(LandingConflict, match="no longer what the landing left"):
        ws.undo(branch, LandingId("l-undo"))
    assert outside(repo) == before


def test_another_file_system_is_staged_beside(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the store is on another device than the tree, files are prepared in the directories they go to."""
    real = Path.stat

    def elsewhere(self: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        status = real(self, follow_symlinks=follow_symlinks)
        if self.suffix == ".d" and self.parent.name == "landings":
            return os.stat_result((*status[:2], status.st_dev + 1, *status[3:10]))
        return status

    monkeypatch.setattr(Path, "stat", elsewhere)
    seen: list[list[str]] = []

    def observe(step: str) -> None:
        if step == "prepared":
            seen.append(sorted(path.name for path in (repo.path / "dir").iterdir()))

    ws = GitWorkspace(discover(repo.path), observe=observe)
    land(ws, propose(ws, {"dir/b.txt": "two\n"}))
    assert [len(names) for names in seen] == [2]
    assert repo.git("status", "--short") == " M dir/b.txt"
