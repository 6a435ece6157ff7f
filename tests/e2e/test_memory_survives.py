"""The memory's store may be lost: the log is the truth, and a worker that finds no store makes it anew."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.fakes.studio_lab import Lab


def test_a_lost_memory_is_rebuilt_from_the_log(tmp_path: Path) -> None:
    with Lab(tmp_path / "lab", {"rules": []}) as lab:
        kept = lab.json("memory", "add", "Shelves are painted blue.")
        gone = lab.json("memory", "add", "Shelves are painted red.")
        lab.studio("memory", "forget", gone["id"])
        lab.end_host()
        shutil.rmtree(lab.state / "memory")
        found = lab.json("memory", "search", "shelves")["found"]
        assert [one["item"]["id"] for one in found] == [kept["id"]]
