"""Tests: pytest with coverage by test, and the other languages' own runners by exit code."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from studio.checks.base import CheckContext, Ran, counted, not_run, verdict
from studio.checks.beside import NO_SERVICE, beside
from studio.checks.tree import TreeView, read_regular
from studio.domain.checks import CheckResult, Finding, Level, Outcome, TestCase
from studio.domain.sandbox import MEBI, Limits
from studio.domain.value import Value
from studio.ports.engine import CheckJob

__all__ = ["CommandTests", "PytestCheck", "other_suites"]

TEST_LIMITS = Limits(seconds=600.0, output_bytes=16 * MEBI)
NO_TESTS = 5
NO_PYTEST = 96
NOT_FOUND = 127

_CONFIGURATION = frozenset(
    {"pyproject.toml", "setup.cfg", "setup.py", "tox.ini", "pytest.ini", "conftest.py", "uv.lock"}
)
_REQUIREMENTS = re.compile(r"(?:^|/)requirements[^/]*\.(?:txt|in)$")
_PLUGIN = re.compile(rb"pytest[-_]\w|\bhypothesis\b|\banyio\b|\bsyrupy\b|asyncio_mode|required_plugins")

_DRIVER = Path(__file__).with_name("pytest_driver.py")
_LAUNCH = (
    'for python in .venv/bin/python python3 python; do command -v "$python" >/dev/null 2>&1 || continue; '
    '"$python" -c "$@"; code=$?; test $code -eq 96 || exit $code; done; exit 96'
)


class _Lines(Value, frozen=True):
    executable: tuple[int, ...] = ()
    executed: tuple[int, ...] = ()


class _Report(Value, frozen=True):
    tests: tuple[TestCase, ...] = ()
    lines: dict[str, _Lines] = {}
    exit: int = -1


class PytestCheck:
    """Runs pytest, which runs unittest's cases too. The environment's own test command replaces it where there is one.

    Passed needs exit code 0, pytest's report with the same code in it, a test that passed, and none that failed: a
    program that ends pytest early with `os._exit(0)` leaves no report and fails.
    """

    name = "tests"
    fast = False

    def applies(self, view: TreeView, /) -> bool:
        """Return whether there is Python, or a test command of the environment."""
        return bool(view.test_command) or any(path.endswith(".py") for path in view.files)

    async def run(self, context: CheckContext) -> CheckResult:
        """Run all tests, those in touched files first."""
        if context.job.test_command:
            command = CommandTests(self.name, ("sh", "-c", context.job.test_command), ())
            return await command.run(context)
        nonce = secrets.token_hex(16)
        cut = _Cut(b"\x1e" + nonce.encode())
        touched = json.dumps(list(context.job.changed))
        argv = ("sh", "-c", _LAUNCH, "sh", _DRIVER.read_text("utf-8"), nonce, touched, "-q", "-rN", "--color=no")
        lean = () if _names_plugin(context.view) else (("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1"),)
        whole = beside(context.job.services, argv)
        ran = await context.run(whole, env=lean, limits=TEST_LIMITS, on_output=cut.filter(context.show))
        cut.end(context.show)
        if context.job.services and ran.result.exit_code == NO_SERVICE:
            return not_run(self.name, context.job, tail(ran.result.output))
        shown = Ran(("python", "-m", "pytest", "-q"), ran.result)
        return self._judge(context.job, shown, _read(ran, nonce))

    def _judge(self, job: CheckJob, ran: Ran, report: _Report | None) -> CheckResult:
        code = ran.result.exit_code
        if code in {NO_PYTEST, NOT_FOUND} and report is None:
            return not_run(self.name, job, "pytest is not in the sandbox")
        if report is None:
            summary = "the tests ended before pytest could report"
            return verdict(self.name, job, ran, _failures(()), summary=summary, ok=False)
        if code == NO_TESTS and not report.tests:
            return not_run(self.name, job, "no tests were collected")
        counts = {outcome: sum(test.outcome is outcome for test in report.tests) for outcome in Outcome}
        ok = report.exit == 0 and counts[Outcome.PASSED] > 0 and counts[Outcome.FAILED] == 0
        if code == 0 and ok is False and not counts[Outcome.FAILED] and not counts[Outcome.PASSED]:
            return not_run(self.name, job, "every test was skipped")
        words = ((Outcome.FAILED, "failed"), (Outcome.PASSED, "passed"), (Outcome.NOT_RUN, "skipped"))
        summary = ", ".join(f"{counts[outcome]} {word}" for outcome, word in words if counts[outcome])
        result = verdict(self.name, job, ran, _failures(report.tests), summary=summary or f"exit code {code}", ok=ok)
        return msgspec.structs.replace(result, tests=report.tests, coverage=_coverage(job, report))


def _names_plugin(view: TreeView) -> bool:
    """Return whether the repository names a pytest plugin. One that does not is not given whatever is installed here."""
    files = [path for path in view.files if path.rpartition("/")[2] in _CONFIGURATION or _REQUIREMENTS.search(path)]
    return any(_PLUGIN.search(read_regular(view.root, path) or b"") for path in files[:50])


def _failures(tests: tuple[TestCase, ...]) -> tuple[Finding, ...]:
    found: list[Finding] = []
    for test in tests:
        if test.outcome is Outcome.FAILED:
            path = test.id.split("::", 1)[0]
            last = [line for line in test.output.splitlines() if line.startswith("E ")]
            found.append(Finding("tests", test.id, Level.ERROR, last[0][2:].strip()[:500] if last else "failed", path))
    return tuple(found)


def _coverage(job: CheckJob, report: _Report) -> float | None:
    """Return the share of executable changed lines that tests executed; None where none is executable."""
    executable = executed = 0
    for path, changed in job.changed_lines:
        lines = report.lines.get(path)
        if lines is not None:
            wanted = set(changed) & set(lines.executable)
            executable += len(wanted)
            executed += len(wanted & set(lines.executed))
    return executed / executable if executable else None


def _read(ran: Ran, nonce: str) -> _Report | None:
    marker = b"\x1e" + nonce.encode()
    for output in (ran.result.stdout, ran.result.output):
        _, found, rest = output.rpartition(marker)
        if found:
            try:
                return msgspec.json.decode(rest.split(b"\n", 1)[0], type=_Report)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                return None
    return None


class _Cut:
    """Passes output on up to a marker that may arrive in pieces."""

    def __init__(self, marker: bytes) -> None:
        self._marker = marker
        self._held = b""
        self._done = False

    def filter(self, show: Callable[[bytes], None]) -> Callable[[bytes], None]:
        """Return a callback that shows everything before the marker."""

        def take(data: bytes) -> None:
            if self._done:
                return
            self._held += data
            before, found, _ = self._held.partition(self._marker)
            if found:
                self._done, self._held = True, b""
            else:
                keep = len(self._marker) if b"\x1e" in self._held[-len(self._marker) :] else 0
                before = self._held[: len(self._held) - keep]
                self._held = self._held[len(before) :]
            if before:
                show(before)

        return take

    def end(self, show: Callable[[bytes], None]) -> None:
        """Show what was held back for a marker that never came."""
        if self._held and not self._done:
            show(self._held)


class CommandTests:
    """A test command judged by its exit code alone."""

    fast = False

    def __init__(self, name: str, argv: tuple[str, ...], markers: tuple[str, ...]) -> None:
        self.name = name
        self.argv = argv
        self._markers = markers

    def applies(self, view: TreeView, /) -> bool:
        """Return whether the project file is there, with a test script where it is `package.json`."""
        if view.test_command or not any(view.has(marker) for marker in self._markers):
            return False
        return "package.json" not in self._markers or _has_test_script(view)

    async def run(self, context: CheckContext) -> CheckResult:
        """Run the command."""
        if not await context.has(self.argv[0]):
            return not_run(self.name, context.job, f"{self.argv[0]} is not in the sandbox")
        ran = await context.run(beside(context.job.services, self.argv), limits=TEST_LIMITS)
        if context.job.services and ran.result.exit_code == NO_SERVICE:
            return not_run(self.name, context.job, tail(ran.result.output))
        ran = Ran(self.argv, ran.result)
        passed = ran.result.exit_code == 0
        summary = "passed" if passed else f"exit code {ran.result.exit_code}"
        findings = () if passed else (Finding(self.name, "exit", Level.ERROR, tail(ran.result.output)),)
        return verdict(self.name, context.job, ran, findings, summary=summary)


def tail(output: bytes, lines: int = 30) -> str:
    """Return the last lines of an output, at most 3,000 characters."""
    return "\n".join(output.decode("utf-8", "replace").strip().splitlines()[-lines:])[-3000:] or counted(0, "output")


def _has_test_script(view: TreeView) -> bool:
    try:
        package: Any = msgspec.json.decode(read_regular(view.root, "package.json") or b"")
        script: Any = package["scripts"]["test"]
    except (msgspec.MsgspecError, KeyError, TypeError, RecursionError):
        return False
    return isinstance(script, str) and "no test specified" not in script


def other_suites() -> tuple[CommandTests, ...]:
    """Return the runners of the languages beside Python."""
    return (
        CommandTests("tests-node", ("npm", "test", "--silent"), ("package.json",)),
        CommandTests("tests-go", ("go", "test", "./..."), ("go.mod",)),
        CommandTests("tests-rust", ("cargo", "test", "--quiet", "--offline"), ("Cargo.toml",)),
    )
