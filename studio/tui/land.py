"""The landing dialog: where to, with which message, under which verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import msgspec
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static, TextArea
from textual.widgets.option_list import Option

from widgets.ansi import clean
from widgets.dialogs import Options, Tick

if TYPE_CHECKING:
    from studio.domain.changes import LandingTarget

__all__ = ["LandDialog", "Wanted"]

TARGETS = (
    ("worktree", "working tree", "files as you see them; nothing is staged"),
    ("index", "index", "staged, the working tree stays"),
    ("commit", "commit", "a commit on the current branch"),
    ("branch", "branch", "a commit on a new branch; nothing else changes"),
)


class Wanted(msgspec.Struct, frozen=True):
    """What was chosen."""

    target: LandingTarget
    message: str
    unchecked: bool
    elsewhere: bool


class LandDialog(ModalScreen[Wanted | None]):
    """Ask how to land. ctrl+s lands, escape leaves."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "land", "Land", id="land.land", priority=True),
        Binding("escape", "dismiss(None)", "Cancel", id="land.cancel", priority=True),
        # A quick hand presses these before the list has the focus; none of them may be lost.
        Binding("j,down", "move(1)", "Next target", id="land.next", show=False),
        Binding("k,up", "move(-1)", "Previous target", id="land.previous", show=False),
    ]
    DEFAULT_CSS = """
    LandDialog {
        align: center middle; background: $ground 60%;
        & > Vertical {
            width: 84; max-width: 96%; height: auto; max-height: 96%; background: $raised; border: round $focus;
            border-title-color: $focus; border-subtitle-color: $ink-soft; padding: 0 2; overflow-y: auto;
        }
        & .verdict { margin-bottom: 1; height: auto; }
        & .-done { color: $done; } & .-failed { color: $failed; } & .-waiting { color: $waiting; }
        & OptionList { border: none; background: $raised; height: auto; padding: 0; }
        & OptionList:focus { border: none; }
        & Input { border: none; height: 1; background: $pane; padding: 0 1; margin-top: 1; }
        & TextArea { height: 4; border: none; background: $pane; padding: 0 1; margin-top: 1; }
        & Tick { margin-top: 1; }
        & #elsewhere { margin-top: 0; }
    }
    """

    def __init__(self, about: str, tone: str, message: str, branch: str) -> None:
        super().__init__()
        self._about, self._tone, self._message, self._branch = about, tone, message, branch

    def compose(self) -> ComposeResult:
        """Lay out."""
        with Vertical() as frame:
            frame.border_title = Content("Land what is accepted")
            frame.border_subtitle = "↑ ↓ target · tab next · space tick · ctrl+s land · esc cancel"
            yield Static(Content(self._about), classes=f"verdict -{self._tone}")
            yield Options(*(Option(f"{title:<13}{detail}") for _, title, detail in TARGETS), markup=False)
            yield Input(placeholder=f"new branch's name (now on {clean(self._branch, 40) or 'no branch'})", id="branch")
            message = TextArea(self._message, show_line_numbers=False, id="message")
            message.cursor_blink = False
            yield message
            yield Tick("land although its checks failed or did not run", id="unchecked")
            yield Tick("land although another branch than the run's is checked out", id="elsewhere")

    def on_mount(self) -> None:
        """Show only what the target needs."""
        targets = self.query_one(OptionList)
        targets.highlighted = 0
        targets.focus()

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Show only what the target needs."""
        self._adapt(event.option_index)

    def on_option_list_option_selected(self) -> None:
        """Land on the chosen target."""
        self.action_land()

    def _adapt(self, index: int) -> None:
        kind = TARGETS[index][0]
        self.query_one("#branch").display = kind == "branch"
        self.query_one("#message").display = kind in {"commit", "branch"}

    def action_move(self, by: int) -> None:
        """Choose the next target, or the one before."""
        targets = self.query_one(OptionList)
        targets.highlighted = max(0, min((targets.highlighted or 0) + by, len(TARGETS) - 1))

    def action_land(self) -> None:
        """Give the choice."""
        from studio.domain.changes import LandingTarget, TargetKind

        kind = TargetKind(TARGETS[self.query_one(OptionList).highlighted or 0][0])
        branch = self.query_one("#branch", Input).value.strip()
        if kind is TargetKind.BRANCH and not branch:
            self.notify("Name the new branch.", severity="warning")
            self.query_one("#branch").focus()
            return
        self.dismiss(
            Wanted(
                LandingTarget(kind, branch if kind is TargetKind.BRANCH else ""),
                self.query_one("#message", TextArea).text if kind in {TargetKind.COMMIT, TargetKind.BRANCH} else "",
                self.query_one("#unchecked", Tick).ticked,
                self.query_one("#elsewhere", Tick).ticked,
            )
        )
