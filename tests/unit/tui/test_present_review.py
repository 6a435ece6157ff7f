from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.domain.changes import Decision, Verdict
from studio.domain.checks import CheckResult, Outcome, SubsetVerdict
from studio.domain.events import HunkDecided, SubsetChecked
from studio.domain.ids import HunkId
from studio.domain.state import RunState
from studio.protocol.digest import decisions_digest
from studio.tui.present.review import choose_lines, counts, diff_files, diff_marks, diff_remarks, new_side, verdict
from tests.fakes.fake_session import FakeSession
from tests.fakes.studio_story import RUN, changes, told_review
from widgets.diff_data import DiffHunk, DiffLine, DiffMark

LINES = tuple(DiffLine(op, "x") for op in " -+ +")
HUNK = DiffHunk("h", 1, 3, 1, 4, LINES)


@pytest.mark.parametrize(
    ("mark", "chosen", "take", "expected"),
    [
        (DiffMark(), [2], True, ("accepted", (2,))),
        (DiffMark(), [1, 2, 4], True, ("accepted", ())),
        (DiffMark(), [2], False, ("accepted", (1, 4))),
        (DiffMark(), [0, 3], True, ("rejected", ())),
        (DiffMark("accepted"), [1], False, ("accepted", (2, 4))),
        (DiffMark("accepted", frozenset({2})), [2], False, ("rejected", ())),
        (DiffMark("accepted", frozenset({2})), [1, 4], True, ("accepted", ())),
        (DiffMark("rejected"), [4], True, ("accepted", (4,))),
        (DiffMark("rejected"), [4], False, ("rejected", ())),
    ],
)
def test_lines_are_chosen(mark: DiffMark, chosen: list[int], take: bool, expected: tuple[str, tuple[int, ...]]) -> None:
    assert choose_lines(HUNK, mark, chosen, take=take) == expected


@given(st.sets(st.sampled_from([1, 2, 4])), st.sets(st.integers(0, 4)))
def test_taking_then_leaving_the_same_lines_leaves_none_of_them(before: set[int], chosen: set[int]) -> None:
    mark = DiffMark("accepted", frozenset(before)) if before else DiffMark("rejected")
    state, lines = choose_lines(HUNK, mark, chosen, take=True)
    taken = DiffMark(state, frozenset(lines) if lines else None)
    state, lines = choose_lines(HUNK, taken, chosen, take=False)
    left = set(lines) if lines or state == "rejected" else {1, 2, 4}
    assert left == before - chosen


@pytest.fixture
def session() -> FakeSession:
    session = FakeSession()
    told_review(session)
    return session


def run_of(session: FakeSession) -> RunState:
    return session.state.runs[RUN]  # pyright: ignore[reportArgumentType] an id as text


def decide(session: FakeSession, hunk: str, verdict_: Verdict) -> None:
    session.emit(HunkDecided(Decision(HunkId(hunk), verdict_)), run=RUN)


def checked(session: FakeSession, *taken: str, outcome: Outcome = Outcome.PASSED, needs: tuple[str, ...] = ()) -> None:
    result = CheckResult("tests", outcome, "t")
    ids = tuple(HunkId(id_) for id_ in taken)
    digest = decisions_digest(decided.decision for decided in run_of(session).decisions.values())
    verdict_ = SubsetVerdict("t", (result,), ids, tuple(HunkId(n) for n in needs), "tests", digest)
    session.emit(SubsetChecked(verdict_), run=RUN)


def test_the_change_set_becomes_files_with_provenance(session: FakeSession) -> None:
    files = diff_files(changes())
    assert [(file.path, len(file.hunks)) for file in files] == [("shortener/store.py", 2), ("tests/test_expiry.py", 1)]
    assert files[0].hunks[0].origin == "R1 · T1 · builder · gpt-5-mini · $0.0042 · run by 2 tests"
    assert [hunk.loose for hunk in files[0].hunks] == [False, True]
    assert diff_remarks(run_of(session))["h-0000000001"][0].severity == "warning"
    assert "import time\n" in new_side(files[0].hunks[0])


def test_marks_come_from_decisions(session: FakeSession) -> None:
    decide(session, "h-0000000001", Verdict.ACCEPTED)
    decide(session, "h-0000000002", Verdict.REJECTED)
    marks = diff_marks(run_of(session))
    assert {key: mark.state for key, mark in marks.items()} == {"h-0000000001": "accepted", "h-0000000002": "rejected"}
    assert counts(run_of(session), changes()) == "1 accepted · 1 rejected · 1 to decide"


def test_the_verdict_says_what_it_rests_on(session: FakeSession) -> None:
    run = run_of(session)
    assert verdict(run, changes()).text == ""
    decide(session, "h-0000000002", Verdict.ACCEPTED)
    assert "not checked" in verdict(run, changes()).text
    checked(session, "h-0000000002", outcome=Outcome.FAILED, needs=("h-0000000001",))
    assert verdict(run, changes()).text == "✗ tests failed, needs shortener/store.py:1"
    decide(session, "h-0000000001", Verdict.ACCEPTED)
    assert "stale" in verdict(run, changes()).text
    checked(session, "h-0000000001", "h-0000000002")
    assert verdict(run, changes()).tone == "done"
    checked(session, "h-0000000001", "h-0000000002", outcome=Outcome.NOT_RUN)
    assert "no check ran" in verdict(run, changes()).text
