"""`studio doctor`: for each part what is found, what it means, what to do. It never says more than it tried.

The exit code is 1 if a part that no run can do without is broken, else 0.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from studio import __version__
from studio.cli.checkup import engine, machine, repository
from studio.cli.checkup.finding import Finding, State, guarded
from studio.cli.common import add_json, places_of, plain, print_json
from studio.domain.config import Config
from studio.domain.errors import StudioError
from studio.domain.places import Places

__all__ = ["configure", "examine", "run"]

_MARKS = {State.OK: "✓", State.ADVICE: "!", State.BROKEN: "✗"}
_WIDTH = 18


def configure(name: str, parser: argparse.ArgumentParser) -> None:  # noqa: ARG001 -- the one signature of all groups
    """Add the command's arguments."""
    add_json(parser)


def run(name: str, args: argparse.Namespace) -> int:  # noqa: ARG001
    """Run the command and return its exit code."""
    return examine(args)


def examine(args: argparse.Namespace) -> int:
    """Look at every part, print what is found, and return 1 if something essential is broken, else 0."""
    broken = False
    found: list[Finding] = []
    for finding in _examined(args):
        broken = broken or finding.state is State.BROKEN
        if args.json:
            found.append(finding)
        else:
            _print(finding)
    if args.json:
        print_json({"version": __version__, "ok": not broken, "findings": found})
    return int(broken)


def _examined(args: argparse.Namespace) -> Iterator[Finding]:
    yield from guarded("python", machine.python)
    yield from guarded("git", machine.git)
    config = Config()
    try:
        places: Places | None = places_of(args)
    except StudioError as error:
        places = None
        yield Finding("repository", State.BROKEN, error.what, "No run can start here.", error.do)
    if places is not None:
        faults = guarded("configuration", lambda: repository.configuration(places))
        if faults[0].state is not State.BROKEN:
            from studio.wiring import load_config

            config = load_config(places)
        yield from guarded("repository", lambda: repository.repository(places))
        yield from faults
        yield from guarded("disk", lambda: machine.disk(places))
        yield from guarded("journal", lambda: repository.journal(places, config))
        yield from guarded("host", lambda: repository.host(places))
    yield from guarded("sockets", machine.sockets)
    yield from guarded("sandbox", lambda: engine.sandboxes(config))
    yield from guarded("models", lambda: engine.models(config))
    yield from guarded("memory", lambda: engine.memory(config))
    yield from guarded("terminal", machine.terminal)
    yield from guarded("bytecode", machine.bytecode)


def _print(finding: Finding) -> None:
    print(plain(f"{_MARKS[finding.state]} {finding.part:<{_WIDTH}} {finding.found}"), flush=True)
    for text in (finding.means, f"→ {finding.do}" if finding.do else ""):
        if text:
            print(plain(f"  {'':<{_WIDTH}} {text}"), flush=True)
