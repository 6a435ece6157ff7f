from __future__ import annotations

import pytest

from studio.domain.changes import Decision, Landing, Verdict
from studio.domain.errors import UsageError
from studio.domain.ids import LandingId, RunId, new_landing_id
from studio.workspace import GitWorkspace
from tests.unit.workspace.repos import COMMIT, WORKTREE, Repo, land, numbered, propose


def lines_of(ws: GitWorkspace, repo: Repo, path: str, landings: list[Landing]) -> dict[str, str]:
    """Return the landing of each line that has one, by the line's text."""
    found: dict[str, str] = {}
    for number, text in enumerate(repo.read(path).splitlines(), 1):
        origin = ws.origin(path, number, landings)
        if origin is not None:
            assert origin.text == text
            found[text] = origin.landing
    return found


def test_origin_survives_staging_amending_and_rebasing(repo: Repo) -> None:
    ws = repo.workspace()
    changes = propose(ws, {"a.txt": numbered(l2="two\n", l20="twenty\n")})
    landing = land(ws, changes)
    first, second = changes.files[0].hunks

    def hunks() -> list[str]:
        lines = repo.read("a.txt").splitlines()
        origins = [ws.origin("a.txt", lines.index(text) + 1, [landing]) for text in ("two", "twenty")]
        return [origin.hunk if origin else "" for origin in origins]

    assert hunks() == [first.id, second.id]
    repo.write({"a.txt": "on top\n" + repo.read("a.txt")})
    assert hunks() == [first.id, second.id]
    repo.git("add", "-A")
    repo.git("commit", "-q", "--amend", "-m", "Amended")
    assert hunks() == [first.id, second.id]
    repo.git("checkout", "-q", "--orphan", "other")
    repo.git("commit", "-q", "-m", "Everything anew")
    assert hunks() == [first.id, second.id]
    assert ws.origin("a.txt", 1, [landing]) is None
    repo.git("mv", "a.txt", "moved.txt")
    origin = ws.origin("moved.txt", 3, [landing])
    assert origin is not None
    assert origin.hunk == first.id


def test_origin_follows_undo_and_later_landings(repo: Repo) -> None:
    ws = repo.workspace()
    first = land(ws, propose(ws, {"a.txt": numbered(l2="two\n")}))
    second = land(ws, propose(ws, {"a.txt": numbered(l2="two\n", l9="nine\n")}, run=RunId("r-2")), COMMIT)
    assert lines_of(ws, repo, "a.txt", [first, second]) == {"two": first.id, "nine": second.id}
    undone = ws.undo(first, LandingId("l-undo"))
    assert lines_of(ws, repo, "a.txt", [first, second, undone]) == {"nine": second.id}
    redone = ws.undo(undone, LandingId("l-redo"))
    assert lines_of(ws, repo, "a.txt", [first, second, undone, redone]) == {"two": first.id, "nine": second.id}


def test_equal_lines_are_told_apart_by_order(repo: Repo) -> None:
    ws = repo.workspace()
    changes = propose(ws, {"a.txt": numbered(l2="same\n", l20="same\n")})
    landing = land(ws, changes, WORKTREE)
    first, second = changes.files[0].hunks
    origins = [ws.origin("a.txt", line, [landing]) for line in (2, 20)]
    assert [origin.hunk for origin in origins if origin] == [first.id, second.id]


def test_an_edited_hunk_keeps_its_origin(repo: Repo) -> None:
    ws = repo.workspace()
    changes = propose(ws, {"new.txt": "one\ntwo\n"})
    hunk = changes.files[0].hunks[0]
    decisions: dict[str, Decision] = {hunk.id: Decision(hunk.id, Verdict.EDITED, text="one\nedited\n")}
    landing = ws.land(changes, decisions, WORKTREE, new_landing_id(), "m", [], [], elsewhere=False)
    origin = ws.origin("new.txt", 2, [landing])
    assert origin is not None
    assert (origin.hunk, origin.text, origin.run) == (hunk.id, "edited", changes.run)


@pytest.mark.parametrize(("path", "line"), [("none.txt", 1), ("a.txt", 0), ("a.txt", 31), ("../a.txt", 1), ("dir", 1)])
def test_unknown_places_are_refused(repo: Repo, path: str, line: int) -> None:
    with pytest.raises(UsageError):
        repo.workspace().origin(path, line, [])
