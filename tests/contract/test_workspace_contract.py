"""The workspace port, from a brief's base to a landing and back, through the port's own types alone."""

from __future__ import annotations

from pathlib import Path

from studio.domain.changes import ChangeSet, Decision, LandingTarget, Verdict
from studio.domain.ids import LandingId, RunId
from studio.domain.value import decode, encode
from studio.ports.workspace import Workspace
from studio.workspace import GitWorkspace, discover
from tests.unit.workspace.repos import Repo, numbered


def test_a_run_from_base_to_landing_and_back(tmp_path: Path) -> None:
    repo = Repo.init(tmp_path / "repo")
    repo.commit({"a.txt": numbered()})
    workspace: Workspace = GitWorkspace(discover(repo.path))
    run = RunId("r-00000001")

    base = workspace.snapshot()
    directory = workspace.checkout(run, "T1", base.commit)
    (directory / "a.txt").write_text(numbered(l2="two\n", l20="twenty\n"))
    tree = workspace.write_tree(run, "T1")
    head = workspace.commit(run, tree, [base.commit], "T1")
    assert workspace.commit(run, tree, [base.commit], "T1") == head
    changes = workspace.change_set(run, base.commit, head, [])
    assert decode(encode(changes), ChangeSet) == changes
    workspace.drop_worktrees(run)

    first, second = changes.files[0].hunks
    decisions: dict[str, Decision] = {
        first.id: Decision(first.id, Verdict.ACCEPTED),
        second.id: Decision(second.id, Verdict.REJECTED),
    }
    subset = workspace.subset_tree(changes, decisions)
    assert workspace.landing_tree(changes, decisions, LandingTarget()).tree == subset
    assert workspace.merge_trees(base.tree, base.tree, subset).tree == subset

    landing = workspace.land(changes, decisions, LandingTarget(), LandingId("l-1"), "Land", [], [], elsewhere=False)
    assert landing.tree == subset
    assert landing.hunks == (first.id,)
    assert workspace.read_blob(landing.tree, "a.txt") == numbered(l2="two\n").encode()
    origin = workspace.origin("a.txt", 2, [landing])
    assert origin is not None
    assert (origin.landing, origin.run, origin.hunk) == (landing.id, run, first.id)
    assert b"+line 2" in workspace.preview_undo(landing)
    workspace.undo(landing, LandingId("l-2"))
    assert repo.read("a.txt") == numbered()
    assert workspace.recover() == []
