"""The Timeline pane: what the agents do, and what to tell them."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult

from studio.tui.panes.base import Pane, answered
from studio.tui.store import Store
from widgets.timeline_view import TimelineView
from widgets.tree_lines import TreeLines

__all__ = ["TimelinePane"]

EMPTY = "Nothing has run yet.\n\nWrite a brief and press r: stages, agents and their calls show here as they happen."


class TimelinePane(Pane):
    """Shows stages, tasks and steps.

    Keys: see `studio.tui.keys`, `timeline.*`.
    """

    ID: ClassVar[str] = "timeline"

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._shown_run = ""

    def compose(self) -> ComposeResult:
        """Lay out."""
        view = TimelineView(empty=EMPTY)
        view.follow = True
        yield view

    @property
    def view(self) -> TimelineView:
        """The rows."""
        return self.query_one(TimelineView)

    def enter(self) -> None:
        """Take the keys."""
        self.view.focus()

    def show(self) -> None:
        """Present the run."""
        from studio.tui.present.timeline import timeline_rows

        run = self.store.run
        if run is None:
            self.view.set_items(())
            self.set_subtitle("")
            return
        self.view.set_items(timeline_rows(run, self.store.tails, self.store.clock()))
        if self._shown_run != run.id:
            self._shown_run = run.id
            self.view.go(0 if run.finished else self.view.count - 1)
        gate = next(iter(run.gates.values()), None)
        self.set_subtitle(f"? {gate.text}: y answers" if gate is not None else run.summary or run.id)

    @on(TreeLines.Picked)
    def _picked(self, event: TreeLines.Picked) -> None:
        event.stop()
        self.action_open()

    # Actions.

    def action_open(self) -> None:
        """Show what was asked and what came back."""
        self.act(self._open())

    async def _open(self) -> None:
        from studio.protocol import commands as c
        from studio.tui.present.detail import readable
        from widgets.dialogs import ShowText

        row, run = self.view.current, self.store.run
        if row is None or run is None:
            return
        if row.kind == "gate" and row.status == "waiting":
            await self._answer(row.key.removeprefix("gate:"))
            return
        source = run.rows[run.row_index[row.key if row.key in run.row_index else row.parent]]
        parts = [source.title, source.detail, ""]
        for label, artifact in (("asked", source.request), ("came back", source.artifact)):
            if artifact:
                blob = await self.store.host.ask(c.GetArtifact(artifact))
                parts += [f"━━ {label} ━━", readable(blob.data, total=blob.size), ""]
        if source.stream and source.stream in self.store.tails:
            parts += ["━━ coming ━━", self.store.tails[source.stream].decode("utf-8", "replace")]
        await answered(self, ShowText(row.title, "\n".join(parts)))

    def action_answer(self) -> None:
        """Answer the first open gate."""
        run = self.store.run
        if run is None or not run.gates:
            self.notify("No gate is open.", severity="warning")
            return
        self.act(self._answer(next(iter(run.gates))))

    async def _answer(self, id_: str) -> None:
        from studio.domain.ids import GateId
        from studio.protocol import commands as c
        from widgets.dialogs import AskLine, Choice, Choose

        run = self.store.run
        gate = run.gates.get(GateId(id_)) if run is not None else None
        if run is None or gate is None:
            return
        if gate.options:
            choices = [Choice(option, option) for option in gate.options]
            answer = await answered(self, Choose(f"Gate: {gate.kind}", choices, gate.text, gate.default))
        else:
            answer = await answered(self, AskLine(f"Gate: {gate.kind}", gate.text, gate.default))
        if answer is not None:
            await self.store.host.ask(c.AnswerGate(run.id, gate.id, answer))

    def action_tell(self) -> None:
        """Tell the agents something."""
        self.act(self._tell())

    async def _tell(self) -> None:
        from studio.protocol import commands as c
        from widgets.dialogs import AskLine

        run = self.store.run
        if run is None or run.status.final:
            self.notify("No run is under way.", severity="warning")
            return
        text = await answered(self, AskLine("Tell the agents", "They read it between turns."))
        if text and text.strip():
            await self.store.host.ask(c.TellRun(run.id, text))

    def action_failures(self) -> None:
        """Show failures only, or all."""
        self.view.failures_only = not self.view.failures_only
        self.view.empty = "Nothing failed; f shows everything." if self.view.failures_only else EMPTY

    def action_fork(self) -> None:
        """Fork from the stage under the cursor."""
        self.act(self._fork())

    async def _fork(self) -> None:
        from studio.domain.stages import Stage
        from studio.protocol import commands as c
        from studio.tui.present.timeline import stage_of

        row, run = self.view.current, self.store.run
        stage = stage_of(run, row.key) if row is not None and run is not None else ""
        if run is None or not stage:
            self.notify("Put the cursor on a stage or one of its steps.", severity="warning")
            return
        started = await self.store.host.ask(c.ForkRun(run.id, Stage(stage)))
        self.post_message(self.RunWanted(started.run))

    def action_resume(self) -> None:
        """Resume the run in view."""
        self.act(self._resume())

    async def _resume(self) -> None:
        from studio.protocol import commands as c

        if self.store.run is not None:
            await self.store.host.ask(c.ResumeRun(self.store.run.id))
