from __future__ import annotations

import os
from pathlib import Path

import pytest

from studio.agents.edits.apply import EditOutcome, apply_edits
from studio.agents.edits.write import WorktreeFiles, write_outcome
from studio.domain.edits import DeleteFile, EditReport, RenameFile, SearchReplace, WholeFile
from studio.domain.errors import UsageError


def outcome(**files: bytes | None) -> EditOutcome:
    return EditOutcome(EditReport(), {path.replace("__", "/"): data for path, data in files.items()})


def test_edits_reach_the_tree(tmp_path: Path) -> None:
    (tmp_path / "a.sh").write_bytes(b"x\n")
    (tmp_path / "a.sh").chmod(0o755)
    (tmp_path / "old").mkdir()
    (tmp_path / "old/b").write_bytes(b"b\n")
    files = WorktreeFiles(tmp_path)
    edits = [
        SearchReplace("a.sh", "x\n", "y\n"),
        WholeFile("new/dir/c", "c\n"),
        DeleteFile("old/b"),
        RenameFile("a.sh", "bin/a"),
    ]
    write_outcome(tmp_path, apply_edits(edits, files.read, files.policy()))
    assert files.paths() == ("bin/a", "new/dir/c")
    assert (tmp_path / "bin/a").read_bytes() == b"y\n"
    assert (tmp_path / "bin/a").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "new/dir/c").stat().st_mode & 0o777 == 0o644
    assert not (tmp_path / "old").exists()


def test_the_mode_of_an_edited_file_stays(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "a").chmod(0o700)
    write_outcome(tmp_path, outcome(a=b"y"))
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700


def test_a_link_planted_after_the_policy_was_asked(tmp_path: Path) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.mkdir()
    root.mkdir()
    (outside / "x").write_text("precious")
    (root / "d").symlink_to(outside)
    (root / "f").symlink_to(outside / "x")
    os.mkfifo(root / "pipe")
    for path in ("d__x", "d__new__y", "f", "pipe"):
        with pytest.raises(UsageError):
            write_outcome(root, outcome(**{"ok": b"1", path: b"owned"}))
    assert [path.name for path in outside.iterdir()] == ["x"]
    assert (outside / "x").read_text() == "precious"
    assert sorted(path.name for path in root.iterdir()) == ["d", "f", "pipe"], (
        "nothing was written, nothing left behind"
    )


@pytest.mark.parametrize("path", ["../x", "a/../../x", ".", "", "/x", "a//x"])
def test_no_path_leaves_the_root(tmp_path: Path, path: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    with pytest.raises(UsageError):
        write_outcome(root, EditOutcome(EditReport(), {path: b"x"}))
    assert WorktreeFiles(root).read(path) is None
    assert list(tmp_path.iterdir()) == [root]


def test_reading_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s")
    root = tmp_path / "root"
    root.mkdir()
    (root / "l").symlink_to(tmp_path / "secret")
    (root / "d").symlink_to(tmp_path)
    files = WorktreeFiles(root)
    assert files.read("l") is None
    assert files.read("d/secret") is None
    assert files.link_on("d/secret") == "d"
    assert files.link_on("l") == "l"
    assert files.read("none") is None
    assert files.mode("none") is None
