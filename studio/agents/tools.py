"""The tools agents may call: their schemas, and reading the arguments models give."""

from __future__ import annotations

import json
from typing import Any, cast

import msgspec

from studio.agents.actions import (
    CheckArguments,
    OutlineArguments,
    ReadArguments,
    RunArguments,
    SearchArguments,
    ToolArguments,
)
from studio.domain.edits import DeleteFile, Edit, RenameFile, SearchReplace, WholeFile
from studio.domain.models import ToolSpec
from studio.domain.value import Value

__all__ = ["TOOL_NAMES", "BadCall", "EditCall", "read_call", "tool_specs"]

_KINDS: dict[str, type[ToolArguments]] = {
    "read": ReadArguments,
    "search": SearchArguments,
    "outline": OutlineArguments,
    "run": RunArguments,
    "check": CheckArguments,
}
TOOL_NAMES = ("read", "search", "outline", "edit", "run", "check")


class EditCall(Value, frozen=True):
    """A call of the edit tool."""

    edit: Edit
    done: bool = False
    """The model says that its work is complete once this is applied."""


class BadCall(Value, frozen=True):
    """A call that cannot be understood, and what to tell the model."""

    message: str


class _EditArguments(Value, frozen=True, forbid_unknown_fields=True):
    path: str
    search: str | None = None
    replace: str | None = None
    append: str | None = None
    content: str | None = None
    delete: bool = False
    rename_to: str | None = None
    done: bool = False


def _text(description: str) -> dict[str, str]:
    return {"type": "string", "description": description}


_PATH = _text("Path relative to the repository's root, with forward slashes.")
_SCHEMAS: dict[str, tuple[str, dict[str, Any], tuple[str, ...]]] = {
    "read": (
        "Read a text file, or some of its lines.",
        {
            "path": _PATH,
            "start": {"type": "integer", "minimum": 1, "description": "First line, 1-based."},
            "end": {"type": "integer", "minimum": 0, "description": "Last line, inclusive; 0 for the end of the file."},
        },
        ("path",),
    ),
    "search": (
        "Search all text files by regular expression; answers path:line: text.",
        {"pattern": _text("A regular expression."), "glob": _text("Only paths that match, for instance src/**/*.py.")},
        ("pattern",),
    ),
    "outline": ("List the definitions of a file with their lines.", {"path": _PATH}, ("path",)),
    "edit": (
        (
            "Change one file in one of five ways: `search` and `replace` (search: whole lines that occur exactly once, copied "
            "from the file), `content` (a new file, or all of an existing one), `append`, `delete`, or `rename_to`. All edits of "
            "one reply are applied together or not at all."
        ),
        {
            "path": _PATH,
            "search": _text("Lines of the file as they are now; enough of them to be unique."),
            "replace": _text("What stands there instead. Empty deletes the lines."),
            "content": _text("The complete text of the file."),
            "append": _text("Text to add at the end of the file."),
            "delete": {"type": "boolean", "description": "Delete the file."},
            "rename_to": _text("New path of the file."),
            "done": {"type": "boolean", "description": "True in your last edit: the task is complete with it."},
        },
        ("path",),
    ),
    "run": (
        "Run a shell command in the root of the worktree, in a sandbox without network.",
        {"command": _text("The command, for instance `python -m pytest -q tests/test_store.py`.")},
        ("command",),
    ),
    "check": (
        "Run the project's checks (syntax, lint, types, security, tests) on the worktree as it is now.",
        {"only": {"type": "array", "items": {"type": "string"}, "description": "Names of checks; none for all."}},
        (),
    ),
}


def tool_specs(names: tuple[str, ...]) -> tuple[ToolSpec, ...]:
    """Return the specifications of the named tools, in that order."""
    return tuple(_spec(name) for name in names)


def _spec(name: str) -> ToolSpec:
    description, properties, required = _SCHEMAS[name]
    schema = {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }
    return ToolSpec(name, description, json.dumps(schema))


def read_call(name: str, arguments: str, allowed: tuple[str, ...]) -> ToolArguments | EditCall | BadCall:
    """Return a call's arguments, validated."""
    if name not in allowed:
        return BadCall(f"There is no tool {name[:60]!r}. The tools are: {', '.join(allowed)}.")
    try:
        loaded: Any = msgspec.json.decode(arguments.strip() or "{}")
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        return BadCall(
            f"The arguments of {name} are not JSON ({error}). Call it again with one JSON object; escape quotes, "
            "backslashes and newlines inside strings."
        )
    if not isinstance(loaded, dict):
        return BadCall(f"The arguments of {name} have to be one JSON object.")
    fields = cast("dict[str, Any]", loaded)
    try:
        if name == "edit":
            return _edit_call(msgspec.convert(fields, _EditArguments))
        return msgspec.convert({**fields, "type": name}, _KINDS[name])
    except msgspec.ValidationError as error:
        required = ", ".join(_SCHEMAS[name][2]) or "none"
        return BadCall(
            f"The arguments of {name} are not as its schema says: {error}. "
            f"It takes {', '.join(_SCHEMAS[name][1])}; required: {required}."
        )


def _edit_call(given: _EditArguments) -> EditCall | BadCall:
    ways: list[Edit] = []
    if given.content is not None:
        ways.append(WholeFile(given.path, given.content))
    if given.append is not None:
        ways.append(SearchReplace(given.path, "", given.append, append=True))
    if given.delete:
        ways.append(DeleteFile(given.path))
    if given.rename_to is not None:
        ways.append(RenameFile(given.path, given.rename_to))
    if given.search is not None and given.replace is not None:
        ways.append(SearchReplace(given.path, given.search, given.replace))
    elif (given.search is None) != (given.replace is None):
        return BadCall("`edit` needs `search` and `replace` together; for a whole file give `content` instead.")
    if len(ways) != 1:
        return BadCall(
            "`edit` changes a file in exactly one way a call: `search` with `replace`, or `content`, or `append`, or "
            f"`delete`, or `rename_to`. This call gave {len(ways)} of them."
        )
    return EditCall(ways[0], given.done)
