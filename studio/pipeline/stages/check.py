"""Stage 8: the checks on one tree, from exit codes, bound to the tree."""

from __future__ import annotations

import asyncio

import msgspec

from studio.checks.failures import describe, normalise
from studio.domain.checks import CheckResult, Outcome
from studio.domain.events import CheckFinished, CheckStarted
from studio.domain.ids import ArtifactId, content_digest
from studio.domain.value import decode, encode
from studio.pipeline.environment import noted, prepare
from studio.pipeline.hidden import Hidden, checkout_shown
from studio.pipeline.output import OutputStream
from studio.pipeline.results import CheckRound, Results
from studio.pipeline.scope import brief_of
from studio.pipeline.services import Services, current
from studio.pipeline.steady import steady
from studio.pipeline.steps import RunSpec
from studio.pipeline.trees import changed_lines, changed_paths
from studio.ports.engine import CheckJob

__all__ = ["check_tree", "load_results", "summary"]

_EVENT_TESTS = 500
_EVENT_FINDINGS = 200
_EVENT_TEXT = 2_000
_MODEL_TEXT = 12_000
"""Characters of failures a model is told."""


async def check_tree(spec: RunSpec, tree: str, number: int) -> CheckRound:
    """Check a tree: a step's work. Verdicts on a tree that was checked before in the same way are taken over."""
    services = current()
    environment = spec.environment
    front = (await brief_of(spec)).front
    accept, hidden = front.accept, Hidden(front.private)
    ready = await prepare(services, spec.run, spec.options.sandbox, environment, spec.base_tree, hidden)
    level = ready.sandbox.level if ready.sandbox else ""
    changed = await asyncio.to_thread(changed_paths, services.workspace, spec.base_tree, tree)
    lines = await asyncio.to_thread(changed_lines, services.workspace, spec.base_tree, tree, changed)
    key = content_digest("check", tree, spec.base_tree, level, *accept, encode(environment), *hidden.patterns)
    # What is mounted, set or served is not in the key, so such verdicts are never taken over.
    keeps = bool(level) and not (environment.mounts or environment.services or environment.variables or ready.notes)
    kept = services.reuse.find(key) if keeps else None
    if kept is not None:
        results = decode(await services.load(kept.artifact), Results).results
        for result in results:
            await _finished(services, spec, result, number)
        return _round(tree, kept.artifact, results)
    path, left_out = await checkout_shown(services, spec.run, "check", tree, hidden)
    notes = (*ready.notes, *([f"{len(left_out)} private files are left out"] if left_out else []))
    job = CheckJob(path, tree, changed, lines, accept, test_command=environment.test, services=environment.services)
    reporter = _Reporter(services, spec, number, tree, notes)
    results = tuple(noted(result, notes) for result in await services.checks.run(job, ready.sandbox, reporter.on_check))
    artifact = await services.keep(encode(Results(results)))
    if keeps and all(result.outcome is not Outcome.NOT_RUN for result in results):
        services.reuse.keep(key, artifact, 0.0, spec.run)
    return _round(tree, artifact, results)


class _Reporter:
    """Turns the runner's reports into events and live output."""

    def __init__(self, services: Services, spec: RunSpec, number: int, tree: str, notes: tuple[str, ...]) -> None:
        self._services = services
        self._spec = spec
        self._number = number
        self._tree = tree
        self._notes = notes
        self._streams: dict[str, OutputStream] = {}

    async def on_check(self, check: str, result: CheckResult | None, data: bytes) -> None:
        spec, services = self._spec, self._services
        if result is not None:
            output = await self._streams[check].finish() if check in self._streams else ArtifactId("")
            result = msgspec.structs.replace(noted(result, self._notes), output=output or result.output)
            await _finished(services, spec, result, self._number)
        elif data:
            if check not in self._streams:
                self._streams[check] = OutputStream(services, spec.run, f"check:{spec.run}/{self._number}/{check}")
            self._streams[check].write(data)
        else:
            await services.log(
                spec.run, _address(spec, self._number, check), CheckStarted(check, self._number, self._tree)
            )


def _address(spec: RunSpec, number: int, check: str) -> str:
    return spec.at(f"{'repair' if number else 'check'}/{check}/{number}")


def bounded(result: CheckResult) -> CheckResult:
    """Return a verdict small enough for the log: the artifact of the round has all tests, what they cover and print."""
    # Failed tests are the ones people look for.
    tests = sorted(result.tests, key=lambda test: test.outcome is not Outcome.FAILED)[:_EVENT_TESTS]
    return msgspec.structs.replace(
        result,
        tests=tuple(msgspec.structs.replace(test, covers=(), output=test.output[:_EVENT_TEXT]) for test in tests),
        findings=tuple(
            msgspec.structs.replace(finding, message=finding.message[:_EVENT_TEXT])
            for finding in result.findings[:_EVENT_FINDINGS]
        ),
        command=tuple(word[:_EVENT_TEXT] for word in result.command),
    )


async def _finished(services: Services, spec: RunSpec, result: CheckResult, number: int) -> None:
    event = CheckFinished(bounded(result), number)
    await services.log(spec.run, _address(spec, number, result.check), event, n=1)


def _round(tree: str, artifact: ArtifactId, results: tuple[CheckResult, ...]) -> CheckRound:
    by_outcome = {
        outcome: tuple(result.check for result in results if result.outcome is outcome) for outcome in Outcome
    }
    failing = [result for result in results if result.outcome is Outcome.FAILED]
    count = sum(
        max(1, len(result.findings) + sum(test.outcome is Outcome.FAILED for test in result.tests))
        for result in failing
    )
    return CheckRound(
        tree,
        artifact,
        by_outcome[Outcome.FAILED],
        by_outcome[Outcome.NOT_RUN],
        by_outcome[Outcome.PASSED],
        count,
        normalise(failing) if failing else "",
        steady(describe(failing, _MODEL_TEXT)) if failing else "",
    )


async def load_results(checked: CheckRound) -> tuple[CheckResult, ...]:
    """Return a round's full results."""
    return decode(await current().load(checked.results), Results).results


def summary(checked: CheckRound) -> str:
    """Return one line for people."""
    parts = [f"{len(checked.passed)} passed"] if checked.passed else []
    if checked.failed:
        parts.append("failed: " + ", ".join(checked.failed))
    if checked.not_run:
        parts.append("not run: " + ", ".join(checked.not_run))
    return " · ".join(parts) or "no check applies"
