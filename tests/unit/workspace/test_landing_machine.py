"""Landings, undos and a person's edits in any order: content is what a plain model of lines says."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from studio.domain.changes import Landing, LandingTarget
from studio.domain.errors import LandingConflict, UsageError
from studio.domain.ids import new_landing_id
from tests.unit.workspace.repos import COMMIT, INDEX, WORKTREE, Repo, land, propose

SLOTS = 5
SPREAD = 8
"""Lines between slots: changes of two slots never touch."""


def render(slots: list[str]) -> str:
    return "".join(f"{slot}\n" + "".join(f"filler {n} {k}\n" for k in range(SPREAD)) for n, slot in enumerate(slots))


class LandingMachine(RuleBasedStateMachine):
    """Each slot of the file holds a word. A landing that is undone gives the word back that it found."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        self.repo = Repo.init(self.directory / "repo")
        self.slots = [f"slot {number}" for number in range(SLOTS)]
        self.repo.commit({"a.txt": render(self.slots), "other.txt": "other\n"})
        self.ws = self.repo.workspace()
        self.done: list[tuple[Landing, int, str, str]] = []
        self.words = 0

    def word(self) -> str:
        self.words += 1
        return f"word {self.words}"

    @rule(slot=st.integers(0, SLOTS - 1))
    def edit(self, slot: int) -> None:
        self.slots[slot] = self.word()
        self.repo.write({"a.txt": render(self.slots)})

    @rule()
    def commit_all(self) -> None:
        self.repo.git("add", "-A")
        self.repo.git("commit", "-q", "--allow-empty", "-m", "By hand")

    @rule(slot=st.integers(0, SLOTS - 1), place=st.sampled_from([WORKTREE, INDEX, COMMIT]), meanwhile=st.booleans())
    def land(self, slot: int, place: LandingTarget, meanwhile: bool) -> None:
        before, after = self.slots[slot], self.word()
        changes = propose(self.ws, {"a.txt": render([*self.slots[:slot], after, *self.slots[slot + 1 :]])})
        if meanwhile:
            self.edit((slot + 1) % SLOTS)
        try:
            landing = land(self.ws, changes, place)
        except LandingConflict:
            assert place != WORKTREE  # only a line that is not committed or staged is missing
            return
        self.slots[slot] = after
        if place == WORKTREE:
            self.done.append((landing, slot, before, after))

    @precondition(lambda self: self.done)
    @rule(data=st.data())
    def undo(self, data: st.DataObject) -> None:
        place = data.draw(st.integers(0, len(self.done) - 1))
        landing, slot, before, after = self.done[place]
        try:
            undone = self.ws.undo(landing, new_landing_id())
        except LandingConflict:
            assert self.slots[slot] not in {after, before}
            return
        except UsageError:
            assert self.slots[slot] == before
            return
        assert self.slots[slot] == after
        self.slots[slot] = before
        self.done[place] = (undone, slot, after, before)

    @invariant()
    def content_is_the_models(self) -> None:
        assert self.repo.read("a.txt") == render(self.slots)
        assert self.repo.read("other.txt") == "other\n"
        assert not (self.repo.path / ".git/index.lock").exists()
        assert self.repo.git("status", "--short", "-uall").replace("a.txt", "").strip() in {"", "M", "MM"}

    def teardown(self) -> None:
        shutil.rmtree(self.directory)


TestLandingMachine = LandingMachine.TestCase
TestLandingMachine.settings = settings(max_examples=8, stateful_step_count=12, deadline=None)
