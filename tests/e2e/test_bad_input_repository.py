"""Repositories that are odd, broken or none: refused in two lines, or worked with; and nothing of the person's is lost."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.fakes.belongings import belongings, quick, scripted, told
from tests.fakes.studio_lab import Lab, git

BRIEF = "# Multiply\n\nAdd mul to mul.py."
CONFIG = 'sandbox = "bubblewrap"\nidle_seconds = 5\n'
POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 12\n"


@pytest.fixture
def make(tmp_path: Path) -> Callable[[], AbstractContextManager[Lab]]:
    return lambda: Lab(tmp_path, scripted(), config=CONFIG)


@pytest.fixture
def lab(make: Callable[[], AbstractContextManager[Lab]]) -> Iterator[Lab]:
    with make() as lab:
        yield lab


def start(lab: Lab, *options: str) -> list[str]:
    return ["run", lab.brief(BRIEF), *lab.model(), "--depth", "quick", *options]


def written(lab: Lab, run: str) -> dict[str, str]:
    """Return the content of the files of a run's tree that git knows, by path."""
    tree = lab.json("show", run)["changed_tree"]
    store = lab.repo / ".git" / "studio" / "store.git"
    names = git(store, "ls-tree", "-r", "--name-only", tree).splitlines()
    return {name: git(store, "show", f"{tree}:{name}") for name in names}


@pytest.mark.parametrize("command", [["run"], ["runs"], ["changes", "r-1"], ["audit"], ["check"], ["map"], []])
def test_outside_a_repository_git_init_is_offered(command: list[str], tmp_path: Path) -> None:
    lab = Lab(tmp_path / "lab", scripted())
    with lab:
        nowhere = tmp_path / "nowhere"
        nowhere.mkdir()
        words = [*command, lab.brief(BRIEF)] if command == ["run"] else command
        told(lab.studio(*words, "--repo", str(nowhere), code=None), 2, "is not in a git repository", "git init")
        assert list(nowhere.iterdir()) == []


def test_a_repository_without_a_commit_has_an_empty_base(lab: Lab) -> None:
    shutil.rmtree(lab.repo)
    lab.repo.mkdir()
    git(lab.repo, "init", "-q", "-b", "trunk")
    git(lab.repo, "config", "user.name", "Ada")
    git(lab.repo, "config", "user.email", "ada@example.org")
    (lab.repo / "notes.txt").write_text("mine\n")
    before = belongings(lab.repo)
    run = quick(lab)
    assert belongings(lab.repo) == before
    assert set(written(lab, run)) == {"notes.txt", "mul.py"}
    landed = lab.json("accept", run, "--all", "--to", "commit", "--unchecked", "-m", "First")
    assert git(lab.repo, "rev-list", "--count", "HEAD").strip() == "1"
    assert git(lab.repo, "ls-tree", "--name-only", "HEAD").split() == ["mul.py"]
    assert landed["landing"]["commit"] == git(lab.repo, "rev-parse", "trunk").strip()
    lab.studio("undo")
    assert not (lab.repo / "mul.py").exists()
    assert (lab.repo / "notes.txt").read_text() == "mine\n"


def test_a_bare_repository_is_refused(lab: Lab) -> None:
    bare = lab.home / "bare.git"
    git(lab.home, "clone", "-q", "--bare", str(lab.repo), str(bare))
    told(lab.studio(*start(lab), "--repo", str(bare), code=None), 2, "bare", "git worktree add")
    assert not (bare / "studio").exists()


def test_the_git_directory_itself_is_no_place_to_work_in(lab: Lab) -> None:
    told(lab.studio("runs", "--repo", str(lab.repo / ".git"), code=None), 2, "inside a repository's git directory")


def test_on_a_detached_head_a_commit_moves_head_alone(lab: Lab) -> None:
    git(lab.repo, "checkout", "-q", "--detach")
    before = belongings(lab.repo)
    run = quick(lab)
    assert belongings(lab.repo) == before
    lab.studio("accept", run, "--all", "--to", "commit", "--unchecked")
    assert git(lab.repo, "rev-parse", "HEAD~1") == git(lab.repo, "rev-parse", "main")
    assert belongings(lab.repo)["refs"] == before["refs"]
    assert git(lab.repo, "status", "--porcelain") == ""


def test_a_dirty_tree_is_the_base_and_survives(lab: Lab) -> None:
    for name in ("staged", "both", "gone"):
        (lab.repo / f"{name}.txt").write_text("committed\n")
    git(lab.repo, "add", "-A")
    git(lab.repo, "commit", "-q", "-m", "More")
    (lab.repo / "staged.txt").write_text("staged\n")
    (lab.repo / "both.txt").write_text("staged\n")
    git(lab.repo, "add", "-A")
    (lab.repo / "both.txt").write_text("unstaged\n")
    (lab.repo / "gone.txt").unlink()
    (lab.repo / "new.txt").write_text("untracked\n")
    (lab.repo / ".env").write_text("TOKEN=hunter2\n")
    (lab.repo / "id_rsa").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----\n")
    before = belongings(lab.repo)
    done = lab.studio(*start(lab))
    run = done.stdout.split()[0]
    assert belongings(lab.repo) == before
    assert "left out: .env" in done.stderr
    assert "left out: id_rsa" in done.stderr
    assert "hunter2" not in lab.server.requests[-1].prompt
    tree = written(lab, run)
    assert set(tree) == {"calc.py", "staged.txt", "both.txt", "new.txt", "mul.py"}
    assert [tree["staged.txt"], tree["both.txt"], tree["new.txt"]] == ["staged\n", "unstaged\n", "untracked\n"]
    lab.studio("accept", run, "--all", "--unchecked")
    after = belongings(lab.repo)
    files = after["files"]
    assert isinstance(files, dict)
    files.pop("mul.py")  # pyright: ignore[reportUnknownMemberType]  # a dict of what is on disk
    assert after == before


