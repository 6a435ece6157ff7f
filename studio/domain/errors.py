"""Errors that people read: what is wrong, what to do, and the exit code.

StudioError
├── UsageError            2    bad input: arguments, unknown ids
│   ├── RepositoryError   2    not a repository, bare, unmerged, read-only …
│   └── BriefError        2    missing, empty, not UTF-8, too big, broken front matter
├── ChecksFailed          3
├── BudgetSpent           4
├── ModelUnavailable      5    no model answered
├── LandingConflict       6    conflict, nothing landed
├── SandboxUnavailable    7
├── GateWaiting           8
├── Cancelled           130
└── InternalError         1    a bug or a broken machine; the traceback is in the log file
"""

from __future__ import annotations

from typing import ClassVar

from studio.domain.value import Value

__all__ = [
    "BriefError",
    "BudgetSpent",
    "Cancelled",
    "ChecksFailed",
    "GateWaiting",
    "InternalError",
    "LandingConflict",
    "ModelUnavailable",
    "Problem",
    "RepositoryError",
    "SandboxUnavailable",
    "StudioError",
    "UsageError",
    "error_of",
]


class Problem(Value, frozen=True):
    """An error as a value: it crosses sockets and is what a step returns for an expected failure."""

    code: str
    """The error class's name, for instance `BudgetSpent`."""
    what: str
    """One line: what is wrong."""
    do: str = ""
    """One line: what to do about it."""
    exit_code: int = 1


class StudioError(Exception):
    """An error with one line on what is wrong and one on what to do."""

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, do: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.do = do

    @property
    def problem(self) -> Problem:
        """This error as a value."""
        return Problem(type(self).__name__, self.what, self.do, self.exit_code)


class UsageError(StudioError):
    """Bad input."""

    exit_code = 2


class RepositoryError(UsageError):
    """The repository cannot be worked with as it is."""


class BriefError(UsageError):
    """The brief cannot be read."""


class ChecksFailed(StudioError):
    """The run ended with failing checks."""

    exit_code = 3


class BudgetSpent(StudioError):
    """The next attempt might cost more than what is left."""

    exit_code = 4


class ModelUnavailable(StudioError):
    """No model answered."""

    exit_code = 5


class LandingConflict(StudioError):
    """What was to land conflicts with what is there; nothing was written."""

    exit_code = 6


class SandboxUnavailable(StudioError):
    """No sandbox works here, or not the one asked for."""

    exit_code = 7


class GateWaiting(StudioError):
    """The run waits for a person."""

    exit_code = 8


class Cancelled(StudioError):
    """A person cancelled."""

    exit_code = 130


class InternalError(StudioError):
    """A bug, or a machine that broke under us."""


_BY_CODE: dict[str, type[StudioError]] = {
    kind.__name__: kind
    for kind in (
        UsageError,
        RepositoryError,
        BriefError,
        ChecksFailed,
        BudgetSpent,
        ModelUnavailable,
        LandingConflict,
        SandboxUnavailable,
        GateWaiting,
        Cancelled,
        InternalError,
    )
}


def error_of(problem: Problem) -> StudioError:
    """Return the exception a problem stands for, so that it can be raised again on this side of a socket."""
    return _BY_CODE.get(problem.code, InternalError)(problem.what, problem.do)
