"""What the terminal cannot do, found before anything is painted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from studio.domain.errors import Problem

__all__ = ["is_remote", "terminal_problem"]


def terminal_problem(environ: Mapping[str, str]) -> Problem | None:
    """Return why the studio cannot be shown in this terminal, None if it can."""
    term = environ.get("TERM", "")
    if term not in {"", "dumb", "unknown"}:
        return None
    from studio.domain.errors import Problem

    return Problem(
        "UsageError",
        f"This terminal (TERM={term or 'unset'}) cannot show the studio.",
        "Use the commands instead, for instance `studio run BRIEF`; `studio --help` lists them.",
        2,
    )


def is_remote(environ: Mapping[str, str]) -> bool:
    """Tell whether the terminal is at the other end of a network."""
    return bool(environ.get("SSH_CONNECTION") or environ.get("SSH_TTY"))
