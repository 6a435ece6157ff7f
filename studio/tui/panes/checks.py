"""The Checks pane: verdicts, findings, failing tests."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult

from studio.tui.panes.base import Pane, answered
from widgets.checks_view import ChecksView
from widgets.tree_lines import TreeLines

__all__ = ["ChecksPane"]

EMPTY = "No check has run yet.\n\nThey run on what the agents wrote, and on exactly what you accept."


class ChecksPane(Pane):
    """Shows checks.

    Keys: see `studio.tui.keys`, `checks.*`.
    """

    ID: ClassVar[str] = "checks"

    def compose(self) -> ComposeResult:
        """Lay out."""
        yield ChecksView(empty=EMPTY)

    @property
    def view(self) -> ChecksView:
        """The rows."""
        return self.query_one(ChecksView)

    def enter(self) -> None:
        """Take the keys."""
        self.view.focus()

    def show(self) -> None:
        """Present the checks of the run."""
        from studio.tui.present.checks import check_rows, summary

        run = self.store.run
        self.view.set_items(check_rows(run) if run is not None else ())
        self.set_subtitle(summary(run) if run is not None else "")

    @on(TreeLines.Picked)
    def _picked(self, event: TreeLines.Picked) -> None:
        event.stop()
        self.action_open()

    # Actions.

    def action_open(self) -> None:
        """Go to what the finding is about; on a check, show its output."""
        row, run = self.view.current, self.store.run
        if row is None or run is None:
            return
        if row.path:
            changed = self.store.changes is not None and any(file.path == row.path for file in self.store.changes.files)
            self.post_message(self.Reveal("review" if changed else "files", row.path, row.line))
        elif row.check in run.checks:
            self.act(self._output(row.check))

    async def _output(self, check: str) -> None:
        from studio.protocol import commands as c
        from widgets.dialogs import ShowText

        run = self.store.run
        result = run.checks.get(check) if run is not None else None
        if result is None:
            return
        if not result.output:
            self.view.action_toggle_fold()
            return
        blob = await self.store.host.ask(c.GetArtifact(result.output))
        command = f"$ {' '.join(result.command)}\n\n".encode() if result.command else b""
        await answered(self, ShowText(f"{check}: {result.outcome}", command + blob.data))

    def action_rerun(self) -> None:
        """Run the check again."""
        self.act(self._rerun())

    async def _rerun(self) -> None:
        from studio.protocol import commands as c

        row, run = self.view.current, self.store.run
        if row is not None and run is not None and row.check:
            self.set_subtitle(f"{row.check} runs again …")
            result = await self.store.host.ask(c.RunCheck(run.id, row.check))
            self.say(f"{row.check}: {result.outcome} {result.reason or result.summary}")
            self.show()

    def action_waive(self) -> None:
        """Waive the failed check."""
        self.act(self._waive())

    async def _waive(self) -> None:
        from studio.protocol import commands as c
        from widgets.dialogs import AskLine

        row, run = self.view.current, self.store.run
        result = run.checks.get(row.check) if row is not None and run is not None else None
        if run is None or result is None or result.outcome != "failed":
            self.notify("Only a failed check can be waived.", severity="warning")
            return
        reason = await answered(self, AskLine(f"Waive {result.check}", "Why may it fail? Your name is on it."))
        if reason and reason.strip():
            await self.store.host.ask(c.WaiveCheck(run.id, result.check, reason.strip()))
