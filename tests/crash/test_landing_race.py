"""Saves racing with landings on the same files: none may be lost.

A person's editor saves by writing aside and renaming over the file. After each save it waits until the file holds that save,
alone or merged with a landing, and reports it lost if no landing is under way and it does not.
"""

from __future__ import annotations

import multiprocessing
import random
import time
from multiprocessing.synchronize import Event
from pathlib import Path

from studio.domain.changes import Landing
from studio.domain.errors import LandingConflict, UsageError
from studio.domain.ids import new_landing_id
from tests.unit.workspace.repos import Repo, land, numbered, propose

SAVES = 4000
SHORT_SECONDS, LONG_SECONDS = 0.001, 0.25
"""Saves come in bursts, to meet landings half done, with a pause after one in thirty, to let some through."""
PATIENCE_SECONDS = 20


def save(path: Path, content: bytes) -> None:
    fresh = path.with_name(f".{path.name}.swp")
    fresh.write_bytes(content)
    fresh.rename(path)


def person(path: Path, saves: int, done: Event, lost: str) -> None:
    """Save `saves` versions that differ in line 28, each over what is there, as an editor does that reloads."""
    try:
        pauses = random.Random(saves)  # noqa: S311 - which saves are followed by a pause is no secret
        for number in range(1, saves + 1):
            time.sleep(LONG_SECONDS if pauses.random() < 1 / 30 else SHORT_SECONDS)
            mine = f"save {number}\n".encode()
            lines = path.read_bytes().split(b"\n")
            lines[27] = mine.rstrip(b"\n")
            save(path, b"\n".join(lines))
            deadline = time.monotonic() + PATIENCE_SECONDS
            while mine not in path.read_bytes():
                if time.monotonic() > deadline:
                    Path(lost).write_text(f"save {number} is lost: {path.read_text()!r}")
                    return
                time.sleep(0.001)
    finally:
        done.set()


def test_no_save_is_lost(tmp_path: Path) -> None:
    names = ("a.txt", "b.txt")
    repo = Repo.init(tmp_path / "repo")
    repo.commit({name: numbered() for name in names})
    ws = repo.workspace()
    changes = propose(ws, {name: numbered(l2="landed\n") for name in names})
    context = multiprocessing.get_context("spawn")
    finished = [context.Event() for _ in names]
    lost = [str(tmp_path / f"lost-{name}") for name in names]
    people = [
        context.Process(target=person, args=(repo.path / name, SAVES // len(names), event, note))
        for name, event, note in zip(names, finished, lost, strict=True)
    ]
    for process in people:
        process.start()
    landing: Landing | None = None
    landed = conflicts = 0
    try:
        while not all(event.is_set() for event in finished):
            try:
                if landing is None:
                    landing = land(ws, changes)
                    landed += 1
                else:
                    ws.undo(landing, new_landing_id())
                    landing = None
            except LandingConflict:
                conflicts += 1
            except UsageError:  # a save that was read before the landing and written after it took the landed line back
                landing = None
    finally:
        for process in people:
            process.join(PATIENCE_SECONDS)
    assert [Path(note).read_text() for note in lost if Path(note).exists()] == []
    assert [process.exitcode for process in people] == [0] * len(names)
    assert landed
    assert conflicts
    for name in names:
        assert f"save {SAVES // len(names)}\n" in repo.read(name)
