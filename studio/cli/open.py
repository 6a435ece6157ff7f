"""`studio [PATH]`: the studio itself."""

from __future__ import annotations

import argparse
import difflib
import logging
import os
import sys
from pathlib import Path

from studio.cli import COMMANDS
from studio.domain.config import Config
from studio.domain.errors import RepositoryError, UsageError, error_of
from studio.domain.places import Places, user_config_dir
from studio.protocol.locate import locate, person_name
from studio.tui.terminal import terminal_problem

__all__ = ["configure", "open_studio", "run"]


def configure(name: str, parser: argparse.ArgumentParser) -> None:  # noqa: ARG001 -- the one signature of all groups
    """Add the arguments."""
    parser.add_argument(
        "path", metavar="PATH", nargs="?", default="", help="a directory of the repository (default: here)"
    )
    parser.add_argument("--repo", metavar="DIR", type=Path, default=Path(), help="the repository (default: here)")
    parser.add_argument("--run", metavar="RUN", default="", help="the run to put in view (default: the latest)")
    parser.add_argument("--theme", metavar="NAME", default="", help="the theme (default: the one used last)")


def run(name: str, args: argparse.Namespace) -> int:  # noqa: ARG001
    """Show the studio until the person leaves."""
    places = locate(_directory(args))
    _require_terminal()
    open_studio(places, args.run, args.theme)
    return 0


def _directory(args: argparse.Namespace) -> Path:
    """Return the directory to open.

    Raises:
        UsageError: PATH is none; a word that is near a command's name suggests it.

    """
    if not args.path:
        return Path(args.repo)
    path = Path(args.path).expanduser()
    if path.is_dir():
        return path
    if path.exists():
        raise UsageError(f"{path} is not a directory.", f"To run it as a brief: `studio run {path}`.")
    if os.sep in args.path:
        raise UsageError(f"{path} does not exist.", "Give the directory of a git repository.")
    word: str = args.path
    near = difflib.get_close_matches(word, COMMANDS, n=3)
    do = f"Did you mean {' or '.join(f'`studio {one}`' for one in near)}?" if near else "`studio --help` lists them."
    raise UsageError(f"{args.path} is neither a command nor a directory.", do)


def _require_terminal() -> None:
    # The studio is painted on standard error, as Textual does.
    if not all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        raise UsageError(
            "The studio needs a terminal, and its input or output is not one.",
            "Use the commands instead, for instance `studio run BRIEF --json`; `studio --help` lists them.",
        )
    problem = terminal_problem(os.environ)
    if problem is not None:
        raise error_of(problem)


def open_studio(places: Places, run: str = "", theme: str = "") -> None:
    """Show the studio of a repository on this terminal until the person leaves; `run` is put in view."""
    from studio.domain.runs import RunOptions
    from studio.tui.app import run_studio
    from studio.tui.session import Session
    from studio.wiring import load_config

    config = load_config(places)
    chosen = config.theme if config.theme != Config().theme else ""
    person = person_name(places, config.name)
    _log_to(places.logs / "studio.log")

    async def connect() -> Session:
        from studio.protocol.client import HostClient, Identity

        return await HostClient.open(places, Identity("tui", person))

    run_studio(
        connect,
        places,
        name=person,
        theme=theme or chosen,
        themes_dir=user_config_dir() / "themes",
        options=RunOptions(config.models.default),
        run=run,
    )


def _log_to(file: Path) -> None:
    """Keep warnings in a file: on standard error they would be painted over the studio."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RepositoryError(f"{file.parent} cannot be made: {error.strerror}.", "Look at its permissions.") from None
    handler = logging.FileHandler(file, delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
