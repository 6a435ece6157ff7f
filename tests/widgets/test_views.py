from __future__ import annotations

from textual.app import App, ComposeResult
from textual.widget import Widget

from themes import Themed
from widgets.bars import BarItem, KeyBar, KeyItem, StatusBar
from widgets.diff_data import DiffFile, DiffHunk, DiffLine, DiffMark, DiffRemark
from widgets.diff_view import DiffView
from widgets.lines import LineView
from widgets.log_view import LogView
from widgets.timeline_view import TimelineRow, TimelineView


class Stage(Themed, App[None]):  # pyright: ignore[reportGeneralTypeIssues] a mixin of an app of any result
    """One widget."""

    def __init__(self, widget: Widget) -> None:
        super().__init__()
        self.widget = widget

    def compose(self) -> ComposeResult:
        yield self.widget


def text_of(view: LineView | StatusBar | KeyBar, height: int = 0) -> list[str]:
    return [view.render_line(y).text.rstrip() for y in range(height or view.size.height)]


def hunk(key: str, start: int, *lines: str) -> DiffHunk:
    parsed = tuple(DiffLine(line[0], line[1:]) for line in lines)
    old, new = sum(line.op != "+" for line in parsed), sum(line.op != "-" for line in parsed)
    return DiffHunk(key, start, old, start, new, parsed)


FILES = (
    DiffFile("a.py", "modified", (hunk("h1", 1, " a", "-b", "+c"), hunk("h2", 9, "+d", "+e"))),
    DiffFile("b.py", "added", (hunk("h3", 1, "+x\x1b\u202e"),)),
)


async def test_diff_moves_by_hunk_file_and_line() -> None:
    view = DiffView()
    async with Stage(view).run_test(size=(80, 20)) as pilot:
        view.set_files(FILES, {"h1": (DiffRemark("critic", "why?", 2),)})
        view.focus()
        assert view.hunk is not None
        assert view.hunk.key == "h1"
        await pilot.press("]")
        assert view.hunk.key == "h2"
        await pilot.press("n", "n")
        assert view.hunk.key == "h3"
        await pilot.press("p", "[")
        assert view.hunk.key == "h1"
        await pilot.press("}")
        assert view.file is FILES[1]
        assert view.go_to_line("a.py", 10)
        assert view.place is not None
        assert view.place.line == 1
        assert not view.go_to_line("zzz", 1)


async def test_diff_selects_lines_of_one_hunk_only() -> None:
    view = DiffView()
    async with Stage(view).run_test(size=(80, 20)) as pilot:
        view.set_files(FILES)
        view.focus()
        await pilot.press("j", "v", "j", "j")
        assert view.selected == (0, 1, 2)
        await pilot.press("j")
        assert view.selected == ()
        await pilot.press("v")
        assert view.selected == ()


async def test_diff_shows_marks_remarks_and_hidden_characters() -> None:
    view = DiffView()
    async with Stage(view).run_test(size=(90, 20)) as pilot:
        view.set_files(FILES, {"h1": (DiffRemark("critic", "why?", 2),)})
        view.set_marks({"h1": DiffMark("accepted", frozenset({2}), "ada"), "h2": DiffMark("rejected")})
        await pilot.pause(0.2)
        lines = text_of(view)
        assert "◐ a.py" in lines[0]
        assert "partial by ada" in lines[1]
        assert [line[1] for line in lines[2:5]] == [" ", "✗", "✓"]
        assert "critic: why?" in lines[5]
        assert "✗" in lines[6]
        assert any("x␛<U+202E>" in line for line in lines)


async def test_a_large_diff_is_indexed_and_only_what_is_seen_is_rendered() -> None:
    files = tuple(
        DiffFile(f"f{f}.py", "modified", tuple(hunk(f"h{f}-{h}", h * 20 + 1, *("+x", "-y") * 5) for h in range(5)))
        for f in range(2000)
    )
    view = DiffView()
    async with Stage(view).run_test(size=(100, 30)) as pilot:
        view.set_files(files)
        view.focus()
        assert view.count == 2000 * (1 + 5 * 11)
        await pilot.press("G", "p")
        assert view.hunk is not None
        assert view.hunk.key.startswith("h1999")


async def test_a_very_long_line_is_cut() -> None:
    view = DiffView()
    async with Stage(view).run_test(size=(60, 10)) as pilot:
        view.set_files((DiffFile("min.js", "added", (hunk("h", 1, "+" + "x" * 200_000),)),))
        view.focus()
        await pilot.press("l", "l")
        assert view.scroll_offset.x > 0
        assert text_of(view)


async def test_timeline_folds_filters_and_keeps_its_place() -> None:
    rows = [
        TimelineRow("s", "", "stage", "running", "build"),
        TimelineRow("t", "s", "task", "running", "T1"),
        TimelineRow("x", "t", "tool", "failed", "search", duration="1.0s"),
        TimelineRow("y", "t", "tool", "done", "read"),
    ]
    view = TimelineView()
    async with Stage(view).run_test(size=(60, 12)) as pilot:
        view.set_items(rows)
        await pilot.pause(0.2)
        view.focus()
        assert view.count == 4
        await pilot.press("j", "space")
        assert view.count == 2
        await pilot.press("l")
        assert view.count == 4
        view.go_to("y")
        view.set_items([*rows[:2], TimelineRow("z", "s", "task", "done", "T0"), *rows[2:]])
        assert view.current is not None
        assert view.current.key == "y"
        view.failures_only = True
        await pilot.pause()
        assert [view.placed(at).item.key for at in range(view.count)] == ["s", "t", "x"]
        assert "✗ search" in "\n".join(text_of(view))
        await pilot.press("h", "h")
        assert view.current.key in {"t", "s"}


