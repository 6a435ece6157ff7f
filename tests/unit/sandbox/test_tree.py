from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.sandbox import tree

MOST = 1 << 20


@pytest.fixture
def opened() -> Iterator[Callable[[Path], int]]:
    descriptors: list[int] = []

    def open_directory(path: Path) -> int:
        path.mkdir(exist_ok=True)
        descriptors.append(os.open(path, os.O_RDONLY | os.O_DIRECTORY))
        return descriptors[-1]

    yield open_directory
    for descriptor in descriptors:
        os.close(descriptor)


Opened = Callable[[Path], int]


def names(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


def test_copy_in_takes_files_links_and_directories(tmp_path: Path, opened: Opened) -> None:
    source, target = tmp_path / "a", tmp_path / "b"
    root, work = opened(source), opened(target)
    (source / "d").mkdir()
    (source / "d" / "x").write_text("x")
    (source / "d" / "x").chmod(0o4755)
    (source / "link").symlink_to("/etc/passwd")
    os.mkfifo(source / "fifo")
    with socket.socket(socket.AF_UNIX) as plug:
        plug.bind(f"/proc/self/fd/{root}/plug")
    (source / ".git").write_text("gitdir: elsewhere")
    (source / ".studio").mkdir()
    tree.copy_in(root, work, None, MOST, 100)
    assert names(target) == ["d", "d/x", "link"]
    assert (target / "d" / "x").stat().st_mode & 0o7777 == 0o755


@pytest.mark.parametrize(("bytes_", "files"), [(9, 100), (100, 1)])
def test_copy_in_is_bounded(tmp_path: Path, opened: Opened, bytes_: int, files: int) -> None:
    root, work = opened(tmp_path / "a"), opened(tmp_path / "b")
    for name in "xy":
        (tmp_path / "a" / name).write_text("12345")
    with pytest.raises(tree.Excess):
        tree.copy_in(root, work, None, bytes_, files)


def test_copy_out_does_not_write_through_a_link(tmp_path: Path, opened: Opened) -> None:
    host, work, outside = tmp_path / "host", tmp_path / "work", tmp_path / "outside"
    root, inner = opened(host), opened(work)
    outside.mkdir()
    (host / "d").symlink_to(outside)
    (host / "f").symlink_to(outside / "f")
    (work / "d").mkdir()
    (work / "d" / "x").write_text("evil")
    (work / "f").write_text("evil")
    skipped = tree.copy_out(inner, root, {}, MOST, 100)
    assert names(outside) == []
    assert (host / "f").read_text() == "evil"
    assert not (host / "f").is_symlink()
    assert any(line.startswith("d/x: ") for line in skipped)


def test_copy_out_bounds_bytes_and_files(tmp_path: Path, opened: Opened) -> None:
    host, work = tmp_path / "host", tmp_path / "work"
    root, inner = opened(host), opened(work)
    with (work / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    assert tree.copy_out(inner, root, {}, MOST, 100) == ["sparse: larger than the disk limit"]
    for number in range(5):
        (work / str(number)).touch()
    (host / "kept").touch()
    assert tree.copy_out(inner, root, {"kept": (0o100644, 0, 0, 0)}, MOST, 3) == [
        ".: more than 3 files; nothing was copied back"
    ]
    assert names(host) == ["kept"]


def test_copy_out_removes_what_is_gone_and_only_empty_directories(tmp_path: Path, opened: Opened) -> None:
    host, work = tmp_path / "host", tmp_path / "work"
    root, inner = opened(host), opened(work)
    for place in (host, work):
        (place / "d").mkdir()
        (place / "d" / "x").touch()
        (place / "e").mkdir()
        (place / "e" / "y").touch()
    before, _ = tree.survey(inner, 100)
    for name in ("d/x", "e/y"):
        (work / name).unlink()
    for name in "de":
        (work / name).rmdir()
    (host / "e" / "newer").touch()
    assert tree.copy_out(inner, root, before, MOST, 100) == []
    assert names(host) == ["e", "e/newer"]


def test_file_becomes_directory_and_back(tmp_path: Path, opened: Opened) -> None:
    host, work = tmp_path / "host", tmp_path / "work"
    root, inner = opened(host), opened(work)
    for place in (host, work):
        (place / "a").touch()
        (place / "b").mkdir()
    before, _ = tree.survey(inner, 100)
    (work / "a").unlink()
    (work / "a").mkdir()
    (work / "b").rmdir()
    (work / "b").write_text("now a file")
    assert tree.copy_out(inner, root, before, MOST, 100) == []
    assert (host / "a").is_dir()
    assert (host / "b").read_text() == "now a file"


def test_caches_stay_where_they_are(tmp_path: Path, opened: Opened) -> None:
    host, work = tmp_path / "host", tmp_path / "work"
    root, inner = opened(host), opened(work)
    (work / "__pycache__").mkdir()
    (work / "__pycache__" / "x.pyc").touch()
    assert tree.copy_out(inner, root, {}, MOST, 100) == []
    assert names(host) == []


@pytest.mark.parametrize("path", [".git", "a/.git", "a/.GIT", ".studio", ".studio/config.toml", ".Studio"])
def test_excluded(path: str) -> None:
    assert tree.excluded(path)


@pytest.mark.parametrize("path", [".gitignore", "a/.studio", "git", "studio/x.py"])
def test_not_excluded(path: str) -> None:
    assert not tree.excluded(path)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    name=st.binary(min_size=1, max_size=40).filter(
        lambda b: b"/" not in b and b"\0" not in b and b not in {b".", b".."}
    )
)
def test_any_name_either_crosses_or_is_listed(tmp_path_factory: pytest.TempPathFactory, name: bytes) -> None:
    base = tmp_path_factory.mktemp("names")
    (base / "host").mkdir()
    (base / "work").mkdir()
    Path(os.fsdecode(bytes(base) + b"/work/" + name)).write_text("content")
    root, work = os.open(base / "host", os.O_RDONLY), os.open(base / "work", os.O_RDONLY)
    try:
        skipped = tree.copy_out(work, root, {}, MOST, 10)
    finally:
        os.close(root)
        os.close(work)
    crossed = [os.fsencode(entry.name) for entry in (base / "host").iterdir()]
    assert crossed == [name] or (crossed == [] and (len(skipped) == 1 or name == b"__pycache__"))
    assert all(line.isprintable() for line in skipped)
