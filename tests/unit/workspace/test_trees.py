"""Worktrees of runs: exact, and hostile to what generated code may leave in them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from studio.domain.errors import RepositoryError, UsageError
from studio.domain.ids import RunId
from studio.workspace import GitWorkspace, discover
from studio.workspace.guard import is_git_name
from studio.workspace.trees import TreeLimits
from tests.unit.workspace.repos import RUN, Repo, numbered


def checkout(ws: GitWorkspace) -> tuple[str, Path]:
    base = ws.snapshot()
    return base.tree, ws.checkout(RUN, "T1", base.commit)


def test_checkout_and_write_are_exact(repo: Repo) -> None:
    odd = {
        ".gitattributes": "* text=auto eol=crlf ident filter=x working-tree-encoding=UTF-16\n",
        "crlf.txt": "one\r\ntwo\n",
        "ident.txt": "$Id$\n",
    }
    repo.write(odd)
    ws = repo.workspace()
    store = ws._store
    blobs = store.put_blobs([content.encode() for content in odd.values()])
    tree = store.overlay(ws.snapshot().tree, {name: ("100644", blob) for name, blob in zip(odd, blobs, strict=True)})
    directory = ws.checkout(RUN, "T1", tree)
    assert {name: (directory / name).read_bytes().decode() for name in odd} == odd
    assert not (directory / ".git").exists()
    assert ws.write_tree(RUN, "T1") == tree
    (directory / "crlf.txt").write_bytes(b"a\r\nb\n$Id$\n")
    assert ws.read_blob(ws.write_tree(RUN, "T1"), "crlf.txt") == b"a\r\nb\n$Id$\n"


def test_checkout_resets_whatever_is_there(repo: Repo, tmp_path: Path) -> None:
    ws = repo.workspace()
    tree, directory = checkout(ws)
    (directory / "a.txt").write_text("changed")
    (directory / "extra/deep").mkdir(parents=True)
    (directory / "extra/deep/x").write_text("x")
    shutil.rmtree(directory / "dir")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/b.txt").write_text("keep me")
    (directory / "dir").symlink_to(tmp_path / "elsewhere")
    (directory / "run.sh").unlink()
    (directory / "run.sh").mkdir()
    os.mkfifo(directory / "pipe")
    ws.checkout(RUN, "T1", tree)
    assert sorted(str(path.relative_to(directory)) for path in directory.rglob("*")) == [
        "a.txt",
        "dir",
        "dir/b.txt",
        "run.sh",
    ]
    assert (tmp_path / "elsewhere/b.txt").read_text() == "keep me"
    assert ws.write_tree(RUN, "T1") == tree
    ws.drop_worktrees(RUN)
    assert not directory.exists()
    with pytest.raises(UsageError, match="no worktree"):
        ws.write_tree(RUN, "T1")


def test_hostile_worktrees(repo: Repo, tmp_path: Path) -> None:
    """Plants of a malicious run: none executes, hangs, follows a link or reaches the tree."""
    ws = repo.workspace()
    _, directory = checkout(ws)
    flag = tmp_path / "ran"
    evil = f'[core]\n\tfsmonitor = touch {flag}\n\thooksPath = hooks\n[filter "x"]\n\tclean = touch {flag}\n\tsmudge = touch {flag}\n'
    for place in (".git", "dir/.git", "sub/.GIT"):
        (directory / place / "hooks").mkdir(parents=True)
        (directory / place / "config").write_text(evil)
        (directory / place / "HEAD").write_text("ref: refs/heads/main\n")
        (directory / place / "objects").mkdir()
        (directory / place / "refs").mkdir()
    (directory / "sub/code.py").write_text("x = 1\n")
    (directory / ".gitattributes").write_text("* filter=x diff=x merge=x\n")
    os.mkfifo(directory / "module.py")
    os.mkfifo(directory / "dir/.gitignore")
    os.mkfifo(directory / "sub/.gitattributes")
    (directory / "passwd").symlink_to("/etc/passwd")
    (directory / "up").symlink_to("../../../../config")
    (directory / "inside").symlink_to("dir/b.txt")
    (directory / "a.txt").unlink()
    os.mkfifo(directory / "a.txt")
    os.close(os.open(os.fsencode(directory) + b"/caf\xe9.txt", os.O_CREAT | os.O_WRONLY))
    tree = ws.write_tree(RUN, "T1")
    assert not flag.exists()
    found = [path for path, _, _ in ws.list_tree(tree)]
    assert found == [".gitattributes", "dir/b.txt", "inside", "run.sh", "sub/code.py"]
    assert not (directory / ".git").exists()


def test_bombs_are_refused(repo: Repo) -> None:
    ws = GitWorkspace(discover(repo.path), tree_limits=TreeLimits(depth=20, files=50, file_bytes=10_000))
    _, directory = checkout(ws)
    with (directory / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(RepositoryError, match="too large: sparse"):
        ws.write_tree(RUN, "T1")
    (directory / "sparse").unlink()
    for number in range(60):
        (directory / f"f{number}").touch()
    with pytest.raises(RepositoryError, match="more than 50 files"):
        ws.write_tree(RUN, "T1")
    tree, directory = checkout(ws)
    here = os.open(directory, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=here)
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    with pytest.raises(RepositoryError, match="too deep"):
        ws.write_tree(RUN, "T1")
    ws.checkout(RUN, "T1", tree)
    assert ws.write_tree(RUN, "T1") == tree


def test_ignored_files_are_left_out(repo: Repo) -> None:
    (repo.path / ".git/info").mkdir(exist_ok=True)
    (repo.path / ".git/info/exclude").write_text("*.local\n")
    repo.commit({".gitignore": "build/\n*.pyc\n"})
    ws = repo.workspace()
    tree, directory = checkout(ws)
    (directory / "build").mkdir()
    for name in ("build/x", "y.pyc", "z.local"):
        (directory / name).write_text("x")
    assert ws.write_tree(RUN, "T1") == tree


def test_files_and_directories_change_places(repo: Repo) -> None:
    ws = repo.workspace()
    _, directory = checkout(ws)
    shutil.rmtree(directory / "dir")
    (directory / "dir").write_text("now a file\n")
    (directory / "a.txt").unlink()
    (directory / "a.txt").mkdir()
    (directory / "a.txt/inner").write_text("x\n")
    tree = ws.write_tree(RUN, "T1")
    assert [path for path, _, _ in ws.list_tree(tree)] == ["a.txt/inner", "dir", "run.sh"]


def test_merging_trees(repo: Repo) -> None:
    ws = repo.workspace()
    base, directory = checkout(ws)
    trees: list[str] = []
    for line in ("line 2", "line 20", "line 2"):
        (directory / "a.txt").write_text(numbered().replace(f"{line}\n", f"{len(trees)}\n"))
        trees.append(ws.write_tree(RUN, "T1"))
    one, two, three = trees
    merged = ws.merge_trees(base, one, two)
    assert ws.read_blob(merged.tree, "a.txt") == numbered(l2="0\n", l20="1\n").encode()
    conflict = ws.merge_trees(base, one, three)
    assert (conflict.tree, conflict.conflicts) == ("", ("a.txt",))
    assert ws.merge_trees(base, one, one).tree == one
    assert ws.read_blob(base, "missing") is None


@pytest.mark.parametrize("name", ["../x", "", ".", "a/b", "-x", "x" * 200])
def test_names_that_are_not_plain(repo: Repo, name: str) -> None:
    ws = repo.workspace()
    tree = ws.snapshot().tree
    with pytest.raises(UsageError, match="cannot name a worktree"):
        ws.checkout(RunId("r-1"), name, tree)
    with pytest.raises(UsageError, match="no commit or tree"):
        ws.checkout(RunId("r-1"), "T1", name)


@pytest.mark.parametrize(
    "name", [".git", ".GIT", ".git.", ".git ", "git~1", "GIT~2", ".g\u200cit", ".git::$INDEX_ALLOCATION"]
)
def test_names_taken_for_git(name: str) -> None:
    assert is_git_name(name)
    assert not is_git_name(f"x{name}")
