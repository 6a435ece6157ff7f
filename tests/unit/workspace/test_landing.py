from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from studio.domain.changes import ChangeKind, Decision, LandingTarget, Verdict
from studio.domain.errors import LandingConflict, RepositoryError, UsageError
from studio.domain.ids import LandingId, new_landing_id
from tests.unit.workspace.repos import (
    BRANCH,
    COMMIT,
    INDEX,
    RUN,
    WORKTREE,
    Repo,
    land,
    numbered,
    outside,
    propose,
)


def test_worktree_landing_changes_the_landed_bytes_alone(repo: Repo) -> None:
    repo.write({"a.txt": numbered(l30="mine\n"), "new.txt": "untracked\n", "kept.txt": "k\n"})
    repo.git("add", "kept.txt")
    repo.write({"stashed.txt": "s\n"})
    repo.git("stash", "push", "-q", "-u", "--", "stashed.txt")
    ws = repo.workspace()
    changes = propose(ws, {"a.txt": numbered(l2="two\n", l30="mine\n"), "fresh/x/y.txt": "y\n", "dir/b.txt": None})
    before = outside(repo, "a.txt", "fresh/x/y.txt", "dir/b.txt")

    landing = land(ws, changes)

    assert outside(repo, "a.txt", "fresh/x/y.txt", "dir/b.txt") == before
    assert (repo.path / "a.txt").read_text() == numbered(l2="two\n", l30="mine\n")
    assert (repo.path / "fresh/x/y.txt").read_text() == "y\n"
    assert not (repo.path / "dir").exists()
    assert {file.path for file in landing.files} == {"a.txt", "dir/b.txt", "fresh/x/y.txt"}
    assert b"+two" in ws.patch(changes)

    back = ws.undo(landing, LandingId("l-undo"))
    assert back.undoes == landing.id
    assert (repo.path / "a.txt").read_text() == numbered(l30="mine\n")
    assert not (repo.path / "fresh").exists()
    assert (repo.path / "dir/b.txt").read_text() == "one\ntwo\nthree\n"
    assert outside(repo, "a.txt", "fresh/x/y.txt", "dir/b.txt") == before

    ws.undo(back, LandingId("l-redo"))
    assert (repo.path / "a.txt").read_text() == numbered(l2="two\n", l30="mine\n")
    assert (repo.path / "fresh/x/y.txt").read_text() == "y\n"


def test_landing_merges_into_what_the_person_typed_since(repo: Repo) -> None:
    ws = repo.workspace()
    changes = propose(ws, {"a.txt": numbered(l2="two\n")})
    repo.write({"a.txt": numbered(l28="typed\n")})
    land(ws, changes)
    assert (repo.path / "a.txt").read_text() == numbered(l2="two\n", l28="typed\n")


def test_conflict_lands_nothing_and_names_the_hunk(repo: Repo) -> None:
    ws = repo.workspace()
    changes = propose(ws, {"a.txt": numbered(l2="two\n"), "fresh.txt": "x\n"})
    repo.write({"a.txt": numbered(l2="mine\n")})
    before = outside(repo)
    with pytest.raises(LandingConflict, match=changes.files[0].hunks[0].id):
        land(ws, changes)
    assert outside(repo) == before


def test_index_landing_leaves_other_work_unstaged(repo: Repo) -> None:
    repo.write({"a.txt": numbered(l30="unstaged\n")})
    ws = repo.workspace()
    changes = propose(ws, {"a.txt": numbered(l2="two\n", l30="unstaged\n"), "fresh.txt": "x\n"})
    landing = land(ws, changes, INDEX)
    assert repo.git("show", ":a.txt") + "\n" == numbered(l2="two\n")
    assert (repo.path / "a.txt").read_text() == numbered(l2="two\n", l30="unstaged\n")
    assert repo.git("status", "--short").split("\n") == ["MM a.txt", "A  fresh.txt"]
    assert repo.git("fsck", "--no-dangling") == ""
    ws.undo(landing, LandingId("l-undo"))
    assert repo.git("status", "--short").strip() == "M a.txt"


def test_commit_landing_leaves_staged_work_out(repo: Repo) -> None:
    repo.write({"staged.txt": "s\n", "a.txt": numbered(l30="unstaged\n")})
    repo.git("add", "staged.txt")
    ws = repo.workspace()
    head = repo.git("rev-parse", "HEAD")
    changes = propose(ws, {"a.txt": numbered(l2="two\n", l30="unstaged\n")})
    landing = land(ws, changes, COMMIT)
    assert repo.git("rev-parse", "HEAD") == landing.commit
    assert repo.git("rev-parse", "HEAD~1") == head
    assert repo.git("diff", "--name-only", "HEAD~1", "HEAD") == "a.txt"
    assert repo.git("status", "--short").split("\n") == [" M a.txt", "A  staged.txt"]
    body = repo.git("log", "-1", "--format=%an %ae%n%B")
    assert body.startswith("Ada ada@example.org\nLand it\n\nStudio-Run: ")
    assert "Co-authored-by: Bo <bo@example.org>" in repo.git("log", "-1", "--format=%(trailers)")
    assert repo.git("fsck", "--no-dangling") == ""
    assert landing.id in repo.git("reflog", "-1")

    undone = ws.undo(landing, LandingId("l-undo"))
    assert repo.git("rev-parse", "HEAD") == undone.commit
    assert repo.git("rev-parse", "HEAD^{tree}") == repo.git("rev-parse", f"{head}^{{tree}}")
    assert repo.git("status", "--short").split("\n") == [" M a.txt", "A  staged.txt"]


