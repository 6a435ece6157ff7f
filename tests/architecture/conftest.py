"""The sources that the rules are about, and the table of SDKs."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
TOPS = ("studio", "widgets", "themes")


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the project's root."""
    return ROOT


@pytest.fixture(scope="session")
def table() -> dict[str, Any]:
    """Return the table of SDKs: their homes, and what each kind of process may load."""
    return tomllib.loads(Path(__file__).with_name("sdks.toml").read_text())


@pytest.fixture(scope="session")
def project() -> dict[str, Any]:
    """Return pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture(scope="session")
def modules() -> dict[Path, ast.Module]:
    """Return the syntax tree of every module of the product, by its path below the root."""
    paths = [path for top in TOPS for path in _python_files(ROOT / top)]
    return {path.relative_to(ROOT): ast.parse(path.read_text(), str(path)) for path in paths}


def _python_files(directory: Path) -> Iterator[Path]:
    """Yield the product's own files: the demo's scratch repository is a user's."""
    yield from sorted(path for path in directory.rglob("*.py") if not {"__pycache__", "demodata"} & set(path.parts))
