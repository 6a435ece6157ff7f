"""The runner: picks the checks that apply, runs two at a time, streams what they print."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from weakref import WeakKeyDictionary

import msgspec

from studio.checks.accept import accept_checks
from studio.checks.base import CHECK_ENV, Check, Ran, not_run
from studio.checks.ruff import FormatCheck, LintCheck
from studio.checks.security import SecretsCheck, SecurityCheck
from studio.checks.syntax import SyntaxCheck
from studio.checks.testing import PytestCheck, other_suites
from studio.checks.tree import TreeView
from studio.checks.typecheck import TypesCheck
from studio.domain.checks import CheckResult, Outcome
from studio.domain.errors import SandboxUnavailable, StudioError
from studio.domain.sandbox import Command, Ending, Limits
from studio.ports.engine import CheckJob, OnCheck, SyntaxGate
from studio.ports.journal import Artifacts
from studio.ports.sandbox import Sandbox

__all__ = ["CheckRunner"]

AT_ONCE = 2
MAX_KEPT = 1 << 20
"""Bytes of a check's output that become its artifact."""

_TOOLS = ("python3", "node", "npm", "gofmt", "go", "cargo", "ruby", "php", "ruff", "mypy", "bandit", "sh")
_FIND = 'for tool in "$@"; do command -v "$tool" >/dev/null 2>&1 && echo "$tool"; done; exit 0'


class CheckRunner:
    """Implements `studio.ports.engine.Checks`. One instance serves many jobs at once."""

    def __init__(self, syntax: SyntaxGate, artifacts: Artifacts | None = None) -> None:
        self._syntax = syntax
        self._artifacts = artifacts
        self._tools: WeakKeyDictionary[Sandbox, frozenset[str]] = WeakKeyDictionary()
        self._checks: tuple[Check, ...] = (
            SyntaxCheck(),
            SecretsCheck(),
            LintCheck(),
            FormatCheck(),
            SecurityCheck(),
            TypesCheck(),
            PytestCheck(),
            *other_suites(),
        )

    def names(self, job: CheckJob) -> tuple[str, ...]:
        """Return the checks that apply to the tree, in the order they are started."""
        return tuple(check.name for check in self._select(job, TreeView(job.tree, job.changed, job.test_command)))

    async def run(self, job: CheckJob, sandbox: Sandbox | None, on_check: OnCheck | None = None) -> list[CheckResult]:
        """Run the checks of a job and return their results in the order of `names`.

        Each command works on a copy of the tree of its own, nothing is copied back, so checks are independent. A check
        whose tool or sandbox is missing, or that the sandbox refuses, is *not run*, with the reason.
        """
        view = TreeView(job.tree, job.changed, job.test_command)
        checks = await asyncio.to_thread(self._select, job, view)
        slots = asyncio.Semaphore(AT_ONCE)

        async def one(check: Check) -> CheckResult:
            if sandbox is None:
                return await _announce(not_run(check.name, job, "no sandbox works here"), on_check)
            async with slots:
                return await self._run_one(check, job, view, sandbox, on_check)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(check)) for check in checks]
        return [task.result() for task in tasks]

    def _select(self, job: CheckJob, view: TreeView) -> list[Check]:
        checks: Sequence[Check] = (*self._checks, *accept_checks(job))
        return [
            check
            for check in checks
            if (check.fast or job.tier != "fast")
            and (not job.only or check.name in job.only or check.name.split("-")[0] in job.only)
            and check.applies(view)
        ]

    async def _run_one(
        self, check: Check, job: CheckJob, view: TreeView, sandbox: Sandbox, on_check: OnCheck | None
    ) -> CheckResult:
        if on_check is not None:
            await on_check(check.name, None, b"")
        follower = _Follower(check.name, on_check)
        context = _Context(job, view, self._syntax, sandbox, follower, self._tools)
        try:
            result = await check.run(context)
        except StudioError as error:
            result = not_run(check.name, job, error.what)
        except (OSError, ValueError, RecursionError) as error:
            result = not_run(check.name, job, f"the check itself failed: {error}")
        finally:
            await follower.close()
        if self._artifacts is not None and follower.kept:
            kept = await asyncio.to_thread(self._artifacts.put, bytes(follower.kept))
            result = msgspec.structs.replace(result, output=kept)
        if result.outcome is not Outcome.NOT_RUN and not result.sandbox:
            result = msgspec.structs.replace(result, sandbox="in-process")
        return await _announce(result, on_check)


async def _announce(result: CheckResult, on_check: OnCheck | None) -> CheckResult:
    if on_check is not None:
        await on_check(result.check, result, b"")
    return result


class _Follower:
    """Carries output from the sandbox's synchronous callback to the asynchronous one, in order."""

    def __init__(self, check: str, on_check: OnCheck | None) -> None:
        self.kept = bytearray()
        self._check = check
        self._on_check = on_check
        self._queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._pump = asyncio.create_task(self._forward()) if on_check is not None else None

    def take(self, data: bytes) -> None:
        """Accept output."""
        self.kept += data[: MAX_KEPT - len(self.kept)]
        if data and self._pump is not None:
            self._queue.put_nowait(data)

    async def _forward(self) -> None:
        while data := await self._queue.get():
            if self._on_check is not None:
                await self._on_check(self._check, None, data)

    async def close(self) -> None:
        """Forward what is left."""
        if self._pump is not None:
            self._queue.put_nowait(b"")
            await self._pump


class _Context:
    """Implements `studio.checks.base.CheckContext` for one check of one job."""

    def __init__(
        self,
        job: CheckJob,
        view: TreeView,
        syntax: SyntaxGate,
        sandbox: Sandbox,
        follower: _Follower,
        tools: WeakKeyDictionary[Sandbox, frozenset[str]],
    ) -> None:
        self.job = job
        self.view = view
        self.syntax = syntax
        self._sandbox = sandbox
        self._follower = follower
        self._tools = tools

    def show(self, data: bytes) -> None:
        """Show output to whoever follows the check."""
        self._follower.take(data)

    async def has(self, tool: str) -> bool:
        """Return whether a tool is on the sandbox's PATH; all are looked for once per sandbox."""
        found = self._tools.get(self._sandbox)
        if found is None:
            ran = await self.run(("sh", "-c", _FIND, "sh", *_TOOLS), on_output=lambda _: None)
            if ran.result.ending is not Ending.EXITED:
                raise SandboxUnavailable("The sandbox could not run `sh`.", "Run `studio doctor`.")
            found = self._tools[self._sandbox] = frozenset(ran.text.split())
        return tool in found

    async def run(
        self,
        argv: tuple[str, ...],
        *,
        env: tuple[tuple[str, str], ...] = (),
        limits: Limits | None = None,
        on_output: Callable[[bytes], None] | None = None,
    ) -> Ran:
        """Run a command in the sandbox."""
        command = Command(argv, env=CHECK_ENV + env, limits=limits or Limits(), writable=False)
        result = await self._sandbox.run(self.job.tree, command, on_output or self._follower.take)
        return Ran(argv, result)
