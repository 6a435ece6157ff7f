"""The command line: one table of commands; the module of a command is imported when it is called."""

from __future__ import annotations

import argparse
import importlib
import io
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import NoReturn

from studio import __version__
from studio.domain.errors import StudioError, UsageError

__all__ = ["COMMANDS", "make_parser", "run_command_line", "usage"]

COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("demo", "the main job on a bundled brief, in a scratch repository"),
    "run": ("runs", "run a brief and follow it to its end"),
    "runs": ("history", "list the runs"),
    "show": ("history", "show a run"),
    "events": ("history", "a run's events, one a line"),
    "tell": ("orders", "steer a run with a remark"),
    "answer": ("orders", "answer a gate of a run"),
    "cancel": ("orders", "cancel a run"),
    "resume": ("runs", "let a stopped run go on"),
    "fork": ("runs", "a new run that reuses an old one up to a stage"),
    "revise": ("runs", "a new run that is told what was rejected, and why"),
    "changes": ("review", "a run's change set"),
    "accept": ("review", "accept hunks, lines, files or all of it, check exactly that, and land it"),
    "reject": ("review", "reject hunks, with a comment"),
    "undo": ("review", "undo a landing"),
    "why": ("review", "where a line came from"),
    "exec": ("tools", "run one command in the sandbox"),
    "check": ("tools", "run the checks on a tree"),
    "map": ("tools", "the repo map"),
    "memory": ("memory", "search, show, add, correct and forget"),
    "models": ("upkeep", "which models can be asked"),
    "doctor": ("doctor", "what is there, what works, what to do"),
    "audit": ("upkeep", "verify the event log"),
    "gc": ("upkeep", "drop what retention no longer keeps"),
    "forget": ("upkeep", "erase payloads from the event log"),
    "host": ("processes", "run the host in the foreground"),
    "worker": ("processes", "run a worker in the foreground"),
}
"""Name to (module of this package, one line of help)."""

_BROKEN_PIPE = 141
"""What a shell sees of a process that a closed pipe ended."""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are the studio's: one line on what, one on what to do."""

    def error(self, message: str) -> NoReturn:
        """Report bad arguments.

        Raises:
            UsageError: always.

        """
        raise UsageError(f"{message[:1].upper()}{message[1:]}.", f"See `{self.prog} --help`.")


def run_command_line(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    _prepare_output()
    try:
        code = _dispatch(list(arguments))
        sys.stdout.flush()
    except StudioError as error:
        _complain(error.what, error.do)
        return error.exit_code
    except KeyboardInterrupt:
        _complain("interrupted")
        return 130
    except BrokenPipeError:
        # The reader of a pipe is gone: nothing is left to say, also not when the interpreter flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    except Exception as error:  # noqa: BLE001 -- the last resort: a bug is told in two lines and kept in a file
        path = _crash_log(error)
        _complain(
            f"an internal error: {type(error).__name__}: {error}", f"The traceback is in {path}; please report it."
        )
        return 1
    return code


def _prepare_output() -> None:
    """Let every text be printed: with an encoding that lacks a character, and where standard output is closed."""
    output: object = sys.stdout
    if output is None:  # so it is after `>&-`
        nowhere = os.open(os.devnull, os.O_WRONLY)
        sys.stdout = open(nowhere, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 -- to the process's end
    elif isinstance(output, io.TextIOWrapper):
        output.reconfigure(errors="replace")


def _complain(what: str, do: str = "") -> None:
    from studio.cli.common import plain

    print(plain(f"studio: {what}"), file=sys.stderr)
    if do:
        print(plain(f"        {do}"), file=sys.stderr)


def _crash_log(error: Exception) -> Path:
    import tempfile
    import traceback

    with tempfile.NamedTemporaryFile("w", prefix="studio-crash-", suffix=".log", delete=False) as file:
        file.write("".join(traceback.format_exception(error)))
    return Path(file.name)


def _dispatch(arguments: list[str]) -> int:
    name = arguments[0] if arguments else ""
    if name == "help" and arguments[1:] and arguments[1] in COMMANDS:
        name, arguments = arguments[1], [arguments[1], "--help"]
    if name in {"-h", "--help", "help"}:
        print(usage())
        return 0
    if name in {"-V", "--version"}:
        print(f"studio {__version__}")
        return 0
    if name not in COMMANDS:
        return _run(_module("open"), "open", arguments)
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")
    return _run(_module(COMMANDS[name][0]), name, arguments[1:])


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"studio.cli.{name}")


def _run(module: ModuleType, name: str, arguments: list[str]) -> int:
    try:
        parsed = make_parser(name).parse_args(arguments)
    except SystemExit as end:  # argparse ends the process after --help
        return int(end.code or 0)
    return int(module.run(name, parsed))


def make_parser(name: str) -> argparse.ArgumentParser:
    """Return the parser of a command, or of `open`."""
    if name == "open":
        parser = Parser(
            prog="studio", usage="studio [PATH] [options] | studio COMMAND …", description="Open the studio."
        )
        _module("open").configure(name, parser)
        return parser
    module, text = COMMANDS[name]
    parser = Parser(prog=f"studio {name}", description=f"{text[:1].upper()}{text[1:]}.")
    parser.add_argument("--repo", metavar="DIR", type=Path, default=Path(), help="the repository (default: here)")
    _module(module).configure(name, parser)
    return parser


def usage() -> str:
    """Return the overview of all commands."""
    width = max(map(len, COMMANDS))
    lines = [f"  studio {name:<{width}}  {text}" for name, (_, text) in COMMANDS.items()]
    return "\n".join(
        [
            "A brief becomes reviewed, tested commits.",
            "",
            f"  studio {'[PATH]':<{width}}  open the studio for the git repository there",
            *lines,
            "",
            "Every command takes --repo DIR and --help. Results go to standard output, the rest to standard error.",
            "Exit codes: 0 done · 1 internal error · 2 bad input · 3 checks failed · 4 budget spent · 5 no model answered",
            "· 6 conflict, nothing landed · 7 no sandbox · 8 a gate waits · 130 cancelled.",
        ]
    )