def test_commit_says_which_uncommitted_line_a_hunk_needs(repo: Repo) -> None:
    repo.write({"a.txt": numbered(l5="not committed\n")})
    ws = repo.workspace()
    changes = propose(ws, {"a.txt": numbered(l5="not committed, changed\n")})
    before = outside(repo)
    with pytest.raises(LandingConflict, match=r"needs line 5 of a\.txt, which is not committed"):
        land(ws, changes, COMMIT)
    with pytest.raises(LandingConflict, match=r"needs line 5 of a\.txt, which is not staged"):
        land(ws, changes, INDEX)
    assert outside(repo) == before


def test_branch_landing_checks_nothing_out(repo: Repo) -> None:
    ws = repo.workspace()
    changes = propose(ws, {"a.txt": numbered(l2="two\n")})
    before = outside(repo)
    landing = land(ws, changes, BRANCH)
    after = outside(repo)
    assert {key for key in before if before[key] != after[key]} == {"refs", "log"}
    assert repo.git("show", "studio/work:a.txt") + "\n" == numbered(l2="two\n")
    with pytest.raises(UsageError, match="exists"):
        land(ws, changes, BRANCH)
    gone = ws.undo(landing, LandingId("l-undo"))
    assert repo.git("branch", "--list", "studio/work") == ""
    repo.git("reflog", "expire", "--expire=now", "--all")
    repo.git("gc", "-q", "--prune=now")
    ws.undo(gone, LandingId("l-redo"))
    assert repo.git("rev-parse", "studio/work") == landing.commit
    assert repo.git("fsck", "--no-dangling") == ""


def test_undo_refuses_where_later_edits_overlap(repo: Repo) -> None:
    ws = repo.workspace()
    landing = land(ws, propose(ws, {"a.txt": numbered(l2="two\n"), "dir/b.txt": "one\n2\nthree\n"}))
    repo.write({"a.txt": numbered(l2="mine\n")})
    before = outside(repo)
    with pytest.raises(LandingConflict, match=r"a\.txt"):
        ws.undo(landing, LandingId("l-undo"))
    with pytest.raises(LandingConflict):
        ws.preview_undo(landing)
    assert outside(repo) == before
    repo.write({"a.txt": numbered(l2="two\n", l20="mine\n")})
    assert b"-two" in ws.preview_undo(landing)
    ws.undo(landing, LandingId("l-undo"))
    assert (repo.path / "a.txt").read_text() == numbered(l20="mine\n")
    with pytest.raises(UsageError, match="undone already"):
        ws.undo(landing, LandingId("l-again"))


@pytest.mark.parametrize("target", [WORKTREE, INDEX, COMMIT, BRANCH], ids=lambda target: target.kind.value)
def test_refusals_name_the_path(repo: Repo, target: LandingTarget) -> None:
    repo.commit({".gitignore": "*.log\n"})
    ws = repo.workspace()
    changes = propose(ws, {"secret/key.txt": "x\n", "a.txt": numbered(l2="two\n")})
    before = outside(repo)
    for protect in (["secret/**"], ["secret/"], ["*.txt"], ["/secret"]):
        with pytest.raises(UsageError, match=r"secret/key\.txt (is|are)|a\.txt, secret/key\.txt are protected"):
            land(ws, changes, target, protect=protect)
    assert outside(repo) == before
    land(ws, changes, target, protect=["other/**"])


def test_links_ignored_and_unknown_are_refused(repo: Repo) -> None:
    ws = repo.workspace()
    base = ws.snapshot()
    directory = ws.checkout(RUN, "T1", base.commit)
    (directory / "link").symlink_to("a.txt")
    (directory / "build.log").write_text("x\n")
    head = ws.commit(RUN, ws.write_tree(RUN, "T1"), [base.commit], "Work")
    changes = ws.change_set(RUN, base.commit, head, [])
    repo.write({".gitignore": "*.log\n"})
    with pytest.raises(UsageError, match=r"link is a symbolic link"):
        land(ws, changes, WORKTREE, "link")
    with pytest.raises(UsageError, match=r"build\.log is ignored by git"):
        land(ws, changes, WORKTREE, "build.log")
    with pytest.raises(UsageError, match="no hunk"):
        ws.subset_tree(changes, {"h-none": Decision(changes.files[0].hunks[0].id, Verdict.ACCEPTED)})
    with pytest.raises(UsageError, match="Nothing is accepted"):
        ws.land(changes, {}, WORKTREE, new_landing_id(), "", [], [], elsewhere=False)


