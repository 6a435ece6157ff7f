"""SARIF 2.1.0, out and in. Reading accepts what ruff writes and passes over what it does not know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from studio.checks.base import inside
from studio.domain.checks import CheckResult, Finding, Level, Outcome
from studio.domain.value import Value

__all__ = ["from_sarif", "to_sarif"]

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


class _Text(Value, frozen=True):
    text: str = ""


class _Artifact(Value, frozen=True):
    uri: str = ""


class _Region(Value, frozen=True, rename="camel"):
    start_line: int = 0
    end_line: int = 0
    start_column: int = 0


class _Physical(Value, frozen=True, rename="camel"):
    artifact_location: _Artifact = _Artifact()
    region: _Region = _Region()


class _Location(Value, frozen=True, rename="camel"):
    physical_location: _Physical = _Physical()


class _Result(Value, frozen=True, rename="camel"):
    message: _Text = _Text()
    rule_id: str | None = None
    level: str = "warning"
    locations: tuple[_Location, ...] = ()


class _Run(Value, frozen=True):
    results: tuple[_Result, ...] = ()


class _Log(Value, frozen=True):
    runs: tuple[_Run, ...] = ()


_LEVELS = {"error": Level.ERROR, "warning": Level.WARNING}


def from_sarif(text: str, check: str) -> tuple[Finding, ...]:
    """Return the findings of a SARIF log; empty where the text is none."""
    try:
        log = msgspec.json.decode(text, type=_Log)
    except (msgspec.MsgspecError, RecursionError):
        return ()
    return tuple(_finding(check, result) for run in log.runs for result in run.results)


def _finding(check: str, result: _Result) -> Finding:
    place = result.locations[0].physical_location if result.locations else _Physical()
    region = place.region
    return Finding(
        check,
        result.rule_id or "",
        _LEVELS.get(result.level, Level.NOTE),
        result.message.text,
        inside(place.artifact_location.uri) if place.artifact_location.uri else "",
        region.start_line,
        region.end_line or region.start_line,
        region.start_column,
    )


def to_sarif(results: Sequence[CheckResult], version: str = "") -> dict[str, Any]:
    """Return results as one SARIF log: a run for each check, its verdict in the run's properties and invocation."""
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [_run(result, version) for result in results]}


def _run(result: CheckResult, version: str) -> dict[str, Any]:
    rules = sorted({finding.rule for finding in result.findings if finding.rule})
    driver: dict[str, Any] = {"name": f"studio/{result.check}", "rules": [{"id": rule} for rule in rules]}
    if version:
        driver["version"] = version
    run: dict[str, Any] = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(finding, rules) for finding in result.findings],
        "properties": {"outcome": result.outcome.value, "tree": result.tree, "summary": result.summary},
    }
    invocation: dict[str, Any] = {"executionSuccessful": result.outcome is not Outcome.NOT_RUN}
    if result.command:
        invocation["arguments"] = list(result.command)
    if result.exit_code is not None:
        invocation["exitCode"] = result.exit_code
    if result.reason:
        invocation["exitCodeDescription"] = result.reason
    run["invocations"] = [invocation]
    return run


def _result(finding: Finding, rules: list[str]) -> dict[str, Any]:
    out: dict[str, Any] = {
        "level": finding.level.value,
        "message": {"text": finding.message or finding.rule or "finding"},
    }
    if finding.rule:
        out |= {"ruleId": finding.rule, "ruleIndex": rules.index(finding.rule)}
    if finding.path:
        physical: dict[str, Any] = {"artifactLocation": {"uri": _uri(finding.path), "uriBaseId": "SRCROOT"}}
        if finding.start_line > 0:
            region = {"startLine": finding.start_line}
            if finding.end_line >= finding.start_line:
                region["endLine"] = finding.end_line
            if finding.start_column > 0:
                region["startColumn"] = finding.start_column
            physical["region"] = region
        out["locations"] = [{"physicalLocation": physical}]
    return out


def _uri(path: str) -> str:
    from urllib.parse import quote

    return quote(path)
