"""The checks in the real sandbox."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from studio.checks.runner import CheckRunner
from studio.context.syntax import TreeSitterSyntax
from studio.domain.checks import Outcome
from studio.ports.engine import CheckJob
from studio.sandbox.bubblewrap import BubblewrapSandbox

pytestmark = pytest.mark.bubblewrap


@pytest.fixture
async def sandbox() -> AsyncIterator[BubblewrapSandbox]:
    backend = BubblewrapSandbox()
    yield backend
    await backend.close()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    root.mkdir()
    (root / "shop.py").write_text("def share(total: int, people: int) -> float:\n    return total / people\n")
    (root / "test_shop.py").write_text(
        "from shop import share\n\n\ndef test_share() -> None:\n    assert share(6, 3) == 2\n"
    )
    return root


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    secret = tmp_path / "outside.toml"
    secret.write_text("very-secret-outside = true\n")
    return secret


def names(tree: Path) -> list[str]:
    return sorted(path.name for path in tree.rglob("*"))


async def test_every_check_passes_on_a_clean_tree(sandbox: BubblewrapSandbox, tree: Path) -> None:
    before = names(tree)
    job = CheckJob(
        tree,
        "t" * 40,
        changed=("shop.py",),
        changed_lines=(("shop.py", (1, 2)),),
        accept=("test -f shop.py && touch left-behind",),
    )
    results = {result.check: result for result in await CheckRunner(TreeSitterSyntax()).run(job, sandbox)}
    assert {name: result.outcome for name, result in results.items()} == dict.fromkeys(
        ("syntax", "secrets", "lint", "format", "security", "types", "tests", "accept"), Outcome.PASSED
    )
    assert {result.sandbox for name, result in results.items() if name != "secrets"} == {"bubblewrap"}
    assert results["tests"].coverage == 1.0
    assert results["tests"].tests[0].covers == (("shop.py", (2,)),)
    assert names(tree) == before


async def test_configuration_reaches_nothing_outside_the_tree(
    sandbox: BubblewrapSandbox, tree: Path, outside: Path
) -> None:
    (tree / "ruff.toml").write_text(f'extend = "{outside}"\n')
    job = CheckJob(tree, "t", changed=("shop.py",), only=("lint", "format"))
    for result in await CheckRunner(TreeSitterSyntax()).run(job, sandbox):
        assert result.outcome is Outcome.NOT_RUN
        assert "very-secret-outside" not in result.reason


@pytest.mark.parametrize(
    "forgery", ["import os\n\n\ndef test_a() -> None:\n    os._exit(0)\n", "raise SystemExit(0)\n"]
)
async def test_no_early_end_passes(sandbox: BubblewrapSandbox, tree: Path, forgery: str) -> None:
    (tree / "test_shop.py").write_text(forgery)
    (result,) = await CheckRunner(TreeSitterSyntax()).run(CheckJob(tree, "t", only=("tests",)), sandbox)
    assert result.outcome is Outcome.FAILED
