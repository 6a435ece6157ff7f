"""The studio's one screen: the panes, the header, the keys; what works everywhere."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Container
from textual.content import Content
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Static, TextArea

from studio.tui.keys import KEYS, PANES, bindings, key_label, keys_of
from studio.tui.layout import Layout, arrange
from studio.tui.panes.base import Pane, guarded
from studio.tui.panes.brief import BriefPane
from studio.tui.panes.checks import ChecksPane
from studio.tui.panes.console import ConsolePane
from studio.tui.panes.files import FilesPane
from studio.tui.panes.review import ReviewPane
from studio.tui.panes.timeline import TimelinePane
from studio.tui.present.header import announcement, header_items, trouble_said
from studio.tui.present.useful import is_useful
from studio.tui.screens.actions import MainActions
from widgets.bars import KeyBar, KeyItem, StatusBar
from widgets.lines import PAINT_SECONDS
from widgets.pane_frame import Tab

if TYPE_CHECKING:
    from studio.domain.events import Record
    from studio.domain.ids import RunId
    from studio.tui.shell import Shell
    from studio.tui.store import Store

__all__ = ["MainScreen"]

SIDE_COLUMNS = (32, 52)
SMALLEST = (40, 10)
"""Cells wide and high below which there is no room for a pane."""
TICK_SECONDS = 1.0
ANNOUNCE_SECONDS = 6.0


class MainScreen(MainActions, Screen[None]):
    """The panes, arranged for the size of the terminal.

    Keys: see `studio.tui.keys`, `screen.*`.
    """

    BINDINGS = list(bindings("screen"))

    PANE_TYPES: ClassVar[tuple[type[Pane], ...]] = (
        FilesPane,
        BriefPane,
        ReviewPane,
        TimelinePane,
        ConsolePane,
        ChecksPane,
    )
    """In the order the grid of three columns takes them."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.store = store
        self.recent = ["console", "checks", "files", "timeline", "review", "brief"]
        self.zoomed = False
        self._completed: set[str] = set()
        """Finished runs whose rows were asked for since the last snapshot."""
        self._dirty: Timer | None = None
        self._ticking: Timer | None = None
        self._layout_now: Layout | None = None
        self._arranged: tuple[Layout, int] | None = None

    @property
    def studio(self) -> Shell:
        """The app."""
        return cast("Shell", self.app)  # pyright: ignore[reportUnknownMemberType] only the studio's app pushes this screen

    def compose(self) -> ComposeResult:
        """Lay out, for the size there is: styling what is shown twice would be felt at the first paint."""
        layout = arrange(*self.app.size, self.recent, zoomed=False)  # pyright: ignore[reportUnknownMemberType] the app's own type does not matter
        self.add_class(f"-{layout.name}")
        yield StatusBar(header_items(self.store))
        yield Static(id="trouble", markup=False)
        yield Static(id="too-small", markup=False)
        with Container(id="panes"):
            for kind in self.PANE_TYPES:
                pane = kind(self.store)
                pane.display = kind.ID in layout.places
                yield pane
        yield KeyBar()

    def pane(self, id_: str) -> Pane:
        """Return a pane."""
        return self.query_one(f"#{id_}", Pane)

    @property
    def panes(self) -> list[Pane]:
        """All panes."""
        return [self.pane(pane.id) for pane in PANES]

    @property
    def focused_pane(self) -> Pane | None:
        """The pane that has the keys."""
        at = self.focused
        while at is not None and not isinstance(at, Pane):
            at = at.parent
        return at

    # Starting, and what happens.

    def on_mount(self) -> None:
        """Show the brief; connect once the first frame is out."""
        self.rearrange()
        self.pane("brief").enter()
        self.call_after_refresh(lambda: self.run_worker(self._follow(), group="bridge"))

    async def _follow(self) -> None:
        await asyncio.to_thread(_import_bridge)
        from studio.tui.bridge import follow

        await follow(self.store, self.studio.session_factory, self._happened, self._streamed)

    def _happened(self, records: Sequence[Record]) -> None:
        """Take in what was folded: put a new run in view if this person asked for none else, and present soon."""
        for record in records:
            if record.event.__class__.__name__ == "RunRequested" and self._follows_latest(record.actor):
                self.store.run_id = record.run
                self.store.tails.clear()
            if record.run == self.store.run_id:
                self._announce(record.event.__class__.__name__)
        if self.store.run is None:
            self.store.run_id = self.store.latest_run()
        if not records and self.store.connection == "live":
            self._completed.clear()
            brief = self.pane("brief")
            if isinstance(brief, BriefPane) and not brief.dirty:
                brief.act(brief.load(self.store.brief))
        self._soon()

    def _announce(self, kind: str) -> None:
        """Say what wants the person: the run in view ended, or it waits for an answer."""
        run = self.store.run
        if kind == "GateAnswered":
            self.app.clear_notifications()  # pyright: ignore[reportUnknownMemberType] the app's own type does not matter
        if run is not None and kind in {"RunFinished", "GateOpened"}:
            text, severity = announcement(run)
            self.notify(text, severity=severity, markup=False, timeout=ANNOUNCE_SECONDS)

    def _follows_latest(self, actor: str) -> bool:
        run = self.store.run
        return run is None or run.status.final or actor == self.store.name

    def _streamed(self, stream: str, data: bytes) -> None:
        console = self.pane("console")
        if isinstance(console, ConsolePane):
            console.stream(stream, data)
        if stream.startswith("call:"):
            self._soon()

    def _soon(self) -> None:
        """Present the store soon, once for all that happens until then."""
        if self._dirty is None and self.is_mounted:
            self._dirty = self.set_timer(PAINT_SECONDS, self.show_all)

    def show_all(self) -> None:
        """Present the store."""
        self._dirty = None
        self.query_one(StatusBar).set_items(header_items(self.store))
        trouble = self.query_one("#trouble", Static)
        said = trouble_said(self.store)
        trouble.set_class(bool(said), "-shown")
        trouble.update(Content(said))
        for pane in self.panes:
            pane.show()
        self._set_tabs()
        self._set_keys()
        run = self.store.run
        if run is not None and run.status.final and not run.rows and self.store.connection == "live":
            self.run_worker(guarded(self, self._complete(run.id)), group="complete", exclusive=True)
        if run is not None and run.status == "running" and self._ticking is None:
            self._ticking = self.set_timer(TICK_SECONDS, self._tick)

    async def _complete(self, run: RunId) -> None:
        """Fetch the rows of a finished run: a snapshot may leave them out."""
        from studio.protocol import commands as c

        if run in self._completed:
            return
        self._completed.add(run)
        whole = await self.store.host.ask(c.GetRun(run))
        if self.store.state is not None and run in self.store.state.runs and whole.rows:
            self.store.state.runs[run] = whole
            self.show_all()

    def _tick(self) -> None:
        """Let the durations of what runs go on; nothing ticks when nothing runs."""
        self._ticking = None
        self._soon()

    # Arranging.

    def rearrange(self) -> None:
        """Show the panes this size has room for."""
        tiny = self.size.width < SMALLEST[0] or self.size.height < SMALLEST[1]
        self.set_class(tiny, "-tiny")
        if tiny:
            here = f"{self.size.width}x{self.size.height}"
            wanted = f"{SMALLEST[0]}x{SMALLEST[1]}"
            self.query_one("#too-small", Static).update(Content(f"Too small: {here}.\nThe studio needs {wanted}."))
        layout = arrange(self.size.width, self.size.height, self.recent, zoomed=self.zoomed)
        arranged = (layout, self.studio.remembered.wider)
        if arranged == self._arranged:
            return
        self._arranged, self._layout_now = arranged, layout
        for name in ("wide", "medium", "narrow"):
            self.set_class(layout.name == name, f"-{name}")
        for pane in self.panes:
            pane.display = pane.ID in layout.places
        grid = self.query_one("#panes")
        if layout.name == "wide":
            more = self.studio.remembered.wider
            left, right = (max(20, width + more) for width in SIDE_COLUMNS)
            grid.styles.grid_columns = f"{left} 1fr {right}"  # pyright: ignore[reportAttributeAccessIssue] Textual reads the text
        else:
            grid.styles.clear_rule("grid_columns")
        self._set_tabs()

    def _set_tabs(self) -> None:
        if self._layout_now is None:
            return
        for shown, group in self._layout_now.places.items():
            titles = [pane for pane in PANES if pane.id in group]
            tabs = [
                Tab(pane.number, pane.title, pane.id == shown, f"screen.show('{pane.id}')", self._alert(pane.id))
                for pane in titles
            ]
            self.pane(shown).set_tabs(tabs)

    def _alert(self, pane: str) -> str:
        run = self.store.run
        if run is None:
            return ""
        if pane == "timeline" and run.gates:
            return " ?"
        if pane == "checks" and any(
            result.outcome == "failed" and result.check not in run.waived for result in run.checks.values()
        ):
            return " ✗"
        waits = pane == "review" and bool(run.changeset) and not run.landings
        return " ●" if waits else ""

    def _set_keys(self) -> None:
        pane = self.focused_pane
        keys = [*(keys_of(pane.ID) if pane is not None else ()), *keys_of("screen")]
        typing = isinstance(self.focused, TextArea)
        if typing:
            keys = [key for key in keys if key.id in {"screen.run", "screen.help"}]
        items = [
            KeyItem(_typed(key.keys) if typing else key_label(key.keys), key.label, key.id)
            for key in keys
            if key.footer and is_useful(key.id, self.store.run)
        ]
        if typing:
            items.insert(0, KeyItem("esc", "leave the editor", "screen.back"))
            items.insert(2, KeyItem("alt+1…6", "panes", "screen.help"))
        self.query_one(KeyBar).set_items(items)

    # Events.

    def on_resize(self, _event: events.Resize) -> None:
        """Arrange anew."""
        self.rearrange()

    def on_descendant_focus(self, _event: events.DescendantFocus) -> None:
        """Remember which pane was used last, and show its keys."""
        pane = self.focused_pane
        if pane is not None and self.recent[-1] != pane.ID:
            self.recent.remove(pane.ID)
            self.recent.append(pane.ID)
        self._set_keys()

    @on(KeyBar.Pressed)
    async def _key_pressed(self, event: KeyBar.Pressed) -> None:
        await self.press(event.id)

    @on(Pane.Reveal)
    def _reveal(self, event: Pane.Reveal) -> None:
        self.action_show(event.pane)
        self.pane(event.pane).reveal(event.path, event.line)

    @on(Pane.RunWanted)
    def _run_wanted(self, event: Pane.RunWanted) -> None:
        self.view_run(event.run)

    @on(BriefPane.ModelWanted)
    def _model_wanted(self) -> None:
        self.run_worker(guarded(self, self.choose_model()))

    def view_run(self, run: str) -> None:
        """Put a run in view."""
        self.store.run_id = run
        self.store.tails.clear()
        self.show_all()

    async def press(self, id_: str) -> None:
        """Do what the binding of that id does, in its pane."""
        key = next(key for key in KEYS if key.id == id_)
        if key.pane == "screen":
            await self.run_action(key.action)
            return
        pane = self.pane(key.pane)
        if self.focused_pane is not pane:
            self.action_show(key.pane)
        await pane.run_action(key.action)


def _typed(keys: str) -> str:
    """Return the key that works while typing."""
    return key_label(keys.rsplit(",", maxsplit=1)[-1])


def _import_bridge() -> None:
    """Import what the connection needs, off the loop."""
    importlib.import_module("studio.tui.bridge")
