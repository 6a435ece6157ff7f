"""The one registry of keys: binding ids feed the bindings, the footer, the palette and the help."""

from __future__ import annotations

import msgspec
from textual.binding import Binding

__all__ = ["KEYS", "PANES", "Key", "PaneInfo", "bindings", "key_label", "keys_of"]


class PaneInfo(msgspec.Struct, frozen=True):
    """A pane: its id, title and the number that shows it."""

    id: str
    title: str
    number: int


PANES = tuple(
    PaneInfo(title.lower(), title, number)
    for number, title in enumerate(("Brief", "Timeline", "Files", "Review", "Checks", "Console"), 1)
)


class Key(msgspec.Struct, frozen=True):
    """A binding. `id` is `pane.action`, or `screen.action` for what works everywhere."""

    id: str
    keys: str
    label: str
    tooltip: str
    action: str
    footer: bool = True

    @property
    def pane(self) -> str:
        """The pane it belongs to."""
        return self.id.split(".")[0]


KEYS: tuple[Key, ...] = (
    Key("brief.edit", "i,enter", "edit", "Write in the brief; esc leaves the editor", "edit"),
    Key("brief.choose", "b", "briefs", "Open another brief, or a new one", "choose"),
    Key("brief.model", "m", "model", "Choose the model the next run asks", "model"),
    Key("timeline.open", "enter", "open", "Show what was asked and what came back; answer a gate", "open"),
    Key("timeline.answer", "y", "answer", "Answer the open gate", "answer"),
    Key("timeline.tell", "t", "tell", "Tell the agents something; they read it between turns", "tell"),
    Key("timeline.failures", "f", "failures", "Show only failures and what waits", "failures"),
    Key("timeline.fork", "F", "fork", "Start a new run that reuses the stages before this one", "fork"),
    Key("timeline.resume", "S", "resume", "Let a stopped run go on from its last finished step", "resume"),
    Key("files.open", "enter", "open", "Read the file", "open"),
    Key("files.diff", "d", "diff", "Show the file's changes in Review", "diff"),
    Key("files.source", "w", "run/working tree", "Switch between the run's tree and the working tree", "source"),
    Key("review.accept", "a", "accept", "Accept the hunk, or the selected lines", "accept"),
    Key("review.reject", "x", "reject", "Reject the hunk, or the selected lines", "reject"),
    Key("review.lines", "v", "lines", "Begin or end selecting lines", "lines"),
    Key("review.accept_file", "A", "accept file", "Accept the file; edits and chosen lines stay", "accept_file"),
    Key("review.reject_file", "X", "reject file", "Reject the whole file", "reject_file"),
    Key("review.land", "L", "land", "Write what is accepted to the working tree, index, commit or branch", "land"),
    Key("review.undo", "u", "undo", "Undo the last landing, after showing what that writes", "undo"),
    Key("review.edit", "e", "edit", "Edit the hunk's new side, and accept that", "edit"),
    Key("review.comment", "c", "comment", "Remark on the hunk or line", "comment"),
    Key("review.revise", "R", "revise", "Start a run that is told what was rejected, and why", "revise"),
    Key("review.check", "full_stop", "check", "Run all checks on exactly what would land", "check"),
    Key("review.clear", "escape", "clear", "Select nothing", "clear", footer=False),
    Key("checks.open", "enter", "go to", "Go to the hunk or file; show output", "open"),
    Key("checks.rerun", "full_stop", "re-run", "Run the check again", "rerun"),
    Key("checks.waive", "w", "waive", "Let the failed check pass, with a reason and your name on it", "waive"),
    Key("console.input", "i", "command", "Type a command", "input"),
    Key("console.stop", "ctrl+x", "stop", "Stop the command", "stop"),
    Key("console.clear", "ctrl+l", "clear", "Clear the log", "clear"),
    Key("screen.cancel", "ctrl+x", "cancel", "Cancel the run", "cancel"),
    Key("screen.run", "r,ctrl+r", "run", "Run the brief", "run"),
    Key("screen.runs", "o", "runs", "Show another run", "runs"),
    Key("screen.zoom", "z", "zoom", "Give the pane all the room, or give it back", "zoom"),
    Key("screen.wider", "greater_than_sign", "wider", "Make the side columns wider", "resize(2)", footer=False),
    Key("screen.narrower", "less_than_sign", "narrower", "Make the side columns narrower", "resize(-2)", footer=False),
    Key("screen.theme", "T", "theme", "Use the next theme", "next_theme", footer=False),
    *(
        Key(f"screen.pane_{pane.id}", f"{pane.number},alt+{pane.number}", pane.title, f"Show {pane.title}",
            f"show('{pane.id}')", footer=False)
        for pane in PANES
    ),
    Key("screen.back", "escape", "back", "Leave the editor, the zoom, the selection", "back", footer=False),
    Key("screen.quit", "q,ctrl+q", "leave", "Leave the studio; a run goes on", "leave"),
    Key("screen.help", "question_mark,f1", "help", "Every key", "help"),
)  # fmt: skip

_NAMES = {
    "question_mark": "?",
    "full_stop": ".",
    "greater_than_sign": ">",
    "less_than_sign": "<",
    "escape": "esc",
}


def key_label(keys: str) -> str:
    """Return how the first of a binding's keys is written for people."""
    first = keys.split(",", maxsplit=1)[0]
    return _NAMES.get(first, first.replace("ctrl+", "^"))


def keys_of(pane: str) -> tuple[Key, ...]:
    """Return a pane's keys, in order."""
    return tuple(key for key in KEYS if key.pane == pane)


def bindings(pane: str) -> list[Binding]:
    """Return a pane's bindings."""
    return [
        Binding(key.keys, key.action, key.label, id=key.id, tooltip=key.tooltip, show=key.footer)
        for key in keys_of(pane)
    ]
