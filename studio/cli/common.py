"""What the commands share: the repository, the host, and printing."""

from __future__ import annotations

import argparse
import codecs
import os
import re
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from studio.domain.checks import Outcome
from studio.domain.errors import UsageError
from studio.domain.places import Places
from studio.domain.value import encode
from studio.protocol.client import HostClient, Identity, run_with_host
from studio.protocol.locate import locate, person_name

__all__ = [
    "OUTCOME_MARKS",
    "Output",
    "add_json",
    "add_sandbox",
    "note",
    "path_in",
    "places_of",
    "plain",
    "print_json",
    "with_host",
]

T = TypeVar("T")
_UNSHOWN = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]")
"""What JSON leaves as it is although a terminal may not."""

OUTCOME_MARKS = {Outcome.PASSED: "✓", Outcome.FAILED: "✗", Outcome.NOT_RUN: "\N{EN DASH}"}


def places_of(args: argparse.Namespace) -> Places:
    """Return the places of the repository a command is for."""
    return locate(Path(args.repo).absolute())


def with_host(args: argparse.Namespace, body: Callable[[HostClient], Awaitable[T]]) -> T:
    """Run `body` with a client of the repository's host."""
    places = places_of(args)
    return run_with_host(places, Identity("cli", person_name(places)), body)


def path_in(places: Places, args: argparse.Namespace, path: str) -> str:
    """Return a path as the repository names it; what is typed is relative to here, or to `--repo` if that is given.

    Raises:
        UsageError: it is not in the repository.

    """
    typed = Path(os.path.normpath(Path(args.repo).resolve() / path))
    try:
        return typed.relative_to(places.worktree).as_posix()
    except ValueError:
        raise UsageError(f"{path} is not in {places.worktree}.", "Give a path in the repository.") from None


def add_json(parser: argparse.ArgumentParser) -> None:
    """Let a command print JSON."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def add_sandbox(parser: argparse.ArgumentParser) -> None:
    """Let a command name a sandbox; None is left to the configuration."""
    parser.add_argument(
        "--sandbox",
        choices=["auto", "bubblewrap", "docker"],
        help="where code is run: the strongest that works, or this one and no other",
    )


def print_json(value: object) -> None:
    """Print a value as one line of JSON; characters that a terminal may obey are escaped, which means the same."""
    sys.stdout.write(_UNSHOWN.sub(lambda found: f"\\u{ord(found[0]):04x}", encode(value).decode()) + "\n")
    sys.stdout.flush()


def note(text: str) -> None:
    """Print progress or a diagnostic to standard error."""
    print(plain(text), file=sys.stderr, flush=True)


class Output:
    """Standard output for bytes of untrusted origin: as they are into a file or pipe, without control characters on a terminal."""

    def __init__(self) -> None:
        self._terminal = sys.stdout.isatty()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def write(self, data: bytes) -> None:
        """Write some of them."""
        if self._terminal:
            sys.stdout.write(plain(self._decoder.decode(data)))
        else:
            sys.stdout.flush()
            sys.stdout.buffer.write(data)
        sys.stdout.flush()


def plain(text: str) -> str:
    """Return untrusted text without control characters, so that a terminal shows it and does nothing else."""
    return "".join(char if char.isprintable() or char in "\n\t" else "�" for char in text)
