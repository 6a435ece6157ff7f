from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.context.languages import EXTENSIONS
from studio.context.syntax import MAX_FINDINGS, TreeSitterSyntax
from studio.domain.checks import Level
from studio.ports.engine import SyntaxGate

CLEAN = {
    "a.py": b"def f(x: int) -> int:\n    return x + 1\n",
    "a.js": b"export const f = (x) => x + 1;\n",
    "a.ts": b"export function f(x: number): number { return x + 1; }\n",
    "a.tsx": b"export const A = () => <p>hello</p>;\n",
    "a.go": b"package a\n\nfunc f(x int) int { return x + 1 }\n",
    "A.java": b"class A { int f(int x) { return x + 1; } }\n",
    "a.rs": b"fn f(x: i32) -> i32 { x + 1 }\n",
    "a.rb": b"def f(x)\n  x + 1\nend\n",
    "a.php": b"<?php\nfunction f($x) { return $x + 1; }\n",
}
BROKEN = {
    "a.py": b"def f(x):\n    return (x + 1\n",
    "a.js": b"function f( { return 1;\n",
    "a.ts": b"function f(x: { return 1 }\n",
    "a.tsx": b"const a = <div><p></div>;\n",
    "a.go": b"package a\nfunc f() { x := \n}\n",
    "A.java": b"class A { void f() { int x = 1 } }\n",
    "a.rs": b"fn f() { let x = 1 let y = 2; }\n",
    "a.rb": b"def f\n  x = [1, 2\nend\n",
    "a.php": b"<?php\nfunction f( { }\n",
}
gate: SyntaxGate = TreeSitterSyntax()


@pytest.mark.parametrize("path", sorted(CLEAN))
def test_clean_source_has_no_errors(path: str) -> None:
    assert gate.language(path)
    assert gate.errors(path, CLEAN[path]) == []


@pytest.mark.parametrize("path", sorted(BROKEN))
def test_broken_source_is_located(path: str) -> None:
    errors = gate.errors(path, BROKEN[path])
    assert errors
    for error in errors:
        assert error.level is Level.ERROR
        assert error.path == path
        assert 1 <= error.start_line <= BROKEN[path].count(b"\n") + 1
        assert f"line {error.start_line}, column {error.start_column}" in error.message


def test_messages_name_what_is_wrong() -> None:
    assert gate.errors("A.java", BROKEN["A.java"])[0].message == "line 1, column 31: missing `;`"
    assert gate.errors("a.py", BROKEN["a.py"])[0].message == "line 2, column 12: `(` is never closed"
    assert "unexpected `)`" in gate.errors("a.py", b"x = 1)\n")[0].message


def test_columns_count_characters_not_bytes() -> None:
    assert gate.errors("A.java", 'class A { String s = "éé" }\n'.encode())[0].start_column == 26


def test_unknown_languages_and_data_are_passed_over() -> None:
    assert gate.language("notes.txt") is None
    assert gate.errors("notes.txt", b"((((") == []
    assert gate.errors("app.min.js", b"((((") == []
    assert gate.errors("a.js", b"x=(1;" * 10_000) == []
    assert gate.errors("a.py", b"\x00\x01(((") == []
    assert gate.errors("a.py", b"(\n" * 600_000) == []


def test_the_number_of_findings_is_bounded() -> None:
    assert 0 < len(gate.errors("A.java", b"class A { void f() {\n" + b"int x = 1\n" * 500 + b"} }")) <= MAX_FINDINGS


@pytest.mark.parametrize("path", ["a.py", "a.ts", "a.rs", "a.rb"])
@pytest.mark.parametrize("data", [b"(\n" * 20_000, b"{[(\n" * 9_000, b"\xff\xfe\n" * 900, b"x = f'{\n" * 2_000])
def test_deep_and_hostile_input_ends(path: str, data: bytes) -> None:
    assert len(gate.errors(path, data)) <= MAX_FINDINGS


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(sorted(EXTENSIONS)))
def test_no_bytes_break_it(data: bytes, extension: str) -> None:
    for finding in gate.errors(f"f{extension}", data):
        assert finding.start_line >= 1
        assert finding.message.isprintable()
