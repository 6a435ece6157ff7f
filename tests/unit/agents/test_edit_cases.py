"""The thirty cases in which editors driven by models go wrong, and what is right in each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest

from studio.agents.edits.apply import EditOutcome, apply_edits
from studio.agents.edits.formats import parse_reply
from studio.agents.edits.paths import EditPolicy
from studio.domain.edits import MatchKind


def block(path: str, search: str, replace: str) -> str:
    return f"{path}\n<<<<<<< SEARCH\n{search}=======\n{replace}>>>>>>> REPLACE\n"


@dataclass(frozen=True)
class Case:
    reply: str
    files: Mapping[str, bytes]
    result: Mapping[str, bytes | None] | None = None
    match: MatchKind | None = None
    refused: str = ""
    note: str = ""
    link_on: Callable[[str], str] = lambda _path: ""


E, T, ID, P = MatchKind.EXACT, MatchKind.TRAILING_SPACE, MatchKind.INDENTATION, MatchKind.PUNCTUATION
TWO = b"def f():\n    return 1\n\ndef g():\n    return 1\n"

CASES: dict[str, Case] = {
    "01 CRLF": Case(block("a", "b\n", "B\nC\n"), {"a": b"a\r\nb\r\nc\r\n"}, {"a": b"a\r\nB\r\nC\r\nc\r\n"}, E),
    "02 mixed ends": Case(block("a", "b\n", "B\n"), {"a": b"a\r\nb\nc\rd\n"}, {"a": b"a\r\nB\nc\rd\n"}, E),
    "03 no newline at the end": Case(block("a", "a\n", "A\n"), {"a": b"a\nz"}, {"a": b"A\nz"}, E),
    "03b the last line itself": Case(block("a", "z\n", "Z\n"), {"a": b"a\nz"}, {"a": b"a\nZ"}, E),
    "04 append without a newline": Case(
        "a\n<<<<<<< APPEND\n=======\nz\n>>>>>>> REPLACE\n", {"a": b"a"}, {"a": b"a\nz\n"}, E
    ),
    "05 tabs for spaces": Case(
        block("a", "if x:\n    y()\n", "if x:\n    y()\n    if z:\n        w()\n"),
        {"a": b"def f():\n\tif x:\n\t\ty()\n"},
        {"a": b"def f():\n\tif x:\n\t\ty()\n\t\tif z:\n\t\t\tw()\n"},
        ID,
    ),
    "06 shifted": Case(
        block("a", "x = 1\ny = 2\n", "x = 1\nif x:\n    y = 3\n"),
        {"a": b"def f():\n    x = 1\n    y = 2\n"},
        {"a": b"def f():\n    x = 1\n    if x:\n        y = 3\n"},
        ID,
    ),
    "07 other widths": Case(
        block("a", "if a:\n  b()\n  if c:\n    d()\n", "if a:\n  if c:\n    e()\n"),
        {"a": b"    if a:\n        b()\n        if c:\n            d()\n"},
        {"a": b"    if a:\n        if c:\n            e()\n"},
        ID,
    ),
    "07b one level for two": Case(block("a", "b()\nc()\n", "d()\n"), {"a": b"    b()\n  c()\n"}, refused="nowhere"),
    "08 duplicates": Case(
        block("a", "    return 1\n", "    return 2\n"), {"a": TWO}, refused="2 places, at lines 2, 5"
    ),
    "09 trailing white space": Case(
        block("a", "a\nb\n", "a\nB\n"), {"a": b"a  \nb\t\n"}, {"a": b"a  \nB\t\n".replace(b"\t", b"")}, T
    ),
    "10 blank lines differ": Case(
        block("a", "first = 1\n\n\nsecond = 2\n", "x\n"), {"a": b"first = 1\n\nsecond = 2\n"}, refused="came near"
    ),
    "11 elision": Case(
        block("a", "def f():\n...\n    return 1\n", "def f(x):\n...\n    return x\n"),
        {"a": b"def f():\n    a()\n    return 1\n"},
        {"a": b"def f(x):\n    a()\n    return x\n"},
        E,
    ),
    "11b ambiguous elision": Case(
        block("a", "def g():\n...\n    return 1\n", "def g():\n...\n    return 2\n"), {"a": TWO}, refused="2 places"
    ),
    "12 placeholder": Case(
        block("a", "x = 1\n", "# ... existing code ...\nx = 2\n"), {"a": b"x = 1\n"}, refused="stands for code left out"
    ),
    "13 curly quotes": Case(
        block("a", 'say("it\'s - ok")\n', 'say("it\'s - fine")\n'),
        {"a": "say(\u201cit\u2019s \u2013 ok\u201d)\n".encode()},
        {"a": "say(\u201cit\u2019s \u2013 fine\u201d)\n".encode()},
        P,
    ),
    "13b NFD": Case(
        block("a", "caf\u00e9 = 1\n", "caf\u00e9 = 2\n"),
        {"a": "cafe\u0301 = 1\n".encode()},
        {"a": "cafe\u0301 = 2\n".encode()},
        P,
    ),
    "14 byte order mark": Case(block("a", "x\n", "y\n"), {"a": b"\xef\xbb\xbfx\n"}, {"a": b"\xef\xbb\xbfy\n"}, E),
    "15 latin-1": Case(block("a", "x = 1\n", "x = 2\n"), {"a": b"# caf\xe9\nx = 1\n"}, {"a": b"# caf\xe9\nx = 2\n"}, E),
    "15b not latin-1": Case(block("a", "x\n", "€\n"), {"a": b"\xe9\nx\n"}, refused="not UTF-8"),
    "16 not in the named file": Case(
        block("a", "only in b\n", "x\n"), {"a": b"a\n", "b": b"only in b\n"}, refused="nowhere"
    ),
    "17 delete all content": Case(block("a", "a\nb\n", ""), {"a": b"a\nb\n"}, {"a": b""}, E),
    "18 empty search": Case(block("a", "", "x\n"), {"a": b"a\n"}, refused="the search text is empty"),
    "18b new file": Case(block("n", "", "x\n"), {"a": b"a\n"}, {"n": b"x\n"}, MatchKind.WHOLE_FILE),
    "19 no-op": Case(block("a", "a\n", "a\n"), {"a": b"a\n"}, {}, E, note="changes nothing"),
    "19b already applied": Case(block("a", "old\n", "new\n"), {"a": b"a\nnew\n"}, {}, E, note="already applied"),
    "20 part of a line": Case(
        block("a", "limit=10\n", "limit=20\n"), {"a": b"f(x, limit=10)\n"}, {"a": b"f(x, limit=20)\n"}, E
    ),
    "21 divider in content": Case(
        "a\n<<<<<<< SEARCH\nT\n=======\n=======\nU\n>>>>>>> REPLACE\n", {"a": b"T\n"}, refused="longer markers"
    ),
    "21b longer markers": Case(
        "a\n<<<<<<<<< SEARCH\nT\n=======\n=========\nU\n=======\n>>>>>>>>> REPLACE\n",
        {"a": b"T\n=======\n"},
        {"a": b"U\n=======\n"},
        E,
    ),
    "22 two blocks in a fence": Case(
        "a\n```\n<<<<<<< SEARCH\nx\n=======\nX\n>>>>>>> REPLACE\n\n<<<<<<< SEARCH\ny\n=======\nY\n>>>>>>> REPLACE\n```\n",
        {"a": b"x\ny\n"},
        {"a": b"X\nY\n"},
        E,
    ),
    "23 typo": Case(block("src/grete.py", "x\n", "y\n"), {"src/greet.py": b"x\n"}, refused="Did you mean src/greet.py"),
    "23b prose": Case(block("Here is the change:", "x\n", "y\n"), {"a": b"x\n"}, refused="no file is named"),
    "24 parent": Case(block("../x", "", "y\n"), {}, refused="leaves the repository"),
    "24b absolute": Case(block("/etc/x", "", "y\n"), {}, refused="relative to the repository"),
    "25 link": Case(block("link/x", "", "y\n"), {}, refused="symbolic link", link_on=lambda _path: "link"),
    "26 hooks": Case(block(".git/hooks/pre-commit", "", "y\n"), {}, refused="never written"),
    "26b hooks in disguise": Case(block("a/.GIT/config", "", "y\n"), {}, refused="never written"),
    "27 truncated": Case("a\n<<<<<<< SEARCH\nx\n=======\nX\n", {"a": b"x\n"}, refused="cut off"),
    "28 diff, same lines twice": Case(
        "--- a/a\n+++ b/a\n@@ -5,1 +5,1 @@\n-    return 1\n+    return 2\n",
        {"a": TWO},
        {"a": TWO[:-2] + b"2\n"},
        E,
    ),
    "28b without a number": Case(
        "--- a/a\n+++ b/a\n@@ @@\n-    return 1\n+    return 2\n", {"a": TWO}, refused="2 places"
    ),
    "29 diff deletes": Case(
        "--- a/a\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n", {"a": b"x\n"}, {"a": None}, MatchKind.WHOLE_FILE
    ),
    "29b diff renames": Case(
        "diff --git a/a b/b\nsimilarity index 90%\nrename from a\nrename to b\n--- a/a\n+++ b/b\n@@ -1,2 +1,2 @@\n-x\n+y\n z\n",
        {"a": b"x\nz\n"},
        {"a": None, "b": b"y\nz\n"},
    ),
    "30 diff removes a -- line": Case(
        "--- a/a.sql\n+++ b/a.sql\n@@ -1,3 +1,2 @@\n select 1;\n--- note\n select 2;\n",
        {"a.sql": b"select 1;\n-- note\nselect 2;\n"},
        {"a.sql": b"select 1;\nselect 2;\n"},
        E,
    ),
}


def outcome_of(case: Case) -> tuple[EditOutcome | None, str]:
    """Return the outcome and every message the model would get."""
    parsed = parse_reply(case.reply)
    if parsed.problems:
        return None, "\n".join(parsed.problems)
    outcome = apply_edits(parsed.edits, dict(case.files).get, EditPolicy(tuple(case.files), link_on=case.link_on))
    return outcome, "\n".join(each.reason for each in outcome.report.refused)


@pytest.mark.parametrize("name", CASES)
def test_case(name: str) -> None:
    case = CASES[name]
    outcome, said = outcome_of(case)
    if case.refused:
        assert case.refused in said
        assert outcome is None or not outcome.files
        return
    assert said == ""
    assert outcome is not None
    assert outcome.files == case.result
    if case.match:
        assert {each.match for each in outcome.report.applied} == {case.match}
    assert {each.note for each in outcome.report.applied if "renamed" not in each.note} <= {case.note, ""}


def test_every_case_of_the_table_is_here() -> None:
    assert {int(name[:2]) for name in CASES} == set(range(1, 31))