def test_a_link_on_the_way_is_not_followed(repo: Repo, tmp_path: Path) -> None:
    ws = repo.workspace()
    changes = propose(ws, {"dir/new.txt": "x\n"})
    (tmp_path / "elsewhere").mkdir()
    (repo.path / "dir/b.txt").unlink()
    (repo.path / "dir").rmdir()
    (repo.path / "dir").symlink_to(tmp_path / "elsewhere")
    with pytest.raises((RepositoryError, LandingConflict, UsageError)):
        land(ws, changes)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_modes_are_kept_and_landed(repo: Repo) -> None:
    (repo.path / "a.txt").chmod(0o640)
    ws = repo.workspace()
    changes = propose(ws, {"a.txt": numbered(l2="two\n")}, {"run.sh": 0o755})
    kinds = {file.path: file.kind for file in changes.files}
    assert kinds == {"a.txt": ChangeKind.MODIFIED, "run.sh": ChangeKind.MODE}
    landing = land(ws, changes)
    assert stat.S_IMODE((repo.path / "a.txt").stat().st_mode) == 0o640
    assert stat.S_IMODE((repo.path / "run.sh").stat().st_mode) & 0o111
    ws.undo(landing, LandingId("l-undo"))
    assert not stat.S_IMODE((repo.path / "run.sh").stat().st_mode) & 0o111


def test_another_branch_asks_first(repo: Repo) -> None:
    ws = repo.workspace()
    changes = propose(ws, {"a.txt": numbered(l2="two\n")})
    repo.git("switch", "-q", "-c", "other")
    with pytest.raises(UsageError, match="The run started on main, and other"):
        land(ws, changes)
    land(ws, changes, elsewhere=True)
    assert (repo.path / "a.txt").read_text() == numbered(l2="two\n")


def test_busy_index_and_merges_under_way(repo: Repo) -> None:
    ws = repo.workspace()
    changes = propose(ws, {"a.txt": numbered(l2="two\n")})
    lock = repo.path / ".git/index.lock"
    lock.touch()
    with pytest.raises(LandingConflict, match="Another git process"):
        land(ws, changes, COMMIT)
    assert (repo.path / "a.txt").read_text() == numbered()
    lock.unlink()
    (repo.path / ".git/MERGE_HEAD").write_text(repo.git("rev-parse", "HEAD"))
    with pytest.raises(RepositoryError, match="A merge is under way"):
        land(ws, changes, COMMIT)
    (repo.path / ".git/MERGE_HEAD").unlink()
    land(ws, changes, COMMIT)
    assert repo.git("status", "--short") == ""


def test_line_ends_of_the_working_tree_are_kept(repo: Repo) -> None:
    repo.commit({".gitattributes": "*.bat text eol=crlf\n", "x.bat": "one\r\ntwo\r\nthree\r\n"})
    (repo.path / "x.bat").unlink()
    repo.git("checkout", "-q", "--", "x.bat")
    assert (repo.path / "x.bat").read_bytes() == b"one\r\ntwo\r\nthree\r\n"
    ws = repo.workspace()
    assert ws.read_blob(ws.snapshot().tree, "x.bat") == b"one\ntwo\nthree\n"
    landing = land(ws, propose(ws, {"x.bat": "one\n2\nthree\n", "y.bat": "a\nb\n"}))
    assert (repo.path / "x.bat").read_bytes() == b"one\r\n2\r\nthree\r\n"
    assert (repo.path / "y.bat").read_bytes() == b"a\r\nb\r\n"
    ws.undo(landing, LandingId("l-undo"))
    assert (repo.path / "x.bat").read_bytes() == b"one\r\ntwo\r\nthree\r\n"
    assert repo.git("status", "--short") == ""


def test_landing_an_id_twice_writes_once(repo: Repo) -> None:
    ws = repo.workspace()
    changes = propose(ws, {"a.txt": numbered(l2="two\n")})
    first = land(ws, changes, landing=LandingId("l-one"))
    assert land(ws, changes, landing=LandingId("l-one")) == first
    assert ws.landed(LandingId("l-one")) == first
    assert ws.landed(LandingId("l-two")) is None


def test_before_the_first_commit(make_repo: Callable[..., Repo]) -> None:
    repo = make_repo("fresh")
    repo.write({"a.txt": "one\n"})
    ws = repo.workspace()
    changes = propose(ws, {"b.txt": "two\n"})
    landing = land(ws, changes, COMMIT)
    assert repo.git("log", "--format=%H") == landing.commit
    assert repo.git("status", "--short") == "?? a.txt"