async def test_timeline_follows_the_end_until_one_moves_away() -> None:
    view = TimelineView()
    view.follow = True
    async with Stage(view).run_test(size=(60, 5)) as pilot:
        rows = [TimelineRow(str(n), "", "note", "done", f"row {n}") for n in range(50)]
        view.set_items(rows[:10])
        await pilot.pause(0.2)
        view.go(9)
        view.set_items(rows)
        await pilot.pause(0.2)
        assert view.cursor == 49
        view.go(3)
        view.set_items([*rows, TimelineRow("more", "", "note", "done", "more")])
        await pilot.pause(0.2)
        assert view.cursor == 3


async def test_log_is_bounded_follows_and_keeps_colours() -> None:
    view = LogView(scrollback=2000)
    async with Stage(view).run_test(size=(60, 10)) as pilot:
        view.note("$ make", "command")
        for n in range(5000):
            view.write("s", f"\x1b[32mline {n}\x1b[0m\n".encode())
        view.write("s", b"last")
        view.finish("s")
        await pilot.pause(0.3)
        assert 2000 - 512 <= view.count <= 2000
        assert text_of(view)[-1].startswith("last")
        assert view.cursor == view.count - 1
        assert view.text().endswith("last")


async def test_an_empty_view_says_what_would_fill_it() -> None:
    view = LogView(empty="Type a command.")
    async with Stage(view).run_test(size=(40, 8)):
        assert any("Type a command." in line for line in text_of(view))


async def test_the_status_bar_drops_what_matters_least() -> None:
    items = [BarItem("project", rank=0), BarItem("a long model name", rank=6, short="model"), BarItem("people", rank=9)]
    bar = StatusBar(items)
    async with Stage(bar).run_test(size=(120, 3)) as pilot:
        assert text_of(bar)[0] == " project   a long model name   people"
        await pilot.resize_terminal(22, 3)
        assert text_of(bar)[0] == " project   model"
        await pilot.resize_terminal(10, 3)
        assert text_of(bar)[0] == " project"


async def test_the_key_bar_always_shows_the_last_key_and_its_keys_are_buttons() -> None:
    bar = KeyBar()
    pressed: list[str] = []

    class Listening(Stage):
        def on_key_bar_pressed(self, event: KeyBar.Pressed) -> None:
            pressed.append(event.id)

    async with Listening(bar).run_test(size=(24, 3)) as pilot:
        bar.set_items([KeyItem("a", "accept", "a"), KeyItem("x", "reject", "x"), KeyItem("?", "help", "h")])
        assert text_of(bar)[0] == " a accept  ? help"
        await pilot.click(KeyBar, offset=(2, 0))
        assert pressed == ["a"]


async def test_selecting_on_a_hunks_header_begins_at_its_first_line() -> None:
    view = DiffView()
    async with Stage(view).run_test(size=(60, 20)) as pilot:
        view.set_files(FILES, {"h1": (DiffRemark("critic", "a long remark " * 8),)})
        view.focus()
        assert not view.selecting
        await pilot.press("v")
        assert view.selecting
        assert view.selected == (0,)
        await pilot.press("j", "j")
        assert view.selected == (0, 1, 2)
        await pilot.press("v")
        assert not view.selecting


async def test_remarks_are_shown_whole_at_every_width() -> None:
    view = DiffView()
    said = " ".join(f"word{number}" for number in range(30))
    async with Stage(view).run_test(size=(60, 20)) as pilot:
        view.set_files(FILES, {"h1": (DiffRemark("critic", said),)})
        for width in (60, 100, 45):
            await pilot.resize_terminal(width, 20)
            await pilot.pause()
            assert said in " ".join(" ".join(text_of(view)).replace("“", "").split())


async def test_a_log_wraps_and_keeps_all_of_a_line() -> None:
    view = LogView()
    async with Stage(view).run_test(size=(30, 10)) as pilot:
        view.write("s", b"0123456789" * 7 + b"\nshort\n")
        await pilot.pause(0.2)
        assert "".join(text_of(view)).startswith("0123456789" * 7 + "short")
        assert view.text() == "0123456789" * 7 + "\nshort"
        await pilot.resize_terminal(90, 10)
        await pilot.pause(0.2)
        assert text_of(view)[:2] == ["0123456789" * 7, "short"]


async def test_a_patch_is_shown_harmless() -> None:
    view = LogView()
    async with Stage(view).run_test(size=(60, 10)):
        view.show_patch("--- a/x\n+++ b/x\n@@ -1 +1 @@\n-old\n+new \x1b[2J\u202e\n")
        assert text_of(view)[3:5] == ["-old", "+new ␛[2J<U+202E>"]


async def test_what_is_folded_is_found_and_the_cursor_stays_near() -> None:
    view = TimelineView()

    def rows(*, done: bool) -> list[TimelineRow]:
        status = "done" if done else "running"
        return [
            TimelineRow("s1", "", "stage", "done", "plan", open=False),
            TimelineRow("c1", "s1", "call", "done", "planner"),
            TimelineRow("s2", "", "stage", status, "build", open=not done),
            TimelineRow("c2", "s2", "call", status, "builder"),
            TimelineRow("s3", "", "stage", "running", "test"),
        ]

    async with Stage(view).run_test(size=(40, 10)):
        view.set_items(rows(done=False))
        assert [view.placed(at).item.key for at in range(view.count)] == ["s1", "s2", "c2", "s3"]
        assert view.go_to("c2")
        view.set_items(rows(done=True))
        assert view.current is not None
        assert view.current.key == "c2", "what holds the cursor is not folded away"
        view.go(0)
        view.set_items(rows(done=True))
        assert view.go_to("c1")
        assert view.current.key == "c1"
        assert not view.go_to("zzz")
