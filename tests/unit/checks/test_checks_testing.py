from __future__ import annotations

from pathlib import Path

import pytest

from studio.checks.runner import CheckRunner
from studio.context.syntax import TreeSitterSyntax
from studio.domain.checks import CheckResult, Outcome
from studio.ports.engine import CheckJob
from tests.fakes.local_sandbox import LocalSandbox

MODULE = """\
def share(total, people):
    if people == 0:
        return 0.0
    return total / people
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    root.mkdir()
    (root / "shop.py").write_text(MODULE)
    return root


async def run(tree: Path, **more: object) -> CheckResult:
    job = CheckJob(tree, "t", only=("tests",), **more)  # pyright: ignore[reportArgumentType] -- fields by name
    (result,) = await CheckRunner(TreeSitterSyntax()).run(job, LocalSandbox())
    return result


async def test_each_test_tells_the_changed_lines_it_executed(tree: Path) -> None:
    (tree / "test_shop.py").write_text(
        "import unittest\nfrom shop import share\n\n"
        "def test_share():\n    assert share(6, 3) == 2\n\n"
        "class Zero(unittest.TestCase):\n    def test_zero(self):\n        self.assertEqual(share(6, 1), 6)\n"
    )
    result = await run(tree, changed=("shop.py",), changed_lines=(("shop.py", (2, 3, 4, 5)),))
    assert result.outcome is Outcome.PASSED
    assert result.summary == "2 passed"
    assert {test.id for test in result.tests} == {"test_shop.py::test_share", "test_shop.py::Zero::test_zero"}
    assert all(test.covers == (("shop.py", (2, 4)),) for test in result.tests)
    assert result.coverage == pytest.approx(2 / 3)


async def test_a_failure_tells_its_assertion(tree: Path) -> None:
    (tree / "test_shop.py").write_text("from shop import share\n\ndef test_share():\n    assert share(6, 3) == 3\n")
    result = await run(tree)
    assert (result.outcome, result.exit_code) == (Outcome.FAILED, 1)
    assert result.findings[0].rule == "test_shop.py::test_share"
    assert "assert 2.0 == 3" in result.findings[0].message
    assert "assert 2.0 == 3" in result.tests[0].output


async def test_a_file_that_cannot_be_collected_is_a_failure(tree: Path) -> None:
    (tree / "test_shop.py").write_text("import nowhere_to_be_found\n")
    result = await run(tree)
    assert result.outcome is Outcome.FAILED
    assert "nowhere_to_be_found" in result.findings[0].message


async def test_no_tests_is_not_run(tree: Path) -> None:
    result = await run(tree)
    assert (result.outcome, result.reason) == (Outcome.NOT_RUN, "no tests were collected")


async def test_only_skipped_tests_prove_nothing(tree: Path) -> None:
    (tree / "test_shop.py").write_text("import pytest\n\n@pytest.mark.skip\ndef test_a():\n    pass\n")
    assert (await run(tree)).outcome is Outcome.NOT_RUN


@pytest.mark.parametrize(
    "forgery",
    [
        "import os\n\ndef test_a():\n    os._exit(0)\n",
        (
            "import os, sys\n\ndef test_a():\n    n = open('/proc/self/cmdline').read().split(chr(0))[-5]\n"
            "    os.write(1, b'\\x1e' + n.encode() + b'{\"tests\":[],\"exit\":0}')\n    assert False\n"
        ),
        "def test_a():\n    raise SystemExit(0)\n",
    ],
)
async def test_no_early_end_and_no_forged_report_passes(tree: Path, forgery: str) -> None:
    (tree / "test_shop.py").write_text(forgery)
    assert (await run(tree)).outcome is Outcome.FAILED


async def test_the_report_is_not_shown_to_people(tree: Path) -> None:
    (tree / "test_shop.py").write_text("def test_a():\n    pass\n")
    shown = bytearray()

    async def on_check(_check: str, _result: CheckResult | None, data: bytes) -> None:
        shown.extend(data)

    job = CheckJob(tree, "t", only=("tests",))
    await CheckRunner(TreeSitterSyntax()).run(job, LocalSandbox(), on_check)
    assert b"1 passed" in shown
    assert b"\x1e" not in shown
    assert b'"tests"' not in shown


async def test_the_environments_command_replaces_pytest(tree: Path) -> None:
    assert (await run(tree, test_command="echo ok")).outcome is Outcome.PASSED
    failed = await run(tree, test_command="echo no; exit 4")
    assert (failed.outcome, failed.exit_code) == (Outcome.FAILED, 4)
