"""The Console pane: commands in the run's tree, and what they print."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar
from uuid import uuid4

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input

from studio.tui.panes.base import Pane
from studio.tui.store import Store
from widgets.log_view import LogView

if TYPE_CHECKING:
    from studio.domain.state import Row

__all__ = ["ConsolePane"]

CAUGHT_UP_BYTES = 1 << 16
"""Bytes shown of what an earlier command printed."""
EMPTY = "Commands of the run print here; type one below to run it in the sandbox, in the run's tree."


class CommandLine(Input):
    """Where a command is typed. ctrl+x stops the running command here too, in place of cutting text."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+x", "stop", "Stop", show=False, id="console.input_stop")]

    class StopWanted(Message):
        """Asks for the running command to be stopped."""

    def action_stop(self) -> None:
        """Ask for it."""
        self.post_message(self.StopWanted())


class ConsolePane(Pane):
    """Runs commands in the sandbox.

    Keys: see `studio.tui.keys`, `console.*`; in the input, up and down go through what was typed before.
    """

    ID: ClassVar[str] = "console"
    DEFAULT_CSS = """
    ConsolePane {
        & Input { height: 1; border: none; background: $raised; padding: 0 1; }
        & Input:focus { border: none; background: $selection; }
    }
    """

    def __init__(self, store: Store, new_id: Callable[[], str] = lambda: f"console-{uuid4().hex[:12]}") -> None:
        super().__init__(store)
        self._new_id = new_id
        self._mine = ""
        """The command of ours that is running."""
        self._heard: set[str] = set()
        self._told: dict[str, str] = {}
        """Status last told of each command of the run, by row key."""
        self._history: list[str] = []
        self._at = 0
        self._run = ""

    def compose(self) -> ComposeResult:
        """Lay out."""
        yield LogView(empty=EMPTY)
        command = CommandLine(placeholder="$ a command, run in the sandbox", select_on_focus=False)
        command.cursor_blink = False
        yield command

    @property
    def log_view(self) -> LogView:
        """The log."""
        return self.query_one(LogView)

    def enter(self) -> None:
        """Take the keys."""
        self.log_view.focus()

    def show(self) -> None:
        """Tell the commands of the run that began or ended; what earlier ones printed is fetched."""
        run = self.store.run
        if run is None:
            return
        if run.id != self._run:
            self._run, self._told = run.id, {}
            self._heard.clear()
            self.log_view.clear()
        missed: list[Row] = []
        for row in run.rows:
            if row.kind != "command" or self._told.get(row.key) == row.status or row.key == f"command:{self._mine}":
                continue
            if row.key not in self._told and row.status != "running" and row.artifact:
                self._told[row.key] = row.status
                missed.append(row)
                continue
            self._tell(row)
        if missed:
            self.act(self._catch_up(missed))
        self.set_subtitle(f"runs in {run.sandbox}" if run.sandbox else "")

    def _tell(self, row: Row) -> None:
        if row.key not in self._told:
            self.log_view.note(f"$ {row.title}", "command")
        self._told[row.key] = row.status
        if row.status != "running":
            self.log_view.finish(row.key.removeprefix("command:"))
            self.log_view.note(f"  {row.detail}", "result" if row.status == "done" else "error")

    async def _catch_up(self, rows: list[Row]) -> None:
        """Print commands that ended before anybody listened here, with the beginning of what they printed."""
        from studio.protocol import commands as c

        for row in rows:
            blob = await self.store.host.ask(c.GetArtifact(row.artifact, limit=CAUGHT_UP_BYTES))
            stream = f"caught-up:{row.key}"
            self.log_view.note(f"$ {row.title}", "command")
            self.log_view.write(stream, blob.data)
            self.log_view.finish(stream)
            if blob.size > len(blob.data):
                self.log_view.note(f"  … {blob.size - len(blob.data)} more bytes; the timeline's row has all")
            self.log_view.note(f"  {row.detail}", "result" if row.status == "done" else "error")

    def stream(self, stream: str, data: bytes) -> None:
        """Print bytes of a live command, after the line that names it."""
        run = self.store.run
        at = run.row_index.get(f"command:{stream}") if run is not None else None
        if run is not None and at is not None and stream != self._mine and f"command:{stream}" not in self._told:
            self.log_view.note(f"$ {run.rows[at].title}", "command")
            self._told[f"command:{stream}"] = "running"
        if stream == self._mine or at is not None:
            self._heard.add(stream)
            self.log_view.write(stream, data)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        line = event.value.strip()
        if not line:
            return
        try:
            argv = tuple(shlex.split(line))
        except ValueError as error:
            self.notify(f"{error}: close the quote.", severity="warning", markup=False)
            return
        if self._mine:
            self.notify("A command runs; ctrl+x stops it.", severity="warning")
            return
        self._history.append(line)
        self._at = len(self._history)
        event.input.value = ""
        self._mine = self._new_id()
        self.act(self._execute(self._mine, line, argv))

    async def _execute(self, command: str, line: str, argv: tuple[str, ...]) -> None:
        from studio.domain.ids import RunId
        from studio.protocol import commands as c

        run = self.store.run
        tree = run.id if run is not None and run.changeset else RunId("")
        self.log_view.note(f"$ {line}", "command")
        self._told[f"command:{command}"] = ""
        try:
            result = await self.store.host.ask(c.Execute(argv, command, tree))
            if command not in self._heard:
                self.log_view.write(command, result.output)
            self.log_view.finish(command)
            why = f"exit {result.exit_code}" if result.ending == "exited" else str(result.ending)
            dropped = f", {result.dropped_bytes} bytes dropped" if result.dropped_bytes else ""
            where = f"in {tree}" if tree else "in a copy of the working tree"
            text = f"  {why} · {result.duration_ms} ms · {result.level} · {where}{dropped}"
            self.log_view.note(text, "result" if result.exit_code == 0 else "error")
        except BaseException:
            self.log_view.note("  did not run", "error")
            raise
        finally:
            self._told[f"command:{command}"] = "done"
            self._mine = ""

    def on_key(self, event: events.Key) -> None:
        """Go through what was typed before."""
        field = self.query_one(Input)
        if event.key not in {"up", "down"} or not field.has_focus or not self._history:
            return
        event.stop()
        self._at = max(0, min(len(self._history), self._at + (1 if event.key == "down" else -1)))
        field.value = self._history[self._at] if self._at < len(self._history) else ""
        field.cursor_position = len(field.value)

    # Actions.

    def action_input(self) -> None:
        """Go to the input."""
        self.query_one(Input).focus()

    @on(CommandLine.StopWanted)
    def action_stop(self) -> None:
        """Stop our command."""
        self.act(self._stop())

    async def _stop(self) -> None:
        from studio.protocol import commands as c

        if not self._mine:
            self.notify("No command of yours runs.", severity="warning")
            return
        await self.store.host.ask(c.StopExecute(self._mine))

    def action_clear(self) -> None:
        """Clear the log."""
        self.log_view.clear()
