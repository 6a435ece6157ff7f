"""The states a person's repository can be in, and what a snapshot makes of each."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from studio.domain.errors import RepositoryError
from studio.domain.ids import ArtifactId, RunId
from studio.workspace import GitWorkspace, discover
from studio.workspace.snapshot import Limits
from tests.unit.workspace.repos import COMMIT, RUN, Repo, land, numbered, outside, propose

Make = Callable[..., Repo]


def names(ws: GitWorkspace, tree: str) -> list[str]:
    return [path for path, _, _ in ws.list_tree(tree)]


def test_snapshot_has_all_and_touches_nothing(repo: Repo) -> None:
    repo.write({".gitignore": "*.log\n", "staged.txt": "s\n", "a.txt": numbered(l2="staged\n")})
    repo.git("add", "-A")
    repo.write({"a.txt": numbered(l2="unstaged\n"), "untracked/x.txt": "x\n", "x.log": "ignored\n"})
    (repo.path / "dir/b.txt").unlink()
    (repo.path / "run.sh").chmod(0o755)
    before = outside(repo)
    ws = repo.workspace()
    base = ws.snapshot()
    assert outside(repo) == before
    assert names(ws, base.tree) == [".gitignore", "a.txt", "run.sh", "staged.txt", "untracked/x.txt"]
    assert ws.read_blob(base.tree, "a.txt") == numbered(l2="unstaged\n").encode()
    assert {path: mode for path, mode, _ in ws.list_tree(base.tree)}["run.sh"] == "100755"
    assert (base.branch, base.head, base.worktree) == ("main", repo.git("rev-parse", "HEAD"), str(repo.path))
    assert ws.snapshot() == base


def test_racily_clean_changes_are_seen(repo: Repo) -> None:
    """A change of the same size within the index file's own tick is found, because the copy keeps the index's times."""
    path = repo.path / "a.txt"
    repo.git("add", "-A")
    index = (repo.path / ".git/index").stat()
    status = path.stat()
    path.write_text(numbered(l2="LINE 2\n"))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    os.utime(repo.path / ".git/index", ns=(status.st_mtime_ns, min(index.st_mtime_ns, status.st_mtime_ns)))
    ws = repo.workspace()
    assert ws.read_blob(ws.snapshot().tree, "a.txt") == numbered(l2="LINE 2\n").encode()


def test_nothing_shows_in_the_persons_repository(repo: Repo, tmp_path: Path) -> None:
    ws = repo.workspace()
    before = [repo.git(*command) for command in (["log", "--all"], ["for-each-ref"], ["worktree", "list"], ["status"])]
    propose(ws, {"a.txt": numbered(l2="two\n")})
    after = [repo.git(*command) for command in (["log", "--all"], ["for-each-ref"], ["worktree", "list"], ["status"])]
    assert after == before
    mirror = Repo.init(tmp_path / "mirror", "--bare")
    repo.git("push", "-q", "--mirror", str(mirror.path))
    assert mirror.git("for-each-ref", "--format=%(refname)") == "refs/heads/main"


def test_a_base_outlives_amend_and_gc(repo: Repo) -> None:
    repo.write({"staged.txt": "only ever staged\n"})
    repo.git("add", "staged.txt")
    ws = repo.workspace()
    base = ws.snapshot()
    content = {path: ws.read_blob(base.tree, path) for path in names(ws, base.tree)}
    repo.git("reset", "-q", "--hard")
    repo.commit({"a.txt": "different\n", "dir/b.txt": "different\n"})
    repo.git("commit", "-q", "--amend", "-m", "Amended")
    repo.git("update-ref", "refs/heads/main", repo.git("commit-tree", "HEAD^{tree}", "-m", "Anew"))
    repo.git("reflog", "expire", "--expire=now", "--expire-unreachable=now", "HEAD", "refs/heads/main")
    repo.git("gc", "-q", "--prune=now")
    fresh = repo.workspace()
    assert {path: fresh.read_blob(base.tree, path) for path in names(fresh, base.tree)} == content
    assert fresh.checkout(RUN, "T1", base.commit).joinpath("staged.txt").read_text() == "only ever staged\n"


def test_before_the_first_commit_and_detached(make_repo: Make) -> None:
    repo = make_repo("fresh")
    ws = repo.workspace()
    assert names(ws, ws.snapshot().tree) == []
    repo.write({"a.txt": "one\n"})
    base = ws.snapshot()
    assert (base.head, base.branch, names(ws, base.tree)) == ("", "main", ["a.txt"])
    landing = land(ws, propose(ws, {"b.txt": "two\n"}), COMMIT)
    assert repo.git("log", "--format=%H") == landing.commit
    assert repo.git("status", "--short") == "?? a.txt"
    repo.git("checkout", "-q", "--detach")
    assert ws.snapshot().branch == ""
    landing = land(ws, propose(ws, {"b.txt": "three\n"}), COMMIT)
    assert repo.git("rev-parse", "HEAD") == landing.commit
    assert repo.git("rev-parse", "main") != landing.commit


def test_where_there_is_no_working_tree(make_repo: Make, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    with pytest.raises(RepositoryError, match="not in a git repository") as error:
        discover(tmp_path / "plain")
    assert "git init" in error.value.do
    bare = make_repo("bare.git", None, "--bare")
    with pytest.raises(RepositoryError, match="bare"):
        discover(bare.path)
    repo = make_repo("repo", {"a.txt": "a\n"})
    with pytest.raises(RepositoryError, match="inside a git directory"):
        discover(repo.path / ".git")
    with pytest.raises(RepositoryError):
        discover(tmp_path / "missing")
    sha256 = make_repo("sha256", None, "--object-format=sha256")
    with pytest.raises(RepositoryError, match="sha256"):
        discover(sha256.path)


def test_linked_worktree_shares_the_store(repo: Repo, tmp_path: Path) -> None:
    repo.git("worktree", "add", "-q", "-b", "linked", str(tmp_path / "linked"))
    linked = Repo(tmp_path / "linked")
    (linked.path / "sub").mkdir()
    places = discover(linked.path / "sub")
    assert (places.common, places.worktree) == (str(repo.path / ".git"), str(linked.path))
    ws = GitWorkspace(places)
    before = outside(repo)
    landing = land(ws, propose(ws, {"a.txt": numbered(l2="two\n")}), COMMIT)
    assert linked.git("rev-parse", "linked") == landing.commit
    assert linked.git("status", "--short") == ""
    assert {key for key, value in outside(repo).items() if value != before[key]} == {"refs", "log", "worktrees"}


def test_unmerged_index_is_refused(repo: Repo) -> None:
    repo.git("switch", "-q", "-c", "other")
    repo.commit({"a.txt": "other\n"})
    repo.git("switch", "-q", "main")
    repo.commit({"a.txt": "mine\n"})
    repo.git("merge", "other", check=False)
    with pytest.raises(RepositoryError, match=r"unmerged paths: a\.txt"):
        repo.workspace().snapshot()


def test_submodules_stay_links(repo: Repo, make_repo: Make) -> None:
    inner = make_repo("inner", {"x.txt": "x\n"})
    repo.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner.path), "sub")
    repo.git("commit", "-q", "-m", "Add it")
    Repo(repo.path / "sub").write({"x.txt": "changed inside\n", "new.txt": "n\n"})
    make_inside = Repo.init(repo.path / "clone")
    make_inside.write({"y.txt": "y\n"})
    ws = repo.workspace()
    base = ws.snapshot()
    entries = {path: mode for path, mode, _ in ws.list_tree(base.tree)}
    assert entries["sub"] == "160000"
    assert not any(path.startswith(("sub/", "clone")) for path in entries)
    assert base.left_out == ("clone/: a repository of its own",)
    land(ws, propose(ws, {"a.txt": numbered(l2="two\n")}))
    assert Repo(repo.path / "sub").read("x.txt") == "changed inside\n"


def test_clean_filters_never_run(repo: Repo, tmp_path: Path) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 5\n"
    digest = hashlib.sha256(b"BYTES").hexdigest()
    repo.commit({".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n", "x.bin": pointer.format(digest)})
    flag = tmp_path / "ran"
    for key in ("filter.lfs.clean", "filter.lfs.smudge", "filter.lfs.process", "diff.lfs.textconv", "core.fsmonitor"):
        repo.git("config", key, f"touch {flag}")
    repo.write({"x.bin": b"BYTES", "y.bin": b"new"})
    ws = repo.workspace()
    base = ws.snapshot()
    assert ws.read_blob(base.tree, "x.bin") == pointer.format(digest).encode()
    assert base.left_out == ("y.bin: under the clean filter `lfs`",)
    changes = propose(ws, {"a.txt": numbered(l2="two\n")})
    repo.write({"x.bin": b"OTHER"})
    with pytest.raises(RepositoryError, match=r"x\.bin is under the clean filter `lfs`"):
        ws.snapshot()
    land(ws, changes, COMMIT)
    assert not flag.exists()


def test_secrets_and_large_files_are_left_out(repo: Repo) -> None:
    key = "-----BEGIN " + "OPENSSH PRIVATE KEY-----\n"
    repo.write(
        {
            ".env": "K=1\n",
            ".env.example": "K=\n",
            "deploy/id_rsa": "x\n",
            "deploy/id_rsa.pub": "x\n",
            "server.pem": "x\n",
            "credentials.json": "{}\n",
            "notes.txt": f"my key\n{key}",
            "token.py": "T = 'ghp_" + "a" * 36 + "'\n",
            "fine.py": "password = input()\n",
            "big.dat": b"0" * 2000,
            ".studio/briefs/x.md": "Do it.\n",
        }
    )
    (repo.path / "caf\udce9.txt").write_text("x")
    os.mkfifo(repo.path / "pipe")
    ws = GitWorkspace(discover(repo.path), Limits(untracked_file=1000))
    base = ws.snapshot()
    found = set(names(ws, base.tree)) - {"a.txt", "dir/b.txt", "run.sh"}
    assert found == {".env.example", "deploy/id_rsa.pub", "fine.py", ".studio/briefs/x.md"}
    reasons = dict(item.split(": ", 1) for item in base.left_out)
    assert reasons == {
        ".env": "named like a secret",
        "deploy/id_rsa": "named like a secret",
        "server.pem": "named like a secret",
        "credentials.json": "named like a secret",
        "notes.txt": "holds a private key",
        "token.py": "holds a GitHub token",
        "big.dat": "2,000 bytes, more than 1,000",
        "caf?.txt": "its name is not UTF-8",
    }
    capped = GitWorkspace(discover(repo.path), Limits(untracked_files=2)).snapshot()
    assert sum("more untracked files" in item for item in capped.left_out) == 3


def test_a_repository_that_cannot_be_written(repo: Repo) -> None:
    if os.geteuid() == 0:  # root writes through permissions: a file in the place of our directory has the same effect
        (repo.path / ".git/studio").write_text("")
    else:
        (repo.path / ".git").chmod(0o500)
    try:
        with pytest.raises(RepositoryError, match="cannot be written to"):
            repo.workspace().snapshot()
    finally:
        (repo.path / ".git").chmod(0o700)


def test_split_index_and_environment_do_not_matter(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    repo.git("update-index", "--split-index")
    repo.write({"new.txt": "n\n"})
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_INDEX_FILE", "/nowhere")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.bare")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "true")
    ws = repo.workspace()
    assert names(ws, ws.snapshot().tree) == ["a.txt", "dir/b.txt", "new.txt", "run.sh"]
    land(ws, propose(ws, {"a.txt": numbered(l2="two\n")}), COMMIT)
    assert repo.git("status", "--short") == "?? new.txt"


def test_identity_comes_from_the_person(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    repo.git("config", "--unset", "user.name")
    repo.git("config", "--unset", "user.email")
    repo.git("config", "user.useConfigOnly", "true")
    monkeypatch.setenv("HOME", "/nonexistent")
    ws = repo.workspace()
    changes = propose(ws, {"a.txt": numbered(l2="two\n")})
    before = outside(repo)
    with pytest.raises(RepositoryError.__mro__[1], match="who you are"):
        land(ws, changes, COMMIT)
    assert outside(repo) == before
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Bo")
    monkeypatch.setenv("GIT_AUTHOR_EMAIL", "bo@example.org")
    monkeypatch.setenv("GIT_COMMITTER_NAME", "Cy")
    monkeypatch.setenv("GIT_COMMITTER_EMAIL", "cy@example.org")
    land(ws, changes, COMMIT)
    assert repo.git("log", "-1", "--format=%an %cn") == "Bo Cy"


def test_keep_prunes_what_no_run_needs(repo: Repo) -> None:
    ws = repo.workspace()
    kept = propose(ws, {"a.txt": numbered(l2="kept\n")}, run=RunId("r-kept"))
    dropped = propose(ws, {"a.txt": numbered(l2="dropped\n")}, run=RunId("r-dropped"))
    landing = land(ws, kept)
    ws.undo(landing, landing.id.__class__("l-undo"))
    gone = land(ws, dropped)
    store = repo.path / ".git/studio/store.git"
    artifact = ArtifactId(ws._store.put_blobs([b"artifact"])[0])
    loose = ws._store.put_blobs([b"nobody's"])[0]
    for file in store.rglob("*"):
        os.utime(file, (1, 1), follow_symlinks=False)
    ws.keep([RunId("r-kept")], [artifact])
    assert not (store / "objects" / loose[:2] / loose[2:]).exists()
    assert (store / "objects" / artifact[:2] / artifact[2:]).exists()
    refs = set(ws._store.git.text("for-each-ref", "--format=%(refname)").split())
    assert refs >= {"refs/studio/runs/r-kept", f"refs/studio/landings/{landing.id}", "refs/studio/artifacts"}
    assert "refs/studio/runs/r-dropped" not in refs
    assert (ws.landed(landing.id), ws.landed(gone.id)) == (landing, None)
    assert ws.patch(kept)
    shutil.rmtree(repo.path / ".git/studio")
    assert repo.git("fsck") == ""
