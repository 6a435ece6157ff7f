"""The Brief pane: the editor, what its front matter lacks, and saving."""

from __future__ import annotations

from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.content import Content
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Static, TextArea

from studio.tui.panes.base import Pane, answered
from studio.tui.store import Store

__all__ = ["BriefEditor", "BriefPane"]

SAVE_SECONDS = 2.0
PARSE_SECONDS = 0.3
NEW = "\0new"


class BriefEditor(TextArea):
    """The text of the brief."""

    @property
    def text_or_none(self) -> str | None:
        """The text, None if there is nothing but white space."""
        return self.text if self.text.strip() else None


class BriefPane(Pane):
    """Writes a brief; it is saved as you write.

    Keys: see `studio.tui.keys`, `brief.*`.
    """

    ID: ClassVar[str] = "brief"

    class ModelWanted(Message):
        """Asks for the model of the next run to be chosen."""

    DEFAULT_CSS = """
    BriefPane {
        & BriefEditor { border: none; background: $pane; padding: 0 1; height: 1fr; }
        & BriefEditor:focus { border: none; }
        & #brief-state { height: 1; color: $ink-soft; padding: 0 1; }
        & #brief-state.-bad { color: $failed; }
        & #brief-state.-good { color: $done; }
    }
    """

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.can_focus = True
        self._saved = ""
        self._revision = ""
        self._saving: Timer | None = None
        self._parsing: Timer | None = None

    def compose(self) -> ComposeResult:
        """Lay out."""
        editor = BriefEditor(
            "",
            soft_wrap=True,
            show_line_numbers=False,
            placeholder="Write in plain words what you want, then press esc and r (or ctrl+r) to run it.",
        )
        editor.cursor_blink = False
        editor.highlight_cursor_line = False
        yield editor
        yield Static("", id="brief-state", markup=False)

    @property
    def editor(self) -> BriefEditor:
        """The editor."""
        return self.query_one(BriefEditor)

    @property
    def dirty(self) -> bool:
        """Whether there is text that was not saved."""
        return self.editor.text != self._saved

    @property
    def names_model(self) -> bool:
        """Whether the brief's front matter says which model to ask."""
        from studio.domain.brief import parse_brief
        from studio.domain.errors import BriefError

        try:
            return bool(parse_brief(self.store.brief or "brief", self.editor.text).front.models)
        except BriefError:
            return False  # the host says what is wrong with it

    def enter(self) -> None:
        """Take the keys: the editor for an empty brief, else the pane."""
        (self if self.editor.text_or_none else self.editor).focus()

    def show(self) -> None:
        """Take in a revision somebody else saved, unless there is unsaved text here."""
        self._say_name()
        known = self.store.state.briefs.get(self.store.brief) if self.store.state is not None else None  # pyright: ignore[reportCallIssue, reportArgumentType] a name as text
        if known is None or not known.revisions:
            return
        revision = known.revisions[-1][0]
        if revision == self._revision:
            return
        self._revision = revision
        if not self.dirty:
            self.act(self.load(self.store.brief))

    def _say_name(self) -> None:
        self.set_subtitle((self.store.brief or "a new brief") + (" · not saved yet" if self.dirty else ""))

    async def load(self, name: str) -> None:
        """Open the brief of that name, or the first there is."""
        from studio.protocol import commands as c

        found = (await self.store.host.ask(c.ListBriefs())).briefs
        chosen = next((brief for brief in found if brief.name == name), found[0] if found and not name else None)
        if chosen is not None and not self.dirty:
            self.fill(chosen.name, chosen.text, chosen.revision)

    def fill(self, name: str, text: str, revision: str = "") -> None:
        """Show a brief as saved."""
        self.store.brief, self._saved = name, text
        self._revision = revision or self._revision
        if self.editor.text != text:
            at, was_empty = self.editor.cursor_location, self.editor.text_or_none is None
            self.editor.load_text(text)
            self.editor.move_cursor(at)
            if was_empty and text.strip() and self.editor.has_focus:
                self.focus()
        self._parse()
        self.set_subtitle(name)

    async def save(self) -> None:
        """Save the brief now, if it changed."""
        from studio.protocol import commands as c

        text = self.editor.text
        if text == self._saved or not text.strip():
            return
        self.store.brief = self.store.brief or "brief"
        kept = await self.store.host.ask(c.SaveBrief(self.store.brief, text))
        self._saved, self._revision = text, kept.revision
        self.set_subtitle(self.store.brief)

    # Events.

    @on(TextArea.Changed)
    def _changed(self) -> None:
        if self._parsing is None:
            self._parsing = self.set_timer(PARSE_SECONDS, self._parse)
        if self.dirty:
            if self._saving is not None:
                self._saving.stop()
            self._saving = self.set_timer(SAVE_SECONDS, self._save_soon)
            self._say_name()

    def _save_soon(self) -> None:
        if self.store.connection == "live":
            self.act(self.save())

    def _parse(self) -> None:
        self._parsing = None
        from studio.domain.brief import parse_brief
        from studio.domain.errors import BriefError

        line = self.query_one("#brief-state", Static)
        if self.editor.text_or_none is None:
            line.update(Content(""))
            return
        try:
            brief = parse_brief(self.store.brief or "brief", self.editor.text)
        except BriefError as error:
            line.set_classes("-bad")
            line.update(Content(f"✗ {error.what} {error.do}"))
            return
        line.set_classes("")
        front = brief.front
        facts = [f"{len(brief.sentences)} sentences", f"depth {front.depth}"]
        facts += [f"budget ${front.budget:g}"] if front.budget is not None else []
        facts += [f"accept {len(front.accept)}"] if front.accept else []
        line.update(Content("✓ " + " · ".join(facts)))

    def on_descendant_blur(self, _event: events.DescendantBlur) -> None:
        """Save when the editor is left."""
        if self.dirty:
            self._save_soon()

    # Actions.

    def action_edit(self) -> None:
        """Go into the editor."""
        self.editor.focus()

    def action_choose(self) -> None:
        """Choose a brief."""
        self.act(self._choose())

    async def _choose(self) -> None:
        from studio.protocol import commands as c
        from widgets.dialogs import AskLine, Choice, Choose

        await self.save()
        found = {brief.name: brief for brief in (await self.store.host.ask(c.ListBriefs())).briefs}
        choices = [Choice(name, name, _first_line(brief.text)) for name, brief in found.items()]
        key = await answered(self, Choose("Briefs", [*choices, Choice(NEW, "New brief …")], start=self.store.brief))
        if key == NEW:
            name = await answered(self, AskLine("New brief", placeholder="its name, for instance: expiry"))
            if name and name.strip():
                self.fill(_file_name(name), "", "")
                self.editor.focus()
        elif key is not None:
            self.fill(key, found[key].text, found[key].revision)

    def action_model(self) -> None:
        """Choose the model of the next run."""
        self.post_message(self.ModelWanted())


def _first_line(text: str) -> str:
    body = text.split("---\n", 2)[-1] if text.startswith("---\n") else text
    return next((line.strip("# ").strip()[:60] for line in body.splitlines() if line.strip()), "")


def _file_name(name: str) -> str:
    kept = "".join(char if char.isalnum() or char in "-_" else "-" for char in name.strip().lower())
    return kept.strip("-") or "brief"
