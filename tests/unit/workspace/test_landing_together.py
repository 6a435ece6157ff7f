"""Landings beside each other, and beside what a repository's owner has configured to run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from studio.domain.ids import LandingId, RunId
from tests.unit.workspace.repos import BRANCH, COMMIT, INDEX, WORKTREE, Repo, land, numbered, propose


def test_landings_at_once_follow_each_other(repo: Repo) -> None:
    ws = repo.workspace()
    changes = [
        propose(ws, {"a.txt": numbered().replace(f"line {n}\n", f"{n}\n")}, run=RunId(f"r-{n}"))
        for n in (3, 10, 17, 24)
    ]
    with ThreadPoolExecutor(len(changes)) as pool:
        pending = [pool.submit(land, repo.workspace(), change, COMMIT) for change in changes]
        landings = [future.result() for future in pending]
    assert repo.read("a.txt") == numbered(l3="3\n", l10="10\n", l17="17\n", l24="24\n")
    assert set(repo.git("log", "-4", "--format=%H").split()) == {landing.commit for landing in landings}
    assert repo.git("status", "--short") == ""


def test_hooks_and_signing_do_not_run(repo: Repo, tmp_path: Path) -> None:
    flag = tmp_path / "ran"
    hooks = repo.path / ".git/hooks"
    hooks.mkdir(exist_ok=True)
    names = ("pre-commit", "commit-msg", "post-commit", "reference-transaction", "post-index-change", "post-checkout")
    for name in names:
        (hooks / name).write_text(f"#!/bin/sh\necho {name} >> {flag}\n")
        (hooks / name).chmod(0o755)
    for key, value in (
        ("core.fsmonitor", f"echo fsmonitor >> {flag}"),
        ("commit.gpgSign", "true"),
        ("gpg.program", f"{tmp_path}/none"),
        ("diff.external", f"touch {flag}"),
        ("filter.x.clean", f"touch {flag}"),
        ("filter.x.smudge", f"touch {flag}"),
        ("merge.x.driver", f"touch {flag}"),
    ):
        repo.git("config", key, value)
    (repo.path / ".git/info").mkdir(exist_ok=True)
    (repo.path / ".git/info/attributes").write_text("a.txt merge=x diff=x\n")
    ws = repo.workspace()
    for number, target in enumerate((WORKTREE, INDEX, COMMIT, BRANCH)):
        text = numbered(l2=f"{number}\n")
        if target == BRANCH:
            repo.git("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "status")
        landing = land(ws, propose(ws, {"a.txt": text}), target)
        ws.undo(landing, LandingId(f"l-undo-{number}"))
        assert ws.origin("a.txt", 2, [landing]) is None
    ws.recover()
    assert not flag.exists()


def test_a_base_outlives_its_linked_worktree(repo: Repo, tmp_path: Path) -> None:
    repo.git("worktree", "add", "-q", "-b", "linked", str(tmp_path / "linked"))
    linked = Repo(tmp_path / "linked")
    linked.commit({"only.txt": "only here\n"})
    base = linked.workspace().snapshot()
    repo.git("worktree", "remove", "--force", str(linked.path))
    repo.git("branch", "-q", "-D", "linked")
    repo.git("gc", "-q", "--prune=now")
    assert repo.workspace().read_blob(base.tree, "only.txt") == b"only here\n"
