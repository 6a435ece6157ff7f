"""The reference pages of the docs, made from the code: `python -m studio.cli.reference docs/reference` writes them."""

from __future__ import annotations

import argparse
import ast
import inspect
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from studio.cli import COMMANDS, make_parser
from studio.cli.summary import FinishedRun
from studio.domain.brief import FrontMatter
from studio.domain.config import Config, Environment, MemoryConfig, ModelConfig
from studio.domain.events import EVENT_KINDS
from studio.domain.runs import Budget
from studio.domain.value import Value

__all__ = ["pages"]

_MADE = "<!-- Made by `make docs`. -->\n"


def pages() -> dict[str, str]:
    """Return every page's text by its file name."""
    return {
        "commands.md": _commands(),
        "configuration.md": _configuration(),
        "events.md": _events(),
        "run-finished.schema.json": _schema(),
    }


def _events() -> str:
    lines = [
        "# Events",
        "",
        _MADE,
        "All that happens is an event, appended to one log and never changed. `studio events RUN --json` prints records:",
        "`seq` (1-based, without gaps), `at` (Unix seconds), `kind`, `payload` (the event; `null` if it was erased), and",
        "where they apply `run`, `step`, `n` (the event's number in its step) and `actor`. Fields at their default are not",
        "written. Kinds and fields that a reader does not know are to be passed over.",
        "",
        "| kind | says | fields |",
        "|---|---|---|",
    ]
    for kind, event in EVENT_KINDS.items():
        fields = " ".join(f"`{name}`" for name in event.__struct_fields__)
        lines.append(f"| `{kind}` | {_first_line(event)} | {fields} |")
    return "\n".join([*lines, ""])


def _first_line(kind: type[Any]) -> str:
    return (inspect.getdoc(kind) or "").partition("\n")[0]


def _configuration() -> str:
    parts = [
        "# Configuration",
        "",
        _MADE,
        "`config.toml` in `$XDG_CONFIG_HOME/quantumlayer-studio` (`~/.config/quantumlayer-studio`) is yours; the one in a",
        "repository's `.studio/` overrides it key by key. A key that is not listed here is an error.",
        "",
        *_table("config.toml", Config),
        *_table("[models]", ModelConfig),
        *_table("[memory]", MemoryConfig),
        *_table("[budget]", Budget),
        *_table(".studio/environment.toml", Environment),
        *_table("The front matter of a brief", FrontMatter),
    ]
    return "\n".join(parts)


def _table(title: str, kind: type[Value]) -> Iterator[str]:
    yield from (f"## {title}", "", _first_line(kind), "", "| key | default | says |", "|---|---|---|")
    said = _field_docs(kind)
    for field in msgspec.structs.fields(kind):
        default = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
        shown = "its own table" if isinstance(default, Value) else f"`{_toml(default)}`"
        yield f"| `{field.name}` | {shown} | {said.get(field.name, '')} |"
    yield ""


def _toml(value: object) -> str:
    match value:
        case None:
            return "not set"
        case bool():
            return str(value).lower()
        case tuple() | list() | dict():
            return "[]" if not isinstance(value, dict) else "{}"
        case str():
            return f'"{value}"'
        case _:
            return str(value)


def _field_docs(kind: type[Value]) -> dict[str, str]:
    """Return the strings that stand below a class's fields, by field."""
    body = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    docs: dict[str, str] = {}
    field = ""
    for node in body.body if isinstance(body, ast.ClassDef) else []:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            field = node.target.id
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and field:
            docs[field] = " ".join(str(node.value.value).split())
    return docs


def _commands() -> str:
    lines = ["# Commands", "", _MADE]
    lines += [f"- [`studio {name}`](#studio-{name}): {text}" for name, (_, text) in COMMANDS.items()]
    lines.append("")
    lines += ["## studio [PATH]", "", "Opens the studio for the git repository there.", ""]
    lines += _arguments(make_parser("open"))
    for name, (_, text) in COMMANDS.items():
        lines += [f"## studio {name}", "", f"{text[:1].upper()}{text[1:]}.", "", *_arguments(make_parser(name))]
    return "\n".join(lines)


def _arguments(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yield a table of a parser's arguments, and of those of its subcommands."""
    actions = parser._actions  # noqa: SLF001 -- argparse has no public list of what was added
    rows = [action for action in actions if not isinstance(action, argparse._HelpAction | argparse._SubParsersAction)]  # noqa: SLF001
    if rows:
        yield from ("| argument | says |", "|---|---|")
        yield from (f"| `{_spelling(action)}` | {action.help or ''} |" for action in rows)
        yield ""
    for group in actions:
        if isinstance(group, argparse._SubParsersAction):  # noqa: SLF001
            helps = {choice.dest: choice.help for choice in group._choices_actions}  # noqa: SLF001
            subparsers: dict[str, argparse.ArgumentParser] = dict(group.choices)  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType] -- typeshed leaves the class open
            for name, sub in subparsers.items():
                yield from (f"### {parser.prog} {name}", "", f"{helps[name]}", "", *_arguments(sub))


def _spelling(action: argparse.Action) -> str:
    values = "\\|".join(map(str, action.choices)) if action.choices else action.metavar or action.dest.upper()
    if not action.option_strings:
        return f"[{values}]" if action.nargs == "?" else f"{values}…" if action.nargs else f"{values}"
    if action.nargs == 0:
        return ", ".join(action.option_strings)
    more = "…" if action.nargs == "+" else ""
    return f"{', '.join(action.option_strings)} {values}{more}"


def _schema() -> str:
    schema = msgspec.json.schema(FinishedRun)
    name = schema.pop("$ref").rpartition("/")[2]
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema["$defs"].pop(name),
        "$defs": schema["$defs"],
    }
    return msgspec.json.format(msgspec.json.encode(whole), indent=2).decode() + "\n"


def main(directory: str) -> None:
    """Write the pages."""
    place = Path(directory)
    place.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (place / name).write_text(text)


if __name__ == "__main__":
    main(sys.argv[1])
