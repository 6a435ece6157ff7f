"""The Review pane: decide hunk by hunk and line by line, then land."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult

from studio.tui.panes.base import Pane, answered
from studio.tui.present.text import plural
from studio.tui.store import Store
from widgets.diff_data import DiffFile, DiffHunk
from widgets.diff_view import DiffView

if TYPE_CHECKING:
    from studio.domain.changes import Decision
    from studio.domain.state import RunState

__all__ = ["ReviewPane"]

EMPTY = "No change set yet.\n\nWhen a run proposes one, decide here on each hunk or line; nothing touches your files before you land it."


class ReviewPane(Pane):
    """Shows and decides the change set.

    Keys: see `studio.tui.keys`, `review.*`, and `widgets.diff_view` for moving.
    """

    ID: ClassVar[str] = "review"

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._shown: tuple[object, ...] = ()
        self._asked: tuple[str, str] = ("", "")
        self._wanted: tuple[str, int] = ("", 0)
        self._files: tuple[DiffFile, ...] = ()

    def compose(self) -> ComposeResult:
        """Lay out."""
        yield DiffView(empty=EMPTY)

    @property
    def view(self) -> DiffView:
        """The diff."""
        return self.query_one(DiffView)

    def enter(self) -> None:
        """Take the keys."""
        self.view.focus()

    def show(self) -> None:
        """Present the change set and the decisions; fetch the change set when there is a new one."""
        from studio.tui.present import review as present

        run = self.store.run
        wanted = (str(run.id), str(run.changeset)) if run is not None and run.changeset else ("", "")
        if wanted != self.store.changes_of:
            self.store.changes, self.store.changes_of = None, wanted
        if run is None or not run.changeset:
            self._present((), None)
            self.view.empty = EMPTY
            self.set_subtitle("")
            return
        if self.store.changes is None:
            self.view.empty = "The change set is being read …"
            if self._asked != wanted and self.store.connection == "live":
                self._asked = wanted
                self.act(self._fetch(run))
            return
        self._present((wanted, len(run.remarks)), run)
        self.view.set_marks(present.diff_marks(run))
        said = present.verdict(run, self.store.changes).text
        parts = (present.landing_said(run), present.counts(run, self.store.changes), said)
        self.set_subtitle(" │ ".join(part for part in parts if part))

    def _present(self, shown: tuple[object, ...], run: RunState | None) -> None:
        from studio.tui.present import review as present

        if shown == self._shown:
            return
        self._shown = shown
        self._files = present.diff_files(self.store.changes) if self.store.changes is not None and run else ()
        self.view.set_files(self._files, present.diff_remarks(run) if run is not None else {})
        if self._files and self._wanted[0]:
            self.view.go_to_line(*self._wanted)
            self._wanted = ("", 0)

    async def _fetch(self, run: RunState) -> None:
        from studio.protocol import commands as c

        asked = self._asked
        try:
            changes = await self.store.host.ask(c.GetChangeSet(run.id))
        except BaseException:
            self._asked = ("", "")
            raise
        if self.store.changes_of == asked:
            self.store.changes = changes
            self._asked = ("", "")
            self.show()

    def reveal(self, path: str, line: int) -> None:
        """Go to a line of a file, now or when the change set is there."""
        if self._files:
            self.view.go_to_line(path, line)
        else:
            self._wanted = (path, line)

    # Deciding.

    def _decide(self, hunks: Iterable[tuple[DiffHunk, str, tuple[int, ...]]]) -> None:
        from studio.domain.changes import Decision, Verdict
        from studio.domain.ids import HunkId

        made = [Decision(HunkId(hunk.key), Verdict(verdict), lines) for hunk, verdict, lines in hunks]
        if made:
            self.act(self._record(made))

    async def _record(self, made: list[Decision]) -> None:
        from studio.protocol import commands as c

        run = self.store.run
        if run is not None:
            await self.store.host.ask(c.Decide(run.id, tuple(made)))

    def _one(self, *, take: bool) -> None:
        from studio.tui.present.review import choose_lines

        hunk, chosen = self.view.hunk, self.view.selected
        if hunk is None:
            self._whole(take=take)
            return
        if self.view.selecting and not any(hunk.lines[at].op != " " for at in chosen):
            self.notify("Select a line that is added or removed.", severity="warning")
            return
        if chosen:
            verdict, lines = choose_lines(hunk, self.view.mark(hunk.key), chosen, take=take)
            self._decide([(hunk, verdict, lines)])
            self.view.clear_selection()
            return
        self._decide([(hunk, "accepted" if take else "rejected", ())])
        self.view.action_hunk(1)

    def _whole(self, *, take: bool) -> None:
        file = self.view.file
        if file is None:
            return
        keep = [
            hunk.key
            for hunk in file.hunks
            if take and (self.view.mark(hunk.key).state == "edited" or self.view.mark(hunk.key).lines is not None)
        ]
        self._decide((hunk, "accepted" if take else "rejected", ()) for hunk in file.hunks if hunk.key not in keep)

    def action_accept(self) -> None:
        """Accept the hunk or the selected lines."""
        self._one(take=True)

    def action_reject(self) -> None:
        """Reject the hunk or the selected lines."""
        self._one(take=False)

    def action_accept_file(self) -> None:
        """Accept the file; edits and chosen lines stay."""
        self._whole(take=True)

    def action_reject_file(self) -> None:
        """Reject the file."""
        self._whole(take=False)

    def action_lines(self) -> None:
        """Begin or end selecting lines."""
        self.view.action_select()

    def action_clear(self) -> None:
        """Select nothing; without a selection, go back."""
        if self.view.selected:
            self.view.clear_selection()
        else:
            self.screen.run_worker(self.run_action("screen.back"))

    # Editing and remarks.

    def action_edit(self) -> None:
        """Edit the hunk's new side."""
        self.act(self._edit())

    async def _edit(self) -> None:
        from studio.domain.changes import Decision, Verdict
        from studio.domain.ids import HunkId
        from studio.tui.present.review import new_side
        from widgets.dialogs import AskText

        hunk, file = self.view.hunk, self.view.file
        if hunk is None or file is None or not hunk.lines:
            self.notify("Put the cursor on a hunk with lines.", severity="warning")
            return
        about = "The new side of the hunk, context included. What you write here is what is accepted."
        text = await answered(self, AskText(f"Edit {file.path}:{hunk.new_start}", about, new_side(hunk)))
        if text is not None:
            await self._record([Decision(HunkId(hunk.key), Verdict.EDITED, text=text)])

    def action_comment(self) -> None:
        """Remark on the hunk or line."""
        self.act(self._comment())

    async def _comment(self) -> None:
        from studio.domain.changes import Remark
        from studio.domain.ids import HunkId
        from studio.protocol import commands as c
        from widgets.dialogs import AskLine

        hunk, place, run = self.view.hunk, self.view.place, self.store.run
        if hunk is None or place is None or run is None:
            return
        text = await answered(self, AskLine("Comment", "Shown to everyone; `revise` shows it to the model."))
        if text and text.strip():
            remark = Remark(self.store.name, text.strip(), HunkId(hunk.key), place.line)
            await self.store.host.ask(c.MakeRemark(run.id, remark))

    def action_revise(self) -> None:
        """Start a run that is told what was rejected."""
        self.act(self._revise())

    async def _revise(self) -> None:
        from studio.protocol import commands as c
        from widgets.dialogs import AskLine

        run = self.store.run
        if run is None or not run.changeset:
            return
        about = "A new run is told what you rejected, edited and remarked. Anything to add?"
        note = await answered(self, AskLine("Revise", about))
        if note is not None:
            started = await self.store.host.ask(c.ReviseRun(run.id, note))
            self.post_message(self.RunWanted(started.run))

    def action_check(self) -> None:
        """Run all checks on what would land."""
        self.act(self._check())

    async def _check(self) -> None:
        from studio.protocol import commands as c

        run = self.store.run
        if run is not None and run.changeset:
            self.set_subtitle("All checks run on what would land …")
            await self.store.host.ask(c.CheckSubset(run.id))
            self.show()

    # Landing and undo.

    def action_land(self) -> None:
        """Land what is accepted."""
        self.act(self._land())

    async def _land(self) -> None:
        from studio.protocol import commands as c
        from studio.tui.land import LandDialog
        from studio.tui.present import review as present

        run = self.store.run
        if run is None or not run.changeset:
            self.notify("There is no change set to land.", severity="warning")
            return
        said = present.verdict(run, self.store.changes)
        if not said.count:
            self.notify("Accept something first: a accepts the hunk.", severity="warning")
            return
        about = f"{present.counts(run, self.store.changes)}\n{said.text}"
        wanted = await answered(self, LandDialog(about, said.tone, run.title or run.brief, run.branch))
        if wanted is None:
            return
        landed = await self.store.host.ask(
            c.Land(run.id, wanted.target, wanted.message, wanted.unchecked, wanted.elsewhere)
        )
        self.say(f"Landed {present.landed(landed.landing)}. u undoes it.")

    def action_undo(self) -> None:
        """Undo the last landing after showing what that writes."""
        self.act(self._undo())

    async def _undo(self) -> None:
        from studio.protocol import commands as c
        from widgets.dialogs import ConfirmPatch

        preview = await self.store.host.ask(c.PreviewUndo())
        about = "Undoing writes exactly this, and can be undone itself."
        if await answered(self, ConfirmPatch("Undo the last landing", about, preview.text)):
            landed = await self.store.host.ask(c.Undo())
            self.say(f"Undone in {plural(len(landed.landing.files), 'file')}; u brings it back.")
