"""Runs pytest inside the sandbox and tells what came of each test. Its source is handed to `python -c` there.

It imports nothing of the studio, works from Python 3.8, and measures lines with coverage.py where that is at hand,
switching the context at every test. Arguments: a nonce, a JSON list of touched paths, pytest's own arguments.
The report goes out on the standard output as it was before any test ran, after RS and the nonce. A test that sets out
to forge a report can: it runs as the same user. So the exit code decides first, and a report only ever adds doubt.
"""

from __future__ import annotations

import json
import os
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

NO_PYTEST = 96
MAX_OUTPUT = 4000
MAX_TESTS = 5000


class Recorder:
    """A pytest plugin: outcome, duration and failure text of each test, and the context coverage is measured in."""

    def __init__(self, coverage: Any, first: list[str]) -> None:
        self.coverage = coverage
        self.first = first
        self.tests: dict[str, dict[str, Any]] = {}
        self.started: dict[str, float] = {}

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """Put tests in touched files first, everything else in the order it had."""
        items.sort(key=lambda item: item.nodeid.split("::", 1)[0] not in self.first)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Measure what follows for this test."""
        self.started[nodeid] = time.monotonic()
        if self.coverage:
            self.coverage.switch_context(nodeid)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """End the test's context."""
        if self.coverage:
            self.coverage.switch_context("")
        if nodeid in self.tests:
            self.tests[nodeid]["duration_ms"] = int((time.monotonic() - self.started[nodeid]) * 1000)

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Fold a phase into the test's outcome: a failure stays, a pass needs the call itself."""
        test = self.tests.setdefault(report.nodeid, {"id": report.nodeid, "outcome": "passed"})
        if report.failed:
            test["outcome"] = "failed"
            test["output"] = (test.get("output", "") + text_of(report))[-MAX_OUTPUT:]
        elif report.skipped and test["outcome"] == "passed":
            test["outcome"] = "not-run"

    def pytest_collectreport(self, report: Any) -> None:
        """A file that cannot be collected is a failed test named after it."""
        if report.failed:
            name = report.nodeid or "collection"
            self.tests[name] = {"id": name, "outcome": "failed", "output": text_of(report)[-MAX_OUTPUT:]}


def text_of(report: Any) -> str:
    """Return a report's failure text with what the test printed."""
    parts = [str(report.longrepr)] + [f"{title}:\n{text}" for title, text in report.sections]
    return "\n".join(parts)


def start_coverage(paths: list[str]) -> Any:
    """Start measuring the touched Python files; None without coverage.py or without such a file."""
    include = [str(Path.cwd() / path) for path in paths if path.endswith(".py")]
    if not include:
        return None
    try:
        import coverage

        measured: Any = coverage.Coverage(data_file=None, config_file=False, include=include, messages=False)
        measured.start()
    except Exception:  # noqa: BLE001 -- whatever a foreign coverage.py does, the tests still run
        return None
    return measured


def lines_of(measured: Any, paths: list[str], tests: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Give each test the lines it executed; return, for each path, executable and executed lines."""
    measured.stop()
    data: Any = measured.get_data()
    found: dict[str, Any] = {}
    for path in paths:
        where = str(Path.cwd() / path)
        if not path.endswith(".py") or not Path(where).is_file():
            continue
        try:
            _, statements, _, missing, _ = measured.analysis2(where)
        except Exception:  # noqa: BLE001, S112 -- a file that does not parse has no executable lines
            continue
        found[path] = {"executable": statements, "executed": sorted(set(statements) - set(missing))}
        by_test: dict[str, list[int]] = {}
        for line, contexts in data.contexts_by_lineno(where).items():
            for context in contexts:
                by_test.setdefault(context, []).append(line)
        for context, lines in by_test.items():
            if context in tests:
                tests[context].setdefault("covers", []).append([path, sorted(lines)])
    return found


def main(nonce: str, paths: list[str], arguments: list[str]) -> int:
    """Run pytest and write the report; return pytest's exit code, or 96 where there is no pytest."""
    try:
        import pytest
    except ImportError:
        return NO_PYTEST
    out = os.dup(1)
    sys.path.insert(0, str(Path.cwd()))
    measured = start_coverage(paths)
    recorder = Recorder(measured, paths)
    extra = ["-p", "no:cacheprovider"]
    if find_spec("pytest_cov") and "PYTEST_DISABLE_PLUGIN_AUTOLOAD" not in os.environ:
        extra.append("--no-cov")
    code = int(pytest.main([*extra, *arguments], plugins=[recorder]))
    lines = lines_of(measured, paths, recorder.tests) if measured else {}
    report = {"tests": list(recorder.tests.values())[:MAX_TESTS], "lines": lines, "exit": code}
    sys.stdout.flush()
    data = b"\x1e" + nonce.encode() + json.dumps(report).encode() + b"\n"
    while data:
        data = data[os.write(out, data) :]
    return code


if __name__ == "__main__":
    exit_code = main(sys.argv[1], json.loads(sys.argv[2]), sys.argv[3:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)
