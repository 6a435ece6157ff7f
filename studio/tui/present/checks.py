"""The checks' rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from studio.tui.present.text import duration, plural
from widgets.ansi import clean
from widgets.checks_view import CheckRow

if TYPE_CHECKING:
    from studio.domain.checks import CheckResult, Finding, TestCase
    from studio.domain.state import RunState

__all__ = ["MAX_FINDINGS", "check_rows", "summary"]

MAX_FINDINGS = 500
"""Findings shown of one check; the rest is counted."""


def check_rows(run: RunState) -> list[CheckRow]:
    """Return the latest verdicts with their findings and failing tests, failures first, then what runs now."""
    running = [row for row in run.rows if row.kind == "check" and row.status == "running"]
    rows: list[CheckRow] = []
    order = {"failed": 0, "not-run": 1, "passed": 2}
    for result in sorted(run.checks.values(), key=lambda result: (order.get(result.outcome, 3), result.check)):
        rows.extend(_check(result, run.waived.get(result.check, "")))
    shown = {row.check for row in rows}
    rows.extend(
        CheckRow(f"running:{row.title}", "", "running", clean(row.title, 80), "running", check=row.title)
        for row in running
        if row.title not in shown
    )
    return rows


def _check(result: CheckResult, waived: str) -> list[CheckRow]:
    key = f"check:{result.check}"
    state = "waived" if waived and result.outcome == "failed" else str(result.outcome)
    detail = f"waived by {clean(waived, 120)}" if waived else clean(result.reason or result.summary, 160)
    if result.outcome == "not-run":
        detail = f"not run: {clean(result.reason, 160)}" if result.reason else "not run"
    if result.coverage is not None:
        detail = f"{detail} · {result.coverage:.0%} covered"
    right = duration(result.duration_ms / 1000)
    bad = result.outcome == "failed"
    rows = [CheckRow(key, "", state, clean(result.check, 80), detail, right, result.check, open=bad)]
    rows += [_finding(key, at, finding) for at, finding in enumerate(result.findings[:MAX_FINDINGS])]
    failing = [test for test in result.tests if test.outcome == "failed"]
    for at, test in enumerate(failing[:MAX_FINDINGS]):
        rows += _test(key, at, test, result.check)
    over = max(0, len(result.findings) - MAX_FINDINGS) + max(0, len(failing) - MAX_FINDINGS)
    if over:
        rows.append(CheckRow(f"{key}/over", key, "detail", f"{over} more are in the output", check=result.check))
    return rows


def _finding(key: str, at: int, finding: Finding) -> CheckRow:
    place = f"{clean(finding.path, 120)}:{finding.start_line}" if finding.path else ""
    title = f"{clean(finding.rule, 40)} {clean(finding.message, 300)}".strip()
    return CheckRow(
        f"{key}/finding/{at}",
        key,
        str(finding.level),
        title,
        "",
        place,
        finding.check,
        finding.path,
        finding.start_line,
    )


def _test(key: str, at: int, test: TestCase, check: str) -> list[CheckRow]:
    own = f"{key}/test/{at}"
    lines = [clean(line, 200) for line in test.output.splitlines() if line.strip()]
    said = [line for line in lines if line.startswith(("E ", "Error", "assert"))] or lines
    path = test.id.split("::")[0]
    rows = [CheckRow(own, key, "error", clean(test.id, 200), "", "", check, path, open=True)]
    rows += [CheckRow(f"{own}/{n}", own, "detail", line, "", "", check, path) for n, line in enumerate(said[:6])]
    return rows


def summary(run: RunState) -> str:
    """Return the verdicts in one line: `1 failed · 2 not run · 4 passed`."""
    counts = {"failed": 0, "not-run": 0, "passed": 0}
    waived = 0
    for result in run.checks.values():
        if result.check in run.waived and result.outcome == "failed":
            waived += 1
        else:
            counts[str(result.outcome)] = counts.get(str(result.outcome), 0) + 1
    parts = [f"{count} {name.replace('-', ' ')}" for name, count in counts.items() if count]
    if waived:
        parts.append(f"{waived} waived")
    rounds = max((point.round for point in run.trend), default=0)
    if rounds:
        parts.append(plural(rounds, "repair round"))
    if run.confidence is not None:
        parts.append(f"confidence {run.confidence.value:.0%}")
    return " · ".join(parts)
