"""What failed, in two forms: a signature that stays the same when the failure does, and text for a model."""

from __future__ import annotations

import re
from collections.abc import Sequence

from studio.domain.checks import CheckResult, Finding, Level, Outcome
from studio.domain.ids import content_digest

__all__ = ["describe", "failures", "normalise", "signature"]

_ORDER = ("syntax", "secrets", "accept", "tests", "types", "lint", "security", "format")
_NOISE: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\x1b\[[0-9;?]*[A-Za-z]"), ""),
    (re.compile(r"\b0x[0-9a-fA-F]{4,}\b"), "0x…"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?"), "TIME"),
    (re.compile(r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b"), "UUID"),
    (re.compile(r"(?:/[\w.+-]+)*/(?:tmp|work|var/folders|private)(?:/[\w.+-]+)*/"), ""),
    (re.compile(r"\b\d+(?:\.\d+)?\s?(?:ms|s|sec|secs|seconds?|minutes?)\b"), "DURATION"),
    (re.compile(r"(?:\bline |\bcolumn |\.\w{1,4}:)\d+(?::\d+)?"), "AT"),
    (re.compile(r"\bport \d+|127\.0\.0\.1:\d+|localhost:\d+"), "PORT"),
    (re.compile(r"\bpid[ =:]\d+", re.IGNORECASE), "PID"),
    (re.compile(r"\s+"), " "),
)


def failures(results: Sequence[CheckResult]) -> list[str]:
    """Return one stable line for each distinct failure, sorted.

    Temporary paths, durations, addresses, times, ports and line numbers are taken out, and a failure that moves down
    the file stays the same. Passed and unrun checks, notes and warnings of a failed check with errors leave no line.
    """
    lines: set[str] = set()
    for result in results:
        if result.outcome is not Outcome.FAILED:
            continue
        telling = _telling(result)
        for finding in telling:
            lines.add(f"{result.check} {finding.path} {_plain(finding.rule)} {_plain(finding.message)}")
        if not telling:
            lines.add(f"{result.check} exit {result.exit_code} {_plain(result.summary)}")
    return sorted(lines)


def normalise(results: Sequence[CheckResult]) -> str:
    """Return the normalised failure: what the repair loop compares and memory is asked about; empty when none failed."""
    return "\n".join(failures(results))


def signature(results: Sequence[CheckResult]) -> str:
    """Return 16 hex digits that are equal for the same normalised failure; empty when none failed."""
    text = normalise(results)
    return content_digest(text)[:16] if text else ""


def describe(results: Sequence[CheckResult], limit: int = 8000) -> str:
    """Return what failed as text for a model, in at most `limit` characters, what explains most first.

    Output of a tree's own programs is quoted: the reader is told that it is data.
    """
    failed = sorted(
        (result for result in results if result.outcome is Outcome.FAILED), key=lambda result: _rank(result.check)
    )
    parts: list[str] = []
    for result in failed:
        parts.append(f"## {result.check}: {result.summary or 'failed'}")
        if result.command and result.exit_code is not None and result.check.startswith(("accept", "tests")):
            parts.append(f"Command: {' '.join(result.command)[:200]} (exit code {result.exit_code})")
        outputs = {test.id: test.output for test in result.tests if test.outcome is Outcome.FAILED}
        for finding in _telling(result):
            parts.append(_line(finding))
            if outputs.get(finding.rule):
                parts.append(_quoted(outputs.pop(finding.rule)))
    missing = [f"{result.check} ({result.reason})" for result in results if result.outcome is Outcome.NOT_RUN]
    if failed and missing:
        parts.append("Not run: " + "; ".join(missing))
    return _bounded(parts, limit)


def _telling(result: CheckResult) -> list[Finding]:
    errors = [finding for finding in result.findings if finding.level is Level.ERROR]
    return errors or [finding for finding in result.findings if finding.level is Level.WARNING]


def _plain(text: str) -> str:
    for pattern, replacement in _NOISE:
        text = pattern.sub(replacement, text)
    return text.strip()[:400]


def _rank(check: str) -> int:
    name = check.split("-", maxsplit=1)[0]
    return _ORDER.index(name) if name in _ORDER else len(_ORDER)


def _line(finding: Finding) -> str:
    place = f"{finding.path}:{finding.start_line}" if finding.start_line else finding.path
    rule = f" [{finding.rule}]" if finding.rule and finding.rule != "exit" else ""
    return f"- {place}{': ' if place else ''}{finding.message}{rule}"


def _quoted(output: str, lines: int = 40) -> str:
    kept = output.strip().splitlines()[-lines:]
    return "\n".join(f"    | {line[:240]}" for line in kept)


def _bounded(parts: list[str], limit: int) -> str:
    """Join parts until the limit; the first that does not fit is cut, and the rest is counted."""
    out: list[str] = []
    left = limit
    for index, part in enumerate(parts):
        if len(part) + 1 > left:
            rest = f"… {len(parts) - index} more lines were left out"
            room = left - len(rest) - 2
            if room > len("| "):
                out.append(part[:room])
            if left >= len(rest):
                out.append(rest)
            break
        out.append(part)
        left -= len(part) + 1
    return "\n".join(out)[:limit]
