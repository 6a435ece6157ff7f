"""A landing killed at any step: recovery finishes it or reverts it, and either way nothing is in between."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from studio.domain.changes import Landing, LandingTarget
from studio.domain.ids import LandingId
from studio.domain.value import decode, encode
from studio.workspace import GitWorkspace, discover
from tests.unit.workspace.repos import BRANCH, COMMIT, INDEX, WORKTREE, Repo, land, numbered, outside, propose

WRITTEN = ("a.txt", "dir/b.txt", "new/x.txt")
STEPS = 9
"""At most: prepared, locked, three files swapped, moved, decided, indexed, cleaned."""


def state(repo: Repo) -> dict[str, object]:
    """Return what is in the repository, times apart: index entries, references and files."""
    files = {name: (repo.path / name).read_bytes() for name in WRITTEN if (repo.path / name).exists()}
    return {
        "files": files,
        "folders": sorted(str(path.relative_to(repo.path)) for path in repo.path.iterdir()),
        "index": repo.git("ls-files", "-s"),
        "lock": (repo.path / ".git/index.lock").exists(),
        "refs": repo.git("for-each-ref", "--format=%(refname) %(tree)"),
        "status": repo.git("status", "--porcelain", "-uall"),
    }


def die_at(step: int) -> None:
    """Run in a process of its own: land or undo what `sys.argv` names, and die at a step."""
    _, repository, order, _ = sys.argv
    seen = 0

    def observe(_: str) -> None:
        nonlocal seen
        if seen == step:
            os.kill(os.getpid(), signal.SIGKILL)
        seen += 1

    ws = GitWorkspace(discover(Path(repository)), observe=observe)
    kind, _, value = order.partition(":")
    if kind == "undo":
        ws.undo(decode(value.encode(), Landing), LandingId("l-killed"))
        return
    changes = propose(ws, CHANGE)
    land(ws, changes, decode(value.encode(), LandingTarget), landing=LandingId("l-killed"))


CHANGE = {"a.txt": numbered(l2="two\n"), "dir/b.txt": None, "new/x.txt": "x\n"}


def run_and_kill(repo: Repo, order: str, step: int) -> bool:
    """Return whether the process was killed; False when it ended before that step."""
    code = "import sys; from tests.crash.test_landing_kill import die_at; die_at(int(sys.argv[3]))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(repo.path), order, str(step)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert done.returncode in {0, -signal.SIGKILL}, done.stderr.decode()
    return done.returncode != 0


def fresh(path: Path) -> Repo:
    repo = Repo.init(path)
    repo.commit({"a.txt": numbered(), "dir/b.txt": "b\n", "kept.txt": "k\n"})
    repo.write({"staged.txt": "s\n", "kept.txt": "changed\n"})
    repo.git("add", "staged.txt")
    return repo


@pytest.mark.parametrize("target", [WORKTREE, INDEX, COMMIT, BRANCH], ids=lambda target: target.kind.value)
def test_a_killed_landing_is_all_or_nothing(tmp_path: Path, target: LandingTarget) -> None:
    whole = fresh(tmp_path / "whole")
    before = state(whole)
    ws = whole.workspace()
    land(ws, propose(ws, CHANGE), target)
    after = state(whole)
    assert before != after
    outcomes: set[bool] = set()
    for step in range(STEPS + 1):
        repo = fresh(tmp_path / str(step))
        killed = run_and_kill(repo, f"land:{encode(target).decode()}", step)
        reverted = repo.workspace().recover()
        assert state(repo) == (before if reverted else after), f"step {step}"
        assert not list((repo.path / ".git/studio/landings").glob("*.d"))
        assert (repo.workspace().landed(LandingId("l-killed")) is None) == bool(reverted)
        assert repo.workspace().recover() == []
        outcomes.add(bool(reverted))
        if not killed:
            break
    assert outcomes == {True, False}


def test_a_killed_undo_is_all_or_nothing(tmp_path: Path) -> None:
    for step in range(STEPS + 1):
        repo = fresh(tmp_path / str(step))
        before = state(repo)
        ws = repo.workspace()
        landing = land(ws, propose(ws, CHANGE))
        after = state(repo)
        killed = run_and_kill(repo, f"undo:{encode(landing).decode()}", step)
        reverted = repo.workspace().recover()
        assert state(repo) == (after if reverted else before), f"step {step}"
        if not killed:
            return
    raise AssertionError("the undo never ended")


def test_a_save_after_the_crash_is_kept(tmp_path: Path) -> None:
    for step in (2, 3, 4):
        repo = fresh(tmp_path / str(step))
        assert run_and_kill(repo, f"land:{encode(WORKTREE).decode()}", step)
        (repo.path / "swap").write_text("saved since\n")
        (repo.path / "swap").rename(repo.path / "a.txt")
        untouched = {key: value for key, value in outside(repo, *WRITTEN).items() if "studio" not in key}
        repo.workspace().recover()
        assert repo.read("a.txt") == "saved since\n"
        assert {key: value for key, value in outside(repo, *WRITTEN).items() if "studio" not in key} == untouched
        assert repo.read("dir/b.txt") == "b\n"


def test_the_next_landing_recovers_first(tmp_path: Path) -> None:
    repo = fresh(tmp_path / "repo")
    assert run_and_kill(repo, f"land:{encode(COMMIT).decode()}", 3)
    ws = repo.workspace()
    land(ws, propose(ws, {"kept.txt": "k\nlanded\n"}), elsewhere=True)
    assert repo.read("a.txt") == numbered()
    assert not (repo.path / ".git/index.lock").exists()
