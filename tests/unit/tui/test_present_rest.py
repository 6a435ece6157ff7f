from __future__ import annotations

from pathlib import Path

import pytest

from studio.domain.events import CheckWaived, RunFinished
from studio.domain.runs import RunStatus
from studio.protocol.commands import FileEntry
from studio.tui.keys import KEYS, PANES, key_label
from studio.tui.layout import arrange
from studio.tui.present.checks import check_rows, summary
from studio.tui.present.detail import readable
from studio.tui.present.files import file_rows
from studio.tui.present.header import header_items
from studio.tui.present.text import duration, money, tokens
from studio.tui.present.timeline import run_label, stage_of, timeline_rows
from studio.tui.remembered import Remembered
from studio.tui.store import TAIL_BYTES, Store
from studio.tui.terminal import is_remote, terminal_problem
from tests.fakes.fake_session import START, FakeSession
from tests.fakes.studio_story import RUN, told_review, told_running


def store_of(session: FakeSession) -> Store:
    return Store("shortener", "ada", connection="live", state=session.state, run_id=RUN, brief="expiry")


def test_numbers() -> None:
    assert [duration(s) for s in (0, 0.42, 9.96, 59.7, 185, 7800)] == ["", "0.4s", "10s", "1m00s", "3m05s", "2h10m"]
    assert [tokens(n) for n in (0, 812, 1234, 9999, 34_000, 1_100_000)] == ["", "812", "1.2k", "10k", "34k", "1.1M"]
    assert [money(usd) for usd in (0, 0.0042, 1.5)] == ["", "$0.0042", "$1.50"]


def test_timeline_rows_and_the_live_tail() -> None:
    session = FakeSession()
    told_running(session)
    run = session.state.runs[RUN]  # pyright: ignore[reportArgumentType] an id as text
    rows = timeline_rows(run, {"call:c1": b"one\n\x1b]0;evil\x07two\nthree\nfour"}, START + 60)
    tail = [row for row in rows if row.kind == "live"]
    assert [row.title for row in tail] == ["two", "three", "four"]
    assert {row.parent for row in tail} == {"call:c1"}
    assert stage_of(run, "call:c1") == "build"
    assert stage_of(run, "nothing") == ""
    by_key = {row.key: row for row in rows}
    assert by_key["stage:requirements"].status == "reused"
    assert by_key["call:c0"].cost == "$0.0042"
    assert run_label(run)[0] == "Expiring links"


def test_checks_put_failures_first_and_say_what_was_not_run() -> None:
    session = FakeSession()
    told_review(session)
    run = session.state.runs[RUN]  # pyright: ignore[reportArgumentType] an id as text
    tops = [row for row in check_rows(run) if not row.parent]
    assert [row.check for row in tops] == ["lint", "tests", "types", "syntax"]
    assert tops[2].detail == "not run: mypy is not configured here"
    assert summary(run) == "2 failed · 1 not run · 1 passed · confidence 64%"
    session.emit(CheckWaived("lint", "generated"), run=RUN)
    assert next(row for row in check_rows(run) if row.check == "lint").state == "waived"
    assert summary(run) == "1 failed · 1 not run · 1 passed · 1 waived · confidence 64%"


def test_files_have_directories_before_them() -> None:
    rows = file_rows([FileEntry("b/c/x.py", "M", 1, 2), FileEntry("a.py"), FileEntry("b/y.py")])
    assert [row.key for row in rows] == ["b", "b/c", "a.py", "b/c/x.py", "b/y.py"]
    assert rows[1].parent == "b"


def test_the_header_tells_a_replay_from_a_model_and_a_lost_host_from_a_live_one() -> None:
    session = FakeSession()
    told_review(session)
    store = store_of(session)
    text = " | ".join(item.text for item in header_items(store))
    assert "checks failed" in text
    assert "of $2" in text
    assert "◆ live" in text
    run = store.run
    assert run is not None
    run.model = "replay:/x/demo.json"
    store.connection = "offline"
    text = " | ".join(item.text for item in header_items(store))
    assert "replay demo.json" in text
    assert "✗ offline" in text
    assert "gpt" not in text


@pytest.mark.parametrize("status", list(RunStatus))
def test_every_status_has_words(status: RunStatus) -> None:
    session = FakeSession()
    told_review(session)
    session.emit(RunFinished(status), run=RUN)
    assert str(status).split("_")[0][:4] in " ".join(item.text for item in header_items(store_of(session)))


def test_detail_shows_chats_json_and_text() -> None:
    assert "── user" in readable(b'{"messages":[{"role":"user","content":"hi"}]}')
    assert readable(b'{"a":1}') == '{\n  "a": 1\n}'
    assert readable(b"\xff plain", total=100).endswith("more bytes")


@pytest.mark.parametrize(
    ("size", "name", "shown"),
    [
        ((160, 48), "wide", {"files", "brief", "timeline", "checks", "console"}),
        ((160, 24), "medium", {"brief", "timeline"}),
        ((120, 36), "medium", {"brief", "timeline"}),
        ((80, 24), "narrow", {"brief"}),
        ((20, 5), "narrow", {"brief"}),
    ],
)
def test_layout_by_size(size: tuple[int, int], name: str, shown: set[str]) -> None:
    recent = ["console", "checks", "files", "timeline", "review", "brief"]
    layout = arrange(*size, recent, zoomed=False)
    assert (layout.name, set(layout.places)) == (name, shown)
    assert {pane for group in layout.places.values() for pane in group} == {pane.id for pane in PANES}
    assert list(arrange(*size, recent, zoomed=True).places) == ["brief"]


def test_binding_ids_are_unique_and_keys_do_not_clash_in_a_pane() -> None:
    assert len({key.id for key in KEYS}) == len(KEYS)
    for pane in ("screen", *(pane.id for pane in PANES)):
        keys = [name for key in KEYS if key.pane == pane for name in key.keys.split(",")]
        assert len(set(keys)) == len(keys)
    assert key_label("question_mark,f1") == "?"


def test_dumb_terminals_are_told_what_to_use() -> None:
    for environ in ({"TERM": "dumb"}, {}, {"TERM": ""}):
        problem = terminal_problem(environ)
        assert problem is not None
        assert "studio run" in problem.do
    assert terminal_problem({"TERM": "xterm-256color"}) is None
    assert is_remote({"SSH_CONNECTION": "1 2 3 4"})


def test_what_is_remembered_survives_and_a_broken_file_is_nothing(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "tui.json"
    Remembered(theme="studio-light", wider=4).save(path)
    assert Remembered.load(path) == Remembered(theme="studio-light", wider=4)
    for broken in ("", "[]", '{"wider": "x", "theme": 3}'):
        path.write_text(broken)
        assert Remembered.load(path) == Remembered()


def test_tails_are_bounded() -> None:
    store = Store("p")
    for _ in range(100):
        store.add_tail("s", b"x" * 1000)
    assert len(store.tails["s"]) <= 2 * TAIL_BYTES
