"""The pipeline's pure parts: waves of tasks, when repairs end, which step wrote which line, what the log is told of a check."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.checks.beside import NO_SERVICE, beside
from studio.domain.changes import Provenance
from studio.domain.checks import CheckResult, Finding, Level, Outcome, TestCase
from studio.domain.edits import MatchKind
from studio.domain.ids import ArtifactId, TaskId
from studio.domain.plan import Plan, Task
from studio.pipeline.convergence import MAX_ROUNDS, best, verdict
from studio.pipeline.environment import noted
from studio.pipeline.provenance import Transition, loosest, touched_ranges
from studio.pipeline.results import CheckRound
from studio.pipeline.stages.build import waves
from studio.pipeline.stages.check import bounded


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    count = draw(st.integers(1, 8))
    tasks: list[Task] = []
    for number in range(count):
        needs = draw(st.sets(st.sampled_from(range(number)))) if number else set[int]()
        names = tuple(TaskId(f"T{need}") for need in sorted(needs))
        tasks.append(Task(TaskId(f"T{number}"), "", "", needs=names))
    return Plan(tuple(tasks))


@given(plans())
def test_a_wave_needs_only_earlier_waves(plan: Plan) -> None:
    done: set[TaskId] = set()
    found = waves(plan)
    for wave in found:
        assert all(set(task.needs) <= done for task in wave)
        done |= {task.id for task in wave}
    assert sorted(task.id for wave in found for task in wave) == sorted(task.id for task in plan.tasks)
    # As early as can be: a task is in the first wave after those it needs.
    at = {task.id: number for number, wave in enumerate(found) for task in wave}
    assert all(at[task.id] == max((at[need] + 1 for need in task.needs), default=0) for task in plan.tasks)


def test_a_need_that_nobody_meets_does_not_stop_the_rest() -> None:
    lost = Task(TaskId("T1"), "", "", needs=(TaskId("T9"),))
    assert [[task.id for task in wave] for wave in waves(Plan((lost, Task(TaskId("T2"), "", ""))))] == [["T2"], ["T1"]]


def checked(signature: str, failures: int = 1, failed: tuple[str, ...] = ("tests",)) -> CheckRound:
    return CheckRound("t", ArtifactId("a"), failed if signature else (), (), (), failures, signature, "")


@pytest.mark.parametrize(
    ("rounds", "why"),
    [
        ([checked("a")], ""),
        ([checked("a"), checked("")], "clean"),
        ([checked("a"), checked("a")], "same failure twice"),
        ([checked("a"), checked("b"), checked("a")], "oscillation"),
        ([checked("a", 1), checked("b", 2), checked("c", 3)], "growing findings"),
        ([checked("a", 1), checked("b", 2), checked("c", 2)], ""),
        ([checked(str(n), 9 - n) for n in range(MAX_ROUNDS + 1)], "rounds"),
    ],
)
def test_repairs_end_when_they_do_not_converge(rounds: list[CheckRound], why: str) -> None:
    assert verdict(rounds) == why


def test_the_best_round_fails_least_and_is_the_latest_of_equals() -> None:
    rounds = [checked("a", 5), checked("b", 2), checked("c", 2), checked("d", 1, ("lint", "tests"))]
    assert best(rounds) == 2


LINES = st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=8)


@given(LINES, st.lists(LINES, min_size=1, max_size=4))
def test_a_line_has_the_origin_of_its_last_writer(base: list[str], versions: list[list[str]]) -> None:
    """Lines get a mark of the step that wrote them; a carried line keeps its mark, so the marks tell the truth."""
    texts = [[f"{line}-base-{at}" for at, line in enumerate(base)]]
    for number, version in enumerate(versions):
        kept = [line for at, line in enumerate(texts[-1]) if at % 2]
        texts.append([*kept, *(f"{line}-{number}-{at}" for at, line in enumerate(version))])
    blobs = {str(at): "".join(f"{line}\n" for line in text).encode() for at, text in enumerate(texts)}
    transitions = [
        Transition(str(at), str(at + 1), (("f", MatchKind.EXACT),), Provenance(task=TaskId(str(at))))
        for at in range(len(versions))
    ]
    found = touched_ranges(transitions, str(len(versions)), lambda tree, _: blobs[tree])
    said = {
        line: touched.provenance.task
        for touched in found
        if touched.start
        for line in range(touched.start, touched.end + 1)
    }
    for at, line in enumerate(texts[-1], 1):
        writer = line.split("-")[1]
        assert said.get(at, "base") == writer


def test_a_deleted_file_is_told_by_its_path() -> None:
    gone = Transition("0", "1", (("f", MatchKind.EXACT),), Provenance(task=TaskId("T1")))
    found = touched_ranges([gone], "1", lambda tree, _: b"x\n" if tree == "0" else None)
    assert [(touched.path, touched.start, touched.end) for touched in found] == [("f", 0, 0)]


def test_the_loosest_match_is_told() -> None:
    kinds = list(MatchKind)
    assert loosest([kinds[0], kinds[-1]]) is kinds[-1]
    assert loosest([]) is MatchKind.UNKNOWN


def test_what_the_log_is_told_of_a_check_is_bounded() -> None:
    tests = [TestCase(f"t{n}", Outcome.PASSED, output="x" * 9000, covers=(("f", (1,)),)) for n in range(5000)]
    tests.append(TestCase("last", Outcome.FAILED, output="y" * 9000))
    findings = tuple(Finding("c", "r", Level.ERROR, "z" * 9000) for _ in range(3000))
    told = bounded(CheckResult("c", Outcome.FAILED, "t", tests=tuple(tests), findings=findings, command=("x" * 99999,)))
    assert told.tests[0].id == "last"
    assert len(told.tests) < 1000
    assert len(told.findings) < 1000
    assert not any(test.covers for test in told.tests)
    assert max(len(text) for text in (*told.command, *(one.message for one in told.findings))) <= 2000


def test_what_is_missing_is_said_of_verdicts_that_did_not_pass() -> None:
    passed = CheckResult("c", Outcome.PASSED, "t", summary="ok")
    failed = CheckResult("c", Outcome.FAILED, "t", summary="bad")
    unrun = CheckResult("c", Outcome.NOT_RUN, "t", reason="none")
    notes = ("deps is not mounted",)
    assert noted(passed, notes) == passed
    assert "deps is not mounted" in noted(failed, notes).summary
    assert "deps is not mounted" in noted(unrun, notes).reason
    assert noted(failed, ()) == failed


@pytest.mark.parametrize(
    ("services", "code"),
    [((), 3), (("sleep 60",), 3), (("true",), 3), (("sleep 60", "exit 5"), NO_SERVICE), (("exit 5",), NO_SERVICE)],
)
def test_services_run_beside_a_command(services: tuple[str, ...], code: int) -> None:
    argv = beside(services, ("sh", "-c", "exit 3"))
    assert subprocess.run(argv, check=False, timeout=60, capture_output=True).returncode == code
