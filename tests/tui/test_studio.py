"""The studio driven by binding ids, against a host in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, TextArea

from studio.domain.changes import TargetKind, Verdict
from studio.domain.errors import InternalError
from studio.domain.places import Places
from studio.domain.runs import RunOptions
from studio.protocol import commands as c
from studio.tui.app import StudioApp
from studio.tui.keys import KEYS, PANES
from studio.tui.panes.brief import BriefPane
from studio.tui.panes.console import ConsolePane
from studio.tui.panes.review import ReviewPane
from studio.tui.panes.timeline import TimelinePane
from studio.tui.screens.main import MainScreen
from tests.fakes.fake_session import START, FakeSession
from tests.fakes.studio_story import BRIEF, RUN, told_gate, told_review, told_running
from widgets.dialogs import AskLine, AskText, Choose, ConfirmPatch, ShowText


class Desk:
    """The studio, its host and the pilot."""

    def __init__(self, app: StudioApp, session: FakeSession, pilot: Pilot[object]) -> None:
        self.app, self.session, self.pilot = app, session, pilot

    @property
    def main(self) -> MainScreen:
        return next(screen for screen in self.app.screen_stack if isinstance(screen, MainScreen))

    async def until(self, true: Callable[[], object]) -> None:
        for _ in range(200):
            if true():
                return
            await self.pilot.pause(0.02)
        raise AssertionError("it did not come to be")

    async def press(self, id_: str) -> None:
        await self.main.press(id_)
        await self.pilot.pause()

    @property
    def review(self) -> ReviewPane:
        return self.main.query_one(ReviewPane)

    def decisions(self) -> list[tuple[str, Verdict, tuple[int, ...]]]:
        made = self.session.asked_of(c.Decide)
        return [(d.hunk, d.verdict, d.lines) for command in made for d in command.decisions]


@asynccontextmanager
async def desk(
    tmp_path: Path,
    told: Callable[[FakeSession], None] | None = None,
    size: tuple[int, int] = (160, 48),
    options: RunOptions | None = None,
) -> AsyncGenerator[Desk]:
    session = FakeSession()
    if told is not None:
        told(session)
    places = Places(str(tmp_path / "git"), "/somewhere/shortener")
    app = StudioApp(session.open, places, name="ada", options=options, clock=lambda: START + 60)
    async with app.run_test(size=size) as pilot:
        at = Desk(app, session, pilot)
        await at.until(lambda: app.store.connection == "live")
        await pilot.pause(0.2)
        yield at


async def test_it_paints_before_it_connects(tmp_path: Path) -> None:
    painted = asyncio.Event()

    async def never() -> FakeSession:
        await painted.wait()
        raise InternalError("The host could not be started.", "Look at the log.")

    app = StudioApp(never, Places(str(tmp_path), "/x/y"))
    async with app.run_test(size=(80, 24)) as pilot:
        for _ in range(100):
            await pilot.pause(0.02)
            if app.screen.query_one(BriefPane).region.width:
                break
        assert app.store.connection == "connecting"
        assert app.screen.query_one(BriefPane).region.width
        painted.set()
        for _ in range(100):
            await pilot.pause(0.02)
            if app.store.trouble:
                break
        await pilot.pause(0.3)
        assert "could not be started" in app.store.trouble
        trouble = app.screen.query_one("#trouble")
        assert trouble.display


async def test_a_brief_is_written_saved_and_run(tmp_path: Path) -> None:
    async with desk(tmp_path, options=RunOptions("replay:demo.json")) as at:
        editor = at.main.query_one(BriefPane).editor
        assert at.app.focused is editor
        await at.pilot.press(*"Add 1.")
        await at.pilot.press("ctrl+r")
        await at.until(lambda: at.session.asked_of(c.StartRun))
        started = at.session.asked_of(c.StartRun)[0]
        assert (started.text, started.options.model, started.brief) == ("Add 1.", "replay:demo.json", "brief")
        assert at.session.briefs == {"brief": "Add 1."}
        await at.until(lambda: at.app.store.run_id)
        assert at.main.focused_pane is at.main.query_one(TimelinePane)


async def test_the_model_is_asked_for_once(tmp_path: Path) -> None:
    async with desk(tmp_path, told_running) as at:
        await at.until(lambda: at.main.query_one(BriefPane).editor.text == BRIEF)
        await at.press("screen.run")
        await at.until(lambda: isinstance(at.app.screen, AskLine))
        at.app.screen.query_one(Input).value = "auto"
        await at.pilot.press("enter")
        await at.until(lambda: at.session.asked_of(c.StartRun))
        assert at.session.asked_of(c.StartRun)[0].options.model == "auto"
        await at.press("screen.run")
        await at.until(lambda: len(at.session.asked_of(c.StartRun)) == 2)


async def test_an_empty_brief_is_not_run(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.press("screen.run")
        await at.pilot.pause(0.1)
        assert not at.session.asked_of(c.StartRun)


async def test_broken_front_matter_is_told_as_one_types(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        pane = at.main.query_one(BriefPane)
        pane.editor.load_text("---\nbudgte: 1\n---\ntext")
        line = pane.query_one("#brief-state")
        await at.until(lambda: line.has_class("-bad"))


async def test_somebody_elses_revision_comes_in_unless_one_is_typing(tmp_path: Path) -> None:
    async with desk(tmp_path, told_running) as at:
        pane = at.main.query_one(BriefPane)
        await at.until(lambda: pane.editor.text == BRIEF)
        await at.session.ask(c.SaveBrief("expiry", "theirs"))
        await at.until(lambda: pane.editor.text == "theirs")
        pane.editor.load_text("mine")
        await at.session.ask(c.SaveBrief("expiry", "theirs again"))
        await at.pilot.pause(0.3)
        assert pane.editor.text == "mine"


async def test_hunks_are_accepted_and_rejected_and_shown_from_events(tmp_path: Path) -> None:
    async with desk(tmp_path, told_review) as at:
        await at.until(lambda: at.review.view.count)
        await at.press("review.accept")
        await at.until(lambda: at.review.view.mark("h-0000000001").state == "accepted")
        assert at.review.view.hunk is not None
        assert at.review.view.hunk.key == "h-0000000002"
        await at.press("review.reject")
        await at.until(lambda: at.review.view.mark("h-0000000002").state == "rejected")
        assert [verdict for _, verdict, _ in at.decisions()] == ["accepted", "rejected"]


async def test_lines_are_rejected_out_of_a_hunk(tmp_path: Path) -> None:
    async with desk(tmp_path, told_review) as at:
        await at.until(lambda: at.review.view.count)
        await at.press("screen.pane_review")
        await at.pilot.press("j", "j")
        await at.press("review.lines")
        await at.press("review.reject")
        await at.until(at.decisions)
        assert at.decisions() == [("h-0000000001", Verdict.ACCEPTED, (3, 4))]
        await at.until(lambda: at.review.view.mark("h-0000000001").lines == frozenset({3, 4}))
        await at.press("review.accept_file")
        await at.until(lambda: len(at.decisions()) == 2)
        assert at.decisions()[1] == ("h-0000000002", Verdict.ACCEPTED, ())


async def test_a_hunk_is_edited_and_commented(tmp_path: Path) -> None:
    async with desk(tmp_path, told_review) as at:
        await at.until(lambda: at.review.view.count)
        await at.press("review.edit")
        await at.until(lambda: isinstance(at.app.screen, AskText))
        area = at.app.screen.query_one(TextArea)
        assert "import time\n" in area.text
        area.load_text("import sqlite3\n")
        await at.pilot.press("ctrl+s")
        await at.until(at.decisions)
        assert at.session.asked_of(c.Decide)[0].decisions[0].text == "import sqlite3\n"
        await at.press("review.comment")
        await at.until(lambda: isinstance(at.app.screen, AskLine))
        at.app.screen.query_one(Input).value = "[bold]why[/bold]?"
        await at.pilot.press("enter")
        await at.until(lambda: at.session.asked_of(c.MakeRemark))
        assert at.session.asked_of(c.MakeRemark)[0].remark.text == "[bold]why[/bold]?"
        await at.pilot.pause(0.3)


async def test_what_is_accepted_lands_on_the_chosen_target_and_is_undone(tmp_path: Path) -> None:
    async with desk(tmp_path, told_review, (80, 24)) as at:
        await at.until(lambda: at.review.view.count or at.press)
        await at.press("screen.pane_review")
        await at.until(lambda: at.review.view.count)
        await at.press("review.land")
        await at.pilot.pause(0.1)
        assert not at.session.asked_of(c.Land)
        await at.press("review.accept")
        await at.until(lambda: at.review.view.mark("h-0000000001").state == "accepted")
        await at.press("review.land")
        await at.until(lambda: at.app.screen is not at.main)
        await at.pilot.press("down", "down", "ctrl+s")
        await at.until(lambda: at.session.asked_of(c.Land))
        landed = at.session.asked_of(c.Land)[0]
        assert (landed.target.kind, landed.message, landed.unchecked) == (TargetKind.COMMIT, "Expiring links", False)
        await at.until(lambda: at.app.screen is at.main)
        await at.press("review.undo")
        await at.until(lambda: isinstance(at.app.screen, ConfirmPatch))
        await at.pilot.press("enter", "y")
        await at.until(lambda: at.session.asked_of(c.Undo))


async def test_a_gate_is_answered_in_place(tmp_path: Path) -> None:
    def told(session: FakeSession) -> None:
        told_running(session)
        told_gate(session)

    async with desk(tmp_path, told) as at:
        await at.press("timeline.answer")
        await at.until(lambda: isinstance(at.app.screen, Choose))
        await at.pilot.press("down", "enter")
        await at.until(lambda: at.session.asked_of(c.AnswerGate))
        assert at.session.asked_of(c.AnswerGate)[0].answer == "daily"


async def test_agents_are_told_runs_are_cancelled_and_forked(tmp_path: Path) -> None:
    async with desk(tmp_path, told_running) as at:
        await at.press("timeline.tell")
        await at.until(lambda: isinstance(at.app.screen, AskLine))
        at.app.screen.query_one(Input).value = "use REAL"
        await at.pilot.press("enter")
        await at.until(lambda: at.session.asked_of(c.TellRun))
        await at.press("screen.cancel")
        await at.until(lambda: at.session.asked_of(c.CancelRun))
        timeline = at.main.query_one(TimelinePane)
        await at.until(lambda: timeline.view.go_to("stage:build"))
        await at.press("timeline.fork")
        await at.until(lambda: at.session.asked_of(c.ForkRun))
        assert at.session.asked_of(c.ForkRun)[0].stage == "build"
        await at.until(lambda: at.app.store.run_id != RUN)


async def test_what_was_asked_is_shown_as_text(tmp_path: Path) -> None:
    async with desk(tmp_path, told_running) as at:
        await at.until(lambda: at.main.query_one(TimelinePane).view.go_to("call:c0"))
        await at.press("timeline.open")
        await at.until(lambda: isinstance(at.app.screen, ShowText))
        await at.pilot.press("escape")
        await at.until(lambda: at.app.screen is at.main)


async def test_a_command_runs_in_the_sandbox_and_prints(tmp_path: Path) -> None:
    async with desk(tmp_path, told_review) as at:
        await at.press("console.input")
        await at.pilot.press(*"ls -l", "enter")
        console = at.main.query_one(ConsolePane)
        await at.until(lambda: "ran ls -l" in console.log_view.text())
        command = at.session.asked_of(c.Execute)[0]
        assert (command.argv, command.run) == (("ls", "-l"), RUN)
        await at.pilot.press("up")
        assert console.query_one(Input).value == "ls -l"


async def test_a_finding_leads_to_its_hunk(tmp_path: Path) -> None:
    async with desk(tmp_path, told_review) as at:
        await at.until(lambda: at.app.store.changes)
        await at.press("screen.pane_checks")
        await at.pilot.press("j", "enter")
        await at.until(lambda: at.main.focused_pane is at.review)
        assert at.review.view.hunk is not None
        assert at.review.view.hunk.key == "h-0000000002"


async def test_a_lost_connection_comes_back_with_everything(tmp_path: Path) -> None:
    async with desk(tmp_path, told_running) as at:
        at.session.drop()
        await at.until(lambda: at.app.store.connection == "reconnecting")
        told_gate(at.session)
        await at.until(lambda: at.app.store.connection == "live")
        assert at.app.store.run is not None
        assert at.app.store.run.gates
        assert at.session.connections == 2


async def test_a_terminal_too_small_is_told_so_and_a_larger_one_shows_the_panes(tmp_path: Path) -> None:
    async with desk(tmp_path, told_review, (20, 5)) as at:
        said = at.main.query_one("#too-small")
        assert said.region.area
        assert not at.main.query_one("#panes").region.area
        await at.pilot.resize_terminal(40, 10)
        await at.until(lambda: at.main.query_one("#panes").region.area)
        assert not said.region.area


@pytest.mark.parametrize("size", [(40, 10), (60, 20), (80, 24), (100, 30), (120, 40), (160, 48), (300, 90)])
async def test_nothing_is_clipped_at_any_size(tmp_path: Path, size: tuple[int, int]) -> None:
    async with desk(tmp_path, told_review, size) as at:
        for pane in PANES:
            await at.press(f"screen.pane_{pane.id}")
            shown = [p for p in at.main.panes if p.display]
            assert at.main.pane(pane.id) in shown
            for one in shown:
                assert one.region.right <= size[0]
                assert one.region.bottom <= size[1]
                assert one.region.area
                assert not any(one.region.overlaps(other.region) for other in shown if other is not one)
        await at.press("screen.zoom")
        assert sum(p.display for p in at.main.panes) == 1
        await at.press("screen.zoom")


async def test_a_finished_run_that_came_without_its_rows_is_completed(tmp_path: Path) -> None:
    def told(session: FakeSession) -> None:
        told_review(session)
        session.leaves_rows_out = True

    async with desk(tmp_path, told) as at:
        await at.until(lambda: at.main.query_one(TimelinePane).view.count > 5)
        assert len(at.session.asked_of(c.GetRun)) == 1


async def test_three_columns_hold_five_panes(tmp_path: Path) -> None:
    async with desk(tmp_path, told_review) as at:
        region = {pane.ID: pane.region for pane in at.main.panes if pane.display}
        assert region["files"].right <= region["brief"].x
        assert region["brief"].right <= region["timeline"].x
        assert region["checks"].y >= region["timeline"].bottom
        assert region["console"].y >= region["brief"].bottom
        assert region["files"].bottom == region["checks"].bottom == region["console"].bottom


async def test_every_binding_id_does_something_on_an_empty_studio(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        for key in KEYS:
            if key.id in {"screen.quit", "screen.help"}:
                continue
            await at.press(key.id)
            await at.pilot.pause(0.05)
            while at.app.screen is not at.main:
                await at.pilot.press("escape")
                await at.pilot.pause(0.05)


async def test_help_and_palette_come_from_the_registry(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.press("screen.help")
        await at.pilot.pause(0.1)
        assert at.app.screen is not at.main
        await at.pilot.press("escape")
        await at.pilot.press("ctrl+p")
        await at.pilot.pause(0.3)
        assert at.app.screen is not at.main


async def test_themes_change_and_are_remembered(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.press("screen.theme")
        assert at.app.theme == "studio-light"
    async with desk(tmp_path) as at:
        assert at.app.theme == "studio-light"