def test_submodules_are_left_as_they_are(lab: Lab) -> None:
    library = lab.home / "library"
    git(lab.home, "clone", "-q", str(lab.repo), str(library))
    git(lab.repo, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(library), "lib")
    git(lab.repo, "commit", "-q", "-m", "Use the library")
    (lab.repo / "lib" / "calc.py").write_text("changed = True\n")
    (lab.repo / "lib" / "new.py").write_text("untracked = True\n")
    before, inside = belongings(lab.repo), belongings(lab.repo / "lib")
    run = quick(lab)
    store = lab.state / "store.git"
    tree = lab.json("show", run)["changed_tree"]
    assert git(store, "ls-tree", tree, "lib").split()[1] == "commit"
    lab.studio("accept", run, "--all", "--to", "index", "--unchecked")
    assert git(lab.repo, "diff", "--cached", "--name-only").split() == ["mul.py"]
    assert belongings(lab.repo / "lib") == inside
    lab.studio("undo")
    assert belongings(lab.repo)["files"] == before["files"]


def test_in_a_linked_worktree_only_that_one_is_landed_in(lab: Lab) -> None:
    other = lab.home / "other"
    git(lab.repo, "worktree", "add", "-q", "-b", "side", str(other))
    (other / "calc.py").write_text("def add(a, b):\n    return b + a\n")
    before, there = belongings(lab.repo), belongings(other)
    done = lab.studio(*start(lab), "--repo", str(other))
    run = done.stdout.split()[0]
    assert belongings(other) == there
    assert written(lab, run)["calc.py"] == "def add(a, b):\n    return b + a\n"
    told(lab.studio("accept", run, "--all", "--unchecked", code=None), 2, "The run started in", "--elsewhere")
    assert belongings(lab.repo) == before
    lab.studio("accept", run, "--all", "--unchecked", "--repo", str(other))
    assert (other / "mul.py").exists()
    assert belongings(lab.repo) == before
    assert lab.json("runs")[0]["run"] == run, "the worktrees share one log"


def test_a_read_only_repository_is_refused(lab: Lab) -> None:
    before = belongings(lab.repo)
    command = lab.command("runs", "--repo", str(lab.repo))
    if os.geteuid() == 0:  # whom modes do not stop
        repo = str(lab.repo)
        command = ["bwrap", "--dev-bind", "/", "/", "--ro-bind", repo, repo, *command]
    else:
        (lab.repo / ".git").chmod(0o555)
    told(lab.run(command), 2, "is read-only", "Make it writable")
    (lab.repo / ".git").chmod(0o755)
    assert belongings(lab.repo) == before
    assert not lab.state.exists()


def test_an_unmerged_index_is_refused(lab: Lab) -> None:
    git(lab.repo, "checkout", "-q", "-b", "side")
    (lab.repo / "calc.py").write_text("side = 1\n")
    git(lab.repo, "commit", "-q", "-am", "Side")
    git(lab.repo, "checkout", "-q", "main")
    (lab.repo / "calc.py").write_text("main = 1\n")
    git(lab.repo, "commit", "-q", "-am", "Main")
    with pytest.raises(Exception, match="merge"):
        git(lab.repo, "merge", "side")
    before = belongings(lab.repo)
    told(lab.studio(*start(lab), code=None), 2, "calc.py", "merge")
    assert belongings(lab.repo) == before
    assert lab.json("runs") == []


def test_changed_paths_of_lfs_are_refused_and_unchanged_ones_kept(lab: Lab) -> None:
    (lab.repo / ".gitattributes").write_text("*.bin filter=lfs diff=lfs merge=lfs -text\n")
    (lab.repo / "big.bin").write_text(POINTER)
    git(lab.repo, "add", "-A")
    git(lab.repo, "commit", "-q", "-m", "Large")
    (lab.repo / "new.bin").write_text("untracked\n")
    before = belongings(lab.repo)
    done = lab.studio(*start(lab))
    run = done.stdout.split()[0]
    assert "left out: new.bin" in done.stderr
    assert written(lab, run)["big.bin"] == POINTER
    assert belongings(lab.repo) == before
    (lab.repo / "big.bin").write_text("the content itself\n")
    before = belongings(lab.repo)
    told(lab.studio(*start(lab), code=None), 2, "big.bin", "Commit it")
    assert belongings(lab.repo) == before
