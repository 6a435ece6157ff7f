from __future__ import annotations

import os
from pathlib import Path

import pytest

from studio.checks.runner import CheckRunner
from studio.context.syntax import TreeSitterSyntax
from studio.domain.checks import CheckResult, Level, Outcome
from studio.ports.engine import CheckJob, Checks
from tests.fakes.local_sandbox import LocalSandbox

MODULE = """\
def share(total: int, people: int) -> float:
    if people == 0:
        return 0.0
    return total / people


def unused() -> int:
    return 7
"""
TESTS = """\
from shop import share


def test_share() -> None:
    assert share(6, 3) == 2
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "tests").mkdir(parents=True)
    (root / "shop.py").write_text(MODULE)
    (root / "tests" / "test_shop.py").write_text(TESTS)
    return root


@pytest.fixture
def runner() -> CheckRunner:
    return CheckRunner(TreeSitterSyntax())


async def only(runner: Checks, tree: Path, check: str, **more: object) -> CheckResult:
    job = CheckJob(tree, "a" * 40, only=(check,), **more)  # pyright: ignore[reportArgumentType] -- fields by name
    (result,) = await runner.run(job, LocalSandbox())
    return result


async def test_a_clean_tree_passes_everything_that_runs(runner: CheckRunner, tree: Path) -> None:
    job = CheckJob(tree, "a" * 40, changed=("shop.py",), accept=("python3 -c 'import shop'",))
    names = runner.names(job)
    assert names == ("syntax", "secrets", "lint", "format", "security", "types", "tests", "accept")
    seen: list[tuple[str, str]] = []

    async def on_check(check: str, result: CheckResult | None, data: bytes) -> None:
        seen.append((check, "end" if result else "output" if data else "start"))

    results = await runner.run(job, LocalSandbox(), on_check)
    assert [result.check for result in results] == list(names)
    assert {result.check: result.outcome for result in results} == dict.fromkeys(names, Outcome.PASSED)
    assert {result.tree for result in results} == {"a" * 40}
    for name in names:
        own = [kind for check, kind in seen if check == name]
        assert own[0] == "start"
        assert own[-1] == "end"
    assert ("tests", "output") in seen


async def test_without_a_sandbox_nothing_runs(runner: CheckRunner, tree: Path) -> None:
    results = await runner.run(CheckJob(tree, "t"), None)
    assert results
    assert all(result.outcome is Outcome.NOT_RUN and result.reason for result in results)


async def test_a_missing_tool_is_not_run(runner: CheckRunner, tree: Path) -> None:
    job = CheckJob(tree, "t", only=("lint", "types", "security", "tests"))
    results = await runner.run(job, LocalSandbox(path="/usr/bin:/bin"))
    assert {result.check for result in results if result.outcome is Outcome.NOT_RUN} >= {"lint", "types", "security"}
    assert all("not in the sandbox" in result.reason for result in results if result.check != "tests")


async def test_the_fast_tier_runs_no_code_of_the_tree(runner: CheckRunner, tree: Path) -> None:
    assert runner.names(CheckJob(tree, "t", tier="fast")) == ("syntax", "secrets", "lint", "format")


async def test_syntax_uses_the_compiler_and_the_parser(runner: CheckRunner, tree: Path) -> None:
    (tree / "shop.py").write_text("def f(:\n    pass\n")
    (tree / "A.java").write_text("class A { void f() { int x = 1 } }\n")
    result = await only(runner, tree, "syntax")
    assert result.outcome is Outcome.FAILED
    assert result.exit_code == 1
    assert {(finding.path, finding.start_line) for finding in result.findings} == {("shop.py", 1), ("A.java", 1)}


async def test_lint_fails_on_defects_not_on_taste(runner: CheckRunner, tree: Path) -> None:
    (tree / "shop.py").write_text("import os\nl = lambda: undefined\n")
    result = await only(runner, tree, "lint")
    assert result.outcome is Outcome.FAILED
    assert {finding.rule for finding in result.findings} == {"F401", "F821"}
    assert {finding.path for finding in result.findings} == {"shop.py"}
    (tree / "pyproject.toml").write_text('[tool.ruff.lint]\nselect = ["E731"]\n')
    assert {finding.rule for finding in (await only(runner, tree, "lint")).findings} == {"E731"}


async def test_format_is_a_note_until_the_repository_sets_a_formatter(runner: CheckRunner, tree: Path) -> None:
    (tree / "shop.py").write_text("x = {  'a':1 }\n")
    result = await only(runner, tree, "format")
    assert (result.outcome, result.exit_code) == (Outcome.PASSED, 0)
    assert [(finding.path, finding.level) for finding in result.findings] == [("shop.py", Level.NOTE)]
    (tree / "pyproject.toml").write_text("[tool.black]\nline-length = 100\n")
    assert (await only(runner, tree, "format")).outcome is Outcome.FAILED


async def test_types_and_security_find_what_they_are_for(runner: CheckRunner, tree: Path) -> None:
    (tree / "shop.py").write_text("import subprocess\nx: int = 'a'\nsubprocess.call('ls', shell=True)\neval(input())\n")
    types = await only(runner, tree, "types", changed=("shop.py",))
    assert [(finding.rule, finding.start_line) for finding in types.findings] == [("assignment", 2)]
    assert types.outcome is Outcome.FAILED
    security = await only(runner, tree, "security")
    assert security.outcome is Outcome.FAILED
    assert "B307" in {finding.rule for finding in security.findings}


async def test_secrets_are_named_by_kind_alone(runner: CheckRunner, tree: Path) -> None:
    key = "AKIA" + "Q3EGXJ7KLMWPZ2RT"
    (tree / "shop.py").write_text(f"OLD = '{key}'\nNEW = '{key}'\nDOC = 'AKIAIOSFODNN7EXAMPLE'\n")
    result = await only(runner, tree, "secrets", changed=("shop.py",), changed_lines=(("shop.py", (2, 3)),))
    assert result.outcome is Outcome.FAILED
    assert [finding.start_line for finding in result.findings] == [2]
    assert key not in result.findings[0].message


async def test_links_and_odd_names_are_not_followed(runner: CheckRunner, tree: Path, tmp_path: Path) -> None:
    (tmp_path / "outside.py").write_text("def f(:\n")
    (tree / "link.py").symlink_to(tmp_path / "outside.py")
    (tree / "-c.py").write_text("x = 1\n")
    odd = os.open(os.fsencode(tree) + b"/\xff.py", os.O_CREAT | os.O_WRONLY)
    os.write(odd, b"def f(:\n")
    os.close(odd)
    os.mkfifo(tree / "pipe.py")
    job = CheckJob(
        tree, "t", changed=("link.py", "../outside.py", "-c.py", "gone.py", "pipe.py"), only=("syntax", "lint")
    )
    assert runner.names(job) == ("syntax", "lint")
    (tree / "pipe.py").unlink()
    assert {result.outcome for result in await runner.run(job, LocalSandbox())} == {Outcome.PASSED}


async def test_many_files_fit_a_command_line(runner: CheckRunner, tree: Path) -> None:
    for number in range(600):
        (tree / f"module_{number}.py").write_text("x = 1\n")
    (tree / "last.py").write_text("import os\n")
    result = await only(runner, tree, "lint")
    assert [(finding.path, finding.rule) for finding in result.findings] == [("last.py", "F401")]
    assert result.command[-1] == "."


async def test_accept_commands_are_each_a_verdict(runner: CheckRunner, tree: Path) -> None:
    job = CheckJob(tree, "t", accept=("true", "echo broken; exit 3"), only=("accept",))
    first, second = await runner.run(job, LocalSandbox())
    assert (first.check, first.outcome) == ("accept-1", Outcome.PASSED)
    assert (second.check, second.outcome, second.exit_code) == ("accept-2", Outcome.FAILED, 3)
    assert "broken" in second.findings[0].message
