"""Stage 7: tests for each criterion, seen to fail without the change where that can be shown."""

from __future__ import annotations

import asyncio

from studio.domain.checks import Outcome
from studio.domain.ids import TaskId
from studio.domain.plan import Task
from studio.domain.stages import Stage
from studio.pipeline.environment import prepare
from studio.pipeline.hidden import Hidden, checkout_shown
from studio.pipeline.results import Integrated, Recall, Tested, Understanding
from studio.pipeline.scope import brief_of
from studio.pipeline.services import current
from studio.pipeline.stage import runs_at, staged
from studio.pipeline.steps import RunSpec, step
from studio.pipeline.task import order_of, work_on
from studio.pipeline.trees import changed_paths
from studio.ports.engine import CheckJob

__all__ = ["write_tests"]

_GOAL = (
    "Write tests for every acceptance criterion of the requirements that no existing test covers. Test behaviour through "
    "public interfaces; change nothing but tests and what tests need."
)


async def write_tests(spec: RunSpec, recalled: Recall, understood: Understanding, merged: Integrated) -> Tested:
    """Let the test writer work on the integrated tree."""
    if not runs_at(spec, Stage.TEST):
        return Tested(merged.tree)

    async def write() -> Tested:
        names = tuple(requirement.id for requirement in understood.requirements)
        task = Task(TaskId("V1"), "tests for the acceptance criteria", _GOAL, requirements=names, role="test-writer")
        order = await order_of(
            Stage.TEST, task, merged.tree, recalled, understood, upstream=merged.summaries, role="test-writer"
        )
        work = await work_on(spec, order)
        if work.after == work.before:
            return Tested(merged.tree, (), (), -1, work.summary, work.ok)
        shown = await step(spec, "test/without", _fail_without, spec, work.before, work.after)
        return Tested(work.after, work.transitions, shown[0], shown[1], shown[2], work.ok)

    return await staged(spec, Stage.TEST, Tested, None, write, lambda done: (done.ok, done.detail))


async def _fail_without(spec: RunSpec, before: str, after: str) -> tuple[tuple[str, ...], int, str]:
    """Run the new tests on the base without the change: a test that passes there proves nothing about it."""
    services = current()
    paths = await asyncio.to_thread(changed_paths, services.workspace, before, after)
    hidden = Hidden((await brief_of(spec)).front.private)
    ready = await prepare(services, spec.run, spec.options.sandbox, spec.environment, spec.base_tree, hidden)
    if ready.sandbox is None:
        return paths, -1, f"{len(paths)} test files; not shown to fail without the change: {ready.detail}"
    # The base with the test files: what the change adds is left out.
    merged = await asyncio.to_thread(services.workspace.merge_trees, before, after, spec.base_tree)
    if not merged.tree:
        return paths, -1, f"{len(paths)} test files; the base cannot be joined with them"
    root, _ = await checkout_shown(services, spec.run, "without", merged.tree, hidden)
    job = CheckJob(
        root, merged.tree, paths, (), (), "all", ("tests",), spec.environment.test, spec.environment.services
    )
    results = await services.checks.run(job, ready.sandbox)
    tests = [test for result in results for test in result.tests]
    failing = sum(test.outcome is Outcome.FAILED for test in tests)
    if not tests and any(result.outcome is Outcome.FAILED for result in results):
        return paths, -1, f"{len(paths)} test files; without the change they cannot even be loaded"
    unloaded = sum("::" not in test.id for test in tests)
    if unloaded:
        return paths, failing, f"{len(paths)} test files; without the change {unloaded} of them cannot be loaded"
    return paths, failing, f"{len(paths)} test files; {failing} of {len(tests)} tests fail without the change"
