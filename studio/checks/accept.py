"""The brief's own commands: each must exit 0."""

from __future__ import annotations

from studio.checks.base import CheckContext, Ran, not_run, verdict
from studio.checks.beside import NO_SERVICE, beside
from studio.checks.testing import TEST_LIMITS, tail
from studio.checks.tree import TreeView
from studio.domain.checks import CheckResult, Finding, Level
from studio.ports.engine import CheckJob

__all__ = ["AcceptCheck", "accept_checks"]


class AcceptCheck:
    """One `accept` command, run by `sh -c`."""

    fast = False

    def __init__(self, name: str, command: str) -> None:
        self.name = name
        self._command = command

    def applies(self, _view: TreeView, /) -> bool:
        """Return True: a person asked for it."""
        return True

    async def run(self, context: CheckContext) -> CheckResult:
        """Run the command."""
        argv = ("sh", "-c", self._command)
        ran = await context.run(beside(context.job.services, argv), limits=TEST_LIMITS)
        if context.job.services and ran.result.exit_code == NO_SERVICE:
            return not_run(self.name, context.job, tail(ran.result.output))
        ran = Ran(argv, ran.result)
        passed = ran.result.exit_code == 0
        message = f"`{self._command}` exited {ran.result.exit_code}:\n{tail(ran.result.output)}"
        findings = () if passed else (Finding(self.name, "exit", Level.ERROR, message),)
        summary = f"`{self._command}` " + ("exited 0" if passed else f"exited {ran.result.exit_code}")
        return verdict(self.name, context.job, ran, findings, summary=summary)


def accept_checks(job: CheckJob) -> tuple[AcceptCheck, ...]:
    """Return a check for each command: `accept` for a single one, else `accept-1`, `accept-2` and so on."""
    if len(job.accept) == 1:
        return (AcceptCheck("accept", job.accept[0]),)
    return tuple(AcceptCheck(f"accept-{number}", command) for number, command in enumerate(job.accept, 1))
