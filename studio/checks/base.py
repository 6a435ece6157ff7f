"""What a check is, and what it is given."""

from __future__ import annotations

import posixpath
from collections.abc import Awaitable, Callable
from typing import Protocol

from studio.checks.tree import TreeView
from studio.domain.checks import CheckResult, Finding, Outcome
from studio.domain.sandbox import CommandResult, Ending, Limits
from studio.domain.value import Value
from studio.ports.engine import CheckJob, SyntaxGate

__all__ = ["CHECK_ENV", "Check", "CheckContext", "Ran", "counted", "inside", "not_run", "verdict"]

CHECK_ENV = (
    ("PYTHONDONTWRITEBYTECODE", "1"),
    ("PYTHONUNBUFFERED", "1"),
    ("NO_COLOR", "1"),
    ("CI", "1"),
    ("HOME", "/tmp"),  # noqa: S108 -- the sandbox's own temporary directory
)
MAX_FINDINGS = 200


class Ran(Value, frozen=True):
    """A command that ran."""

    argv: tuple[str, ...]
    result: CommandResult

    @property
    def text(self) -> str:
        """What it wrote to stdout, or to both where the backend does not tell them apart."""
        return (self.result.stdout or self.result.output).decode("utf-8", "replace")


class CheckContext(Protocol):
    """What the runner gives a check."""

    @property
    def job(self) -> CheckJob:
        """The job."""
        ...

    @property
    def view(self) -> TreeView:
        """The tree."""
        ...

    @property
    def syntax(self) -> SyntaxGate:
        """The parser."""
        ...

    def show(self, data: bytes) -> None:
        """Show output to whoever follows the check."""
        ...

    async def has(self, tool: str) -> bool:
        """Return whether a tool is on the sandbox's PATH."""
        ...

    async def run(
        self,
        argv: tuple[str, ...],
        *,
        env: tuple[tuple[str, str], ...] = (),
        limits: Limits | None = None,
        on_output: Callable[[bytes], None] | None = None,
    ) -> Ran:
        """Run a command in the sandbox, its output streamed to whoever follows the check, or to `on_output`."""
        ...


class Check(Protocol):
    """One check."""

    name: str
    fast: bool
    """Whether it belongs to the fast tier."""

    def applies(self, view: TreeView, /) -> bool:
        """Return whether the tree gives it anything to do."""
        ...

    def run(self, context: CheckContext) -> Awaitable[CheckResult]:
        """Run and return the verdict."""
        ...


def not_run(check: str, job: CheckJob, reason: str) -> CheckResult:
    """Return the verdict of a check that could not run."""
    return CheckResult(check, Outcome.NOT_RUN, job.tree_id, reason=reason, summary=f"not run: {reason}")


def verdict(
    check: str, job: CheckJob, ran: Ran, findings: tuple[Finding, ...] = (), *, summary: str = "", ok: bool = True
) -> CheckResult:
    """Return the verdict of a command: passed only where it exited 0 by itself and `ok` holds."""
    result = ran.result
    if result.ending is Ending.REFUSED:
        detail = result.output[-300:].decode("utf-8", "replace").strip().splitlines()
        return not_run(check, job, f"the sandbox refused the command: {detail[-1] if detail else 'no reason given'}")
    passed = result.exit_code == 0 and result.ending is Ending.EXITED and ok
    shown = {
        Ending.TIMEOUT: f"stopped after {result.duration_ms / 1000:.0f} s",
        Ending.MEMORY: "ran out of memory",
        Ending.CANCELLED: "cancelled",
    }.get(result.ending, summary)
    return CheckResult(
        check,
        Outcome.PASSED if passed else Outcome.FAILED,
        job.tree_id,
        sandbox=result.level,
        command=ran.argv,
        exit_code=result.exit_code,
        duration_ms=result.duration_ms,
        findings=findings[:MAX_FINDINGS],
        summary=shown or ("passed" if passed else f"exit code {result.exit_code}"),
    )


def counted(number: int, noun: str) -> str:
    """Return `1 finding`, `2 findings`, `no findings`."""
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"


def inside(path: str) -> str:
    """Return a path a tool printed, relative to the tree: the sandbox shows it as `/work`."""
    path = path.removeprefix("file://")
    return posixpath.normpath(path.removeprefix("/work/"))
