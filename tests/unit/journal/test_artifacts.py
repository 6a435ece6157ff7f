"""Artifacts against git itself."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.domain.errors import InternalError, UsageError
from studio.domain.ids import ArtifactId
from studio.journal.artifacts import GitArtifacts, ensure_store, git_environment


def git(store: Path, *arguments: str, data: bytes = b"") -> bytes:
    command = ["git", "--git-dir", str(store), *arguments]
    return subprocess.run(command, input=data, capture_output=True, check=True, env=git_environment()).stdout


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("artifacts") / "studio" / "store.git"
    ensure_store(place)
    return place


@given(data=st.binary(max_size=3000))
def test_what_is_put_is_had_back(store: Path, data: bytes) -> None:
    artifact = GitArtifacts(store).put(data)
    assert GitArtifacts(store).get(artifact) == data


@pytest.mark.parametrize("data", [b"", b"text\n", bytes(range(256)) * 9000])
def test_an_artifact_is_the_blob_git_would_write(store: Path, data: bytes) -> None:
    artifact = GitArtifacts(store).put(data)
    assert git(store, "hash-object", "--stdin", data=data).decode().strip() == artifact
    assert git(store, "cat-file", "blob", artifact) == data
    assert GitArtifacts(store).put(data) == artifact


def test_a_packed_artifact_is_found(tmp_path: Path) -> None:
    ensure_store(tmp_path / "store.git")
    artifacts = GitArtifacts(tmp_path / "store.git")
    artifact = artifacts.put(b"to be packed")
    git(tmp_path / "store.git", "update-ref", "refs/artifacts/1", artifact)
    git(tmp_path / "store.git", "repack", "-adq")
    assert not (tmp_path / "store.git" / "objects" / artifact[:2] / artifact[2:]).exists()
    assert GitArtifacts(tmp_path / "store.git").get(artifact) == b"to be packed"


def test_a_borrowed_object_is_found(tmp_path: Path) -> None:
    ensure_store(tmp_path / "user.git")
    ensure_store(tmp_path / "store.git")
    artifact = GitArtifacts(tmp_path / "user.git").put(b"the person's")
    alternates = tmp_path / "store.git" / "objects" / "info" / "alternates"
    alternates.parent.mkdir(exist_ok=True)
    alternates.write_text(f"{tmp_path / 'user.git' / 'objects'}\n")
    assert GitArtifacts(tmp_path / "store.git").get(artifact) == b"the person's"


def test_a_store_in_the_other_object_format_has_longer_ids(tmp_path: Path) -> None:
    place = tmp_path / "store.git"
    init = ["git", "init", "--quiet", "--bare", "--object-format=sha256", str(place)]
    subprocess.run(init, check=True, capture_output=True, env=git_environment())
    artifact = GitArtifacts(place).put(b"x")
    assert len(artifact) == 64
    assert git(place, "cat-file", "blob", artifact) == b"x"


@pytest.mark.parametrize(
    "name", ["", "HEAD", "a" * 39, "A" * 40, "../../../../etc/passwd", "--help", "0" * 40, "0" * 40 + "\n"]
)
def test_what_is_no_artifact_is_refused(store: Path, name: str) -> None:
    with pytest.raises(UsageError):
        GitArtifacts(store).get(ArtifactId(name))


def test_a_tree_is_no_artifact(store: Path) -> None:
    tree = git(store, "hash-object", "-t", "tree", "-w", "--stdin").decode().strip()
    with pytest.raises(UsageError):
        GitArtifacts(store).get(ArtifactId(tree))


def test_a_damaged_artifact_is_said(tmp_path: Path) -> None:
    ensure_store(tmp_path / "store.git")
    artifact = GitArtifacts(tmp_path / "store.git").put(b"whole")
    path = tmp_path / "store.git" / "objects" / artifact[:2] / artifact[2:]
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(InternalError, match="damaged"):
        GitArtifacts(tmp_path / "store.git").get(artifact)


def test_stores_made_at_once_are_one(tmp_path: Path) -> None:
    place = tmp_path / "studio" / "store.git"
    threads = [threading.Thread(target=ensure_store, args=(place,)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [entry.name for entry in place.parent.iterdir()] == ["store.git"]
    assert git(place, "config", "gc.auto").strip() == b"0"


def test_a_store_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "store.git").write_text("in the way")
    with pytest.raises(InternalError):
        ensure_store(tmp_path / "store.git")


def test_what_is_remembered_is_bounded(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studio.journal.artifacts._REMEMBERED_BYTES", 1000)
    artifacts = GitArtifacts(store)
    ids = [artifacts.put(bytes([number]) * 300) for number in range(9)]
    assert artifacts._size == sum(map(len, artifacts._remembered.values())) == 900
    assert list(artifacts._remembered) == ids[-3:]
    assert artifacts.get(ids[0]) == bytes([0]) * 300


def test_the_environment_of_the_caller_does_not_reach_git(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", "/nowhere")
    assert not any(name.startswith("GIT_DIR") for name in git_environment())
    tree = git(store, "hash-object", "-t", "tree", "-w", "--stdin").decode().strip()
    assert len(tree) == 40
