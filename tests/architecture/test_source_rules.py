"""Sizes, types and homes, read from the source."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MOST_LINES = 400
MOST_FUNCTION_LINES = 60
OURS = {"studio", "widgets", "themes"}
MODULE_OF = {"gitpython": "git", "pyyaml": "yaml"}
"""Distributions whose module has another name."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(tree: ast.Module) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def imported(tree: ast.Module) -> set[str]:
    """Return the names of the modules a module imports, anywhere in it, absolute ones only."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module)
    return names


def package_of(path: Path) -> str:
    """Return `studio.tui` for a file in it, `widgets` for one of the widgets."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:2]) if parts[0] == "studio" else parts[0]


def test_no_file_is_too_long(modules: dict[Path, ast.Module], root: Path) -> None:
    lengths = {str(path): len((root / path).read_text().splitlines()) for path in modules}

    assert {path: length for path, length in lengths.items() if length > MOST_LINES} == {}


def test_no_function_is_too_long(modules: dict[Path, ast.Module]) -> None:
    lengths = {
        f"{path}:{node.lineno} {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path, tree in modules.items()
        for node in functions(tree)
    }

    assert {name: length for name, length in lengths.items() if length > MOST_FUNCTION_LINES} == {}


def test_every_function_is_typed(modules: dict[Path, ast.Module]) -> None:
    untyped = [
        f"{path}:{node.lineno} {node.name}"
        for path, tree in modules.items()
        for node in functions(tree)
        if node.returns is None or any(arg.annotation is None for arg in _arguments(node))
    ]

    assert untyped == []


def _arguments(node: Function) -> list[ast.arg]:
    given = node.args
    every = [*given.posonlyargs, *given.args, *given.kwonlyargs]
    every += [arg for arg in (given.vararg, given.kwarg) if arg is not None]
    return [arg for arg in every if arg.arg not in {"self", "cls"}]


def test_every_sdk_is_imported_in_its_home_only(modules: dict[Path, ast.Module], table: dict[str, Any]) -> None:
    strays = [
        f"{path} imports {name}"
        for path, tree in modules.items()
        for name in imported(tree)
        if package_of(path) not in table["homes"].get(name.split(".")[0], [package_of(path)])
    ]

    assert strays == []


def test_the_contracts_say_what_the_table_says(project: dict[str, Any], table: dict[str, Any]) -> None:
    contracts = project["tool"]["importlinter"]["contracts"]
    protected = {
        contract["protected_modules"][0]: contract["allowed_importers"]
        for contract in contracts
        if contract["type"] == "protected"
    }

    assert protected == {sdk: table["homes"][sdk] for sdk in protected}
    assert len(protected) >= 8


def test_every_package_that_is_imported_is_declared(modules: dict[Path, ast.Module], project: dict[str, Any]) -> None:
    named = [re.match(r"[\w.-]+", one) for one in project["project"]["dependencies"]]
    distributions = {match.group().lower() for match in named if match}
    declared = {MODULE_OF.get(name, name.replace("-", "_")) for name in distributions}
    used = {name.split(".")[0] for tree in modules.values() for name in imported(tree)}

    assert used - set(sys.stdlib_module_names) - OURS - declared == set()


def test_every_package_says_what_it_is_for(root: Path) -> None:
    packages = [path.parent for path in (root / "studio").glob("*/__init__.py")] + [root / "widgets", root / "themes"]

    assert [str(path.relative_to(root)) for path in packages if not (path / "README.md").is_file()] == []
