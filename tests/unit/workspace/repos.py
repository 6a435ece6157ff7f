"""A person's repository, as they would use it, and what tests of landing share."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from studio.domain.changes import ChangeSet, Decision, Landing, LandingTarget, TargetKind, Verdict
from studio.domain.ids import LandingId, RunId, new_landing_id
from studio.workspace import GitWorkspace, discover

RUN = RunId("r-00000001")
WORKTREE, INDEX, COMMIT = (LandingTarget(kind) for kind in (TargetKind.WORKTREE, TargetKind.INDEX, TargetKind.COMMIT))
BRANCH = LandingTarget(TargetKind.BRANCH, "studio/work")


@dataclass
class Repo:
    """A repository with a working tree."""

    path: Path

    @classmethod
    def init(cls, path: Path, *arguments: str) -> Repo:
        path.mkdir(parents=True)
        repo = cls(path)
        repo.git("init", "-q", "-b", "main", *arguments)
        repo.git("config", "user.name", "Ada")
        repo.git("config", "user.email", "ada@example.org")
        return repo

    def git(self, *args: str, check: bool = True, data: bytes = b"") -> str:
        env = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        env |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        done = subprocess.run(["git", *args], cwd=self.path, env=env, capture_output=True, check=False, input=data)
        if check and done.returncode:
            raise AssertionError(done.stderr.decode())
        return done.stdout.decode("utf-8", "surrogateescape").rstrip("\n")

    def write(self, files: Mapping[str, str | bytes]) -> None:
        for name, content in files.items():
            path = self.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def commit(self, files: Mapping[str, str | bytes], message: str = "Change") -> str:
        self.write(files)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def workspace(self) -> GitWorkspace:
        return GitWorkspace(discover(self.path))

    def read(self, name: str) -> str:
        return (self.path / name).read_bytes().decode()


def numbered(count: int = 30, **changes: str) -> str:
    return "".join(changes.get(f"l{n}", f"line {n}\n") for n in range(1, count + 1))


def propose(
    ws: GitWorkspace, files: Mapping[str, str | bytes | None], modes: Mapping[str, int] | None = None, run: RunId = RUN
) -> ChangeSet:
    """Return the change set of a run that writes these files; None deletes."""
    base = ws.snapshot()
    directory = ws.checkout(run, "T1", base.commit)
    for name, content in files.items():
        path = directory / name
        if content is None:
            path.unlink()
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    for name, mode in (modes or {}).items():
        (directory / name).chmod(mode)
    head = ws.commit(run, ws.write_tree(run, "T1"), [base.commit], "Work")
    return ws.change_set(run, base.commit, head, [])


def accept(changes: ChangeSet, *paths: str) -> dict[str, Decision]:
    """Return decisions that accept all hunks, or those of some paths."""
    return {
        hunk.id: Decision(hunk.id, Verdict.ACCEPTED)
        for file in changes.files
        for hunk in file.hunks
        if not paths or file.path in paths
    }


def land(
    ws: GitWorkspace,
    changes: ChangeSet,
    target: LandingTarget = WORKTREE,
    *paths: str,
    protect: Sequence[str] = (),
    elsewhere: bool = False,
    landing: LandingId | None = None,
) -> Landing:
    trailers = [("Studio-Run", changes.run), ("Co-authored-by", "Bo <bo@example.org>")]
    name = landing or new_landing_id()
    return ws.land(changes, accept(changes, *paths), target, name, "Land it", trailers, protect, elsewhere=elsewhere)


def outside(repo: Repo, *written: str) -> dict[str, object]:
    """Return all of a repository that a landing in the working tree must leave alone: `written` is what it writes."""
    git = repo.path / ".git"
    index = git / "index"
    state: dict[str, object] = {
        "refs": repo.git("for-each-ref"),
        "head": (git / "HEAD").read_bytes(),
        "index": index.read_bytes() if index.exists() else b"",
        "index times": index.stat().st_mtime_ns if index.exists() else 0,
        "stash": repo.git("stash", "list"),
        "config": (git / "config").read_bytes(),
        "worktrees": repo.git("worktree", "list"),
        "log": repo.git("log", "--all", "--oneline", check=False),
    }
    for directory, names, files in os.walk(repo.path):
        if ".git" in names:
            names.remove(".git")
        for name in files:
            path = Path(directory) / name
            if str(path.relative_to(repo.path)) not in written:
                status = path.lstat()
                content = str(path.readlink()) if path.is_symlink() else path.read_bytes()
                state[str(path)] = (status.st_mtime_ns, status.st_ino, status.st_mode, content)
    return state
