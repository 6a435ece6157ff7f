"""What works everywhere: running, cancelling, choosing what is in view, arranging, leaving."""

from __future__ import annotations

from typing import TYPE_CHECKING

from studio.tui.panes.base import answered, guarded
from studio.tui.panes.brief import BriefPane

if TYPE_CHECKING:
    from textual.screen import Screen

    from studio.tui.panes.base import Pane
    from studio.tui.shell import Shell
    from studio.tui.store import Store

    Base = Screen[None]
else:
    Base = object

__all__ = ["MainActions"]


class MainActions(Base):
    """The actions of the main screen."""

    store: Store
    recent: list[str]
    zoomed: bool

    if TYPE_CHECKING:

        @property
        def studio(self) -> Shell: ...  # noqa: D102 - the screen has it
        @property
        def focused_pane(self) -> Pane | None: ...  # noqa: D102
        def pane(self, id_: str) -> Pane: ...  # noqa: D102
        def rearrange(self) -> None: ...  # noqa: D102
        def view_run(self, run: str) -> None: ...  # noqa: D102

    # Panes.

    def action_show(self, pane: str) -> None:
        """Show a pane and give it the keys."""
        if pane in self.recent:
            self.recent.remove(pane)
        self.recent.append(pane)
        self.rearrange()
        self.pane(pane).enter()

    def action_zoom(self) -> None:
        """Give the focused pane all the room, or give it back."""
        self.zoomed = not self.zoomed
        self.rearrange()

    def action_resize(self, cells: int) -> None:
        """Make the side columns wider or narrower."""
        self.studio.remembered.wider = max(-12, min(40, self.studio.remembered.wider + cells))
        self.studio.remember()
        self.rearrange()

    def action_back(self) -> None:
        """Leave the editor, then the zoom."""
        pane = self.focused_pane
        if pane is not None and self.focused is not pane:
            if isinstance(pane, BriefPane):
                pane.focus()
            else:
                pane.enter()
        if self.zoomed and self.focused is pane:
            self.action_zoom()

    def action_next_theme(self) -> None:
        """Use the next theme."""
        self.studio.next_theme()

    async def action_help(self) -> None:
        """Show every key."""
        from studio.tui.screens.help import HelpScreen

        await self.app.push_screen(HelpScreen())  # pyright: ignore[reportUnknownMemberType] the app's own type does not matter

    # Runs.

    def action_run(self) -> None:
        """Run the brief."""
        self.run_worker(guarded(self, self._start()), group="start", exclusive=True)

    async def _start(self) -> None:
        from studio.protocol import commands as c

        brief = self.pane("brief")
        if not isinstance(brief, BriefPane):
            return
        text = brief.editor.text_or_none
        if text is None:
            self.notify("Write what you want first.", severity="warning")
            self.action_show("brief")
            return
        model = "" if brief.names_model else self.studio.model or await self.choose_model()
        if not model and not brief.names_model:
            return
        await brief.save()
        started = await self.store.host.ask(c.StartRun(self.store.brief, text, self.studio.run_options(model)))
        if started.left_out:
            listed = ", ".join(started.left_out[:5])
            self.notify(listed, title="Left out: looks secret, or too large", severity="warning", markup=False)
        self.view_run(started.run)
        self.action_show("timeline")

    async def choose_model(self) -> str:
        """Ask for the model of the next run and remember it; empty if none was given."""
        from widgets.dialogs import AskLine

        about = (
            "Which model? For instance auto, anthropic/claude-sonnet-4-5, openai/gpt-5, ollama/qwen3, "
            "replay:FILE or manual:DIR."
        )
        answer = await answered(self, AskLine("Model", about, self.studio.model, "auto"))
        if answer is None:
            return ""
        self.studio.remembered.model = answer.strip() or "auto"
        self.studio.remember()
        return self.studio.model

    def action_cancel(self) -> None:
        """Cancel the run in view."""
        self.run_worker(guarded(self, self._cancel()))

    async def _cancel(self) -> None:
        from studio.protocol import commands as c

        run = self.store.run
        if run is None or run.status.final:
            self.notify("No run is under way.", severity="warning")
            return
        await self.store.host.ask(c.CancelRun(run.id))

    def action_runs(self) -> None:
        """Choose the run in view."""
        self.run_worker(guarded(self, self._runs()))

    async def _runs(self) -> None:
        from studio.tui.present.timeline import run_label
        from widgets.dialogs import Choice, Choose

        runs = list(self.store.state.runs.values()) if self.store.state is not None else []
        if not runs:
            self.notify("There is no run yet; r runs the brief.", severity="warning")
            return
        choices = [Choice(run.id, *run_label(run)) for run in reversed(runs)]
        chosen = await answered(self, Choose("Runs", choices, start=self.store.run_id))
        if chosen is not None:
            self.view_run(chosen)

    # Leaving.

    def action_leave(self) -> None:
        """Leave; a run goes on."""
        self.run_worker(self._leave(), group="leave", exclusive=True)

    async def _leave(self) -> None:
        brief = self.pane("brief")
        if isinstance(brief, BriefPane) and brief.dirty and self.store.connection == "live":
            await guarded(self, brief.save())
        self.studio.remember()
        self.app.exit()  # pyright: ignore[reportUnknownMemberType] as above
