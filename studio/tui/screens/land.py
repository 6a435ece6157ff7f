"""The landing dialog: where to, with which message, under which verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Checkbox, Input, RadioButton, RadioSet, Static, TextArea

from widgets.ansi import clean

if TYPE_CHECKING:
    from studio.domain.changes import LandingTarget

__all__ = ["LandDialog", "Wanted"]

TARGETS = (
    ("worktree", "working tree", "files as you see them; nothing is staged"),
    ("index", "index", "staged, the working tree stays"),
    ("commit", "commit", "a commit on the current branch"),
    ("branch", "branch", "a commit on a new branch; nothing else changes"),
)


@dataclass(frozen=True, slots=True)
class Wanted:
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
        & RadioSet { border: none; background: $raised; width: 1fr; padding: 0; }
        & RadioButton { background: $raised; width: 1fr; }
        & Input { border: none; height: 1; background: $pane; padding: 0 1; margin-top: 1; }
        & TextArea { height: 4; border: none; background: $pane; padding: 0 1; margin-top: 1; }
        & Checkbox { border: none; background: $raised; padding: 0; }
    }
    """

    def __init__(self, about: str, tone: str, message: str, branch: str) -> None:
        super().__init__()
        self._about, self._tone, self._message, self._branch = about, tone, message, branch

    def compose(self) -> ComposeResult:
        """Lay out."""
        with Vertical() as frame:
            frame.border_title = Content("Land what is accepted")
            frame.border_subtitle = "tab next · space choose · ctrl+s land · esc cancel"
            yield Static(Content(self._about), classes=f"verdict -{self._tone}")
            with RadioSet():
                for at, (_, title, detail) in enumerate(TARGETS):
                    label = Content(f"{title:<13}") + Content(detail).stylize("$ink-soft")
                    yield RadioButton(label, value=at == 0)
            yield Input(placeholder=f"new branch's name (now on {clean(self._branch, 40) or 'no branch'})", id="branch")
            message = TextArea(self._message, show_line_numbers=False, id="message")
            message.cursor_blink = False
            yield message
            yield Checkbox("land although its checks failed or did not run", id="unchecked")
            yield Checkbox("land although another branch than the run's is checked out", id="elsewhere")

    def on_mount(self) -> None:
        """Show only what the target needs."""
        self._adapt(0)
        self.query_one(RadioSet).focus()

    def on_radio_set_changed(self, event: RadioSet.Changed) -> None:
        """Show only what the target needs."""
        self._adapt(event.index)

    def _adapt(self, index: int) -> None:
        kind = TARGETS[index][0]
        self.query_one("#branch").display = kind == "branch"
        self.query_one("#message").display = kind in {"commit", "branch"}

    def action_land(self) -> None:
        """Give the choice."""
        from studio.domain.changes import LandingTarget, TargetKind

        kind = TargetKind(TARGETS[max(0, self.query_one(RadioSet).pressed_index)][0])
        branch = self.query_one("#branch", Input).value.strip()
        if kind is TargetKind.BRANCH and not branch:
            self.notify("Name the new branch.", severity="warning")
            self.query_one("#branch").focus()
            return
        self.dismiss(
            Wanted(
                LandingTarget(kind, branch if kind is TargetKind.BRANCH else ""),
                self.query_one("#message", TextArea).text if kind in {TargetKind.COMMIT, TargetKind.BRANCH} else "",
                self.query_one("#unchecked", Checkbox).value,
                self.query_one("#elsewhere", Checkbox).value,
            )
        )
