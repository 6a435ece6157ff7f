"""The Files pane: the run's tree, or the working tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult

from studio.tui.panes.base import Pane, answered
from studio.tui.store import Store
from widgets.file_tree_view import FileTreeView
from widgets.tree_lines import TreeLines

if TYPE_CHECKING:
    from studio.domain.ids import RunId

__all__ = ["FilesPane"]


class FilesPane(Pane):
    """Shows files with what changed.

    Keys: see `studio.tui.keys`, `files.*`.
    """

    ID: ClassVar[str] = "files"

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._working_tree = False
        self._listed: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        """Lay out."""
        yield FileTreeView(empty="The files show here once the host answers.")

    @property
    def view(self) -> FileTreeView:
        """The tree."""
        return self.query_one(FileTreeView)

    def enter(self) -> None:
        """Take the keys."""
        self.view.focus()

    @property
    def source(self) -> RunId:
        """The run whose tree is shown; empty for the working tree."""
        from studio.domain.ids import RunId

        run = self.store.run
        return run.id if run is not None and run.changeset and not self._working_tree else RunId("")

    def show(self) -> None:
        """List the files anew when what is shown may have changed."""
        if self.store.state is None or self.store.connection != "live":
            return
        run, source = self.store.run, self.source
        wanted = (source, run.changeset if run else "", len(run.landings) if run and not source else 0)
        if wanted != self._listed:
            self._listed = wanted
            self.act(self._list())

    async def _list(self) -> None:
        from studio.protocol import commands as c
        from studio.tui.present.files import file_rows

        source = self.source
        self.view.empty = "There is no file here yet."
        try:
            entries = (await self.store.host.ask(c.ListFiles(source))).files
        except BaseException:
            self._listed = ()
            raise
        self.view.set_items(file_rows(entries))
        marked = sum(bool(entry.mark) for entry in entries)
        tree = "run's tree" if source else "working tree"
        self.set_subtitle(f"{tree} · {marked} changed")

    @on(TreeLines.Picked)
    def _picked(self, event: TreeLines.Picked) -> None:
        event.stop()
        self.action_open()

    def reveal(self, path: str, line: int) -> None:  # noqa: ARG002 - the tree shows files
        """Go to a file."""
        self.view.go_to(path)

    # Actions.

    def action_open(self) -> None:
        """Read the file."""
        row = self.view.current
        if row is not None and row.directory:
            self.view.action_toggle_fold()
        elif row is not None:
            self.act(self._open(row.key))

    async def _open(self, path: str) -> None:
        from studio.protocol import commands as c
        from widgets.dialogs import ShowText

        blob = await self.store.host.ask(c.ReadFile(path, self.source))
        if b"\0" in blob.data[:8192]:
            text = f"A binary file of {blob.size} bytes."
        else:
            over = blob.size - len(blob.data)
            text = blob.data.decode("utf-8", "replace") + (f"\n… {over} more bytes" if over > 0 else "")
        await answered(self, ShowText(path, text))

    def action_diff(self) -> None:
        """Show the file's changes."""
        row = self.view.current
        if row is None or row.directory or not row.mark:
            self.notify("Put the cursor on a changed file.", severity="warning")
            return
        self.post_message(self.Reveal("review", row.key))

    def action_source(self) -> None:
        """Switch between the run's tree and the working tree."""
        self._working_tree = not self._working_tree
        self.show()
