"""What a conversation asks of the pipeline, what it is told back, and how it ends."""

from __future__ import annotations

from typing import TypeAlias

from studio.domain.edits import Edit, EditReport
from studio.domain.value import Value

__all__ = [
    "Action",
    "CheckArguments",
    "EditsResult",
    "Finish",
    "GiveUp",
    "Outcome",
    "OutlineArguments",
    "ReadArguments",
    "Result",
    "RunArguments",
    "SearchArguments",
    "ToolArguments",
    "ToolResult",
    "UseTool",
    "WriteEdits",
]


class ReadArguments(Value, frozen=True, tag="read", forbid_unknown_fields=True):
    """Read a file or some of its lines."""

    path: str
    start: int = 1
    """First line, 1-based."""
    end: int = 0
    """Last line, inclusive; 0 for the end of the file."""


class SearchArguments(Value, frozen=True, tag="search", forbid_unknown_fields=True):
    """Search the worktree's text files."""

    pattern: str
    """A regular expression."""
    glob: str = ""
    """Only paths matching this; empty for all."""


class OutlineArguments(Value, frozen=True, tag="outline", forbid_unknown_fields=True):
    """List the definitions of a file."""

    path: str


class RunArguments(Value, frozen=True, tag="run", forbid_unknown_fields=True):
    """Run a shell command in the sandbox, in the root of the worktree."""

    command: str


class CheckArguments(Value, frozen=True, tag="check", forbid_unknown_fields=True):
    """Run the checks on the worktree."""

    only: tuple[str, ...] = ()
    """Names of checks; empty for all that apply."""


ToolArguments: TypeAlias = ReadArguments | SearchArguments | OutlineArguments | RunArguments | CheckArguments


class UseTool(Value, frozen=True, tag="use-tool"):
    """Use a tool; its arguments are validated, its paths and commands are not: they are a model's."""

    call: str
    """Unique within the conversation."""
    name: str
    arguments: ToolArguments


class WriteEdits(Value, frozen=True, tag="write-edits"):
    """Apply all of these, or none."""

    call: str
    edits: tuple[Edit, ...]


Action: TypeAlias = UseTool | WriteEdits


class ToolResult(Value, frozen=True, tag="tool"):
    """What a tool answered: text for the model, bounded by the conversation."""

    call: str
    text: str
    ok: bool = True


class EditsResult(Value, frozen=True, tag="edits"):
    """What became of the edits."""

    call: str
    report: EditReport


Result: TypeAlias = ToolResult | EditsResult


class Finish(Value, frozen=True, tag="finish"):
    """The agent is done."""

    summary: str


class GiveUp(Value, frozen=True, tag="give-up"):
    """The agent cannot go on; edits applied so far stay in the worktree."""

    reason: str


Outcome: TypeAlias = Finish | GiveUp
