from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from studio.agents.edits.apply import EditOutcome, apply_edits
from studio.agents.edits.paths import EditPolicy
from studio.domain.checks import Finding, Level
from studio.domain.edits import (
    AppliedEdit,
    DeleteFile,
    Edit,
    LineEdit,
    MatchKind,
    PatchEdit,
    PatchHunk,
    RenameFile,
    SearchReplace,
    WholeFile,
)


class PythonGate:
    """Python's own parser as a syntax gate."""

    def language(self, path: str) -> str | None:
        return "python" if path.endswith(".py") else None

    def errors(self, path: str, data: bytes) -> list[Finding]:
        try:
            compile(data, path, "exec")
        except SyntaxError as error:
            return [Finding("syntax", "syntax", Level.ERROR, error.msg, path, error.lineno or 0)]
        return []


def apply(
    edits: Sequence[Edit],
    files: Mapping[str, bytes],
    protect: Sequence[str] = (),
    modes: Mapping[str, int] | None = None,
) -> EditOutcome:
    policy = EditPolicy(tuple(files), protect, PythonGate(), mode=(modes or {}).get)
    return apply_edits(edits, dict(files).get, policy)


def said(outcome: EditOutcome) -> str:
    assert not outcome.files
    return "\n".join(each.reason for each in outcome.report.refused)


def test_one_refusal_refuses_all() -> None:
    outcome = apply([SearchReplace("a", "x\n", "y\n"), SearchReplace("b", "none\n", "y\n")], {"a": b"x\n", "b": b"x\n"})
    assert [each.index for each in outcome.report.refused] == [1]
    assert outcome.files == {}
    assert outcome.report.applied == ()


def test_edits_of_one_file_compose_and_their_lines_are_final() -> None:
    edits = [
        SearchReplace("a", "c\n", "C\nC\n"),
        SearchReplace("a", "a\n", "A\nA\nA\n"),
        SearchReplace("a", "C\nC\n", "D\n"),
    ]
    outcome = apply(edits, {"a": b"a\nb\nc\n"})
    assert outcome.files == {"a": b"A\nA\nA\nb\nD\n"}
    assert [(each.start, each.end) for each in outcome.report.applied] == [(5, 5), (1, 3), (5, 5)]


def test_line_edits_count_from_before_the_reply() -> None:
    edits = [LineEdit("a", 1, 1, "a\n", "A\nA\n"), LineEdit("a", 3, 3, "c\n", "C\n"), LineEdit("a", 4, 3, "", "d\n")]
    assert apply(edits, {"a": b"a\nb\nc\n"}).files == {"a": b"A\nA\nb\nC\nd\n"}


def test_line_edits_must_find_what_they_expect() -> None:
    message = said(apply([LineEdit("a", 1, 1, "c\n", "C\n")], {"a": b"a\nb\nc\n"}))
    assert "1: a" in message
    assert "stands at line 3" in message
    assert "the file has 3 lines" in said(apply([LineEdit("a", 9, 9, "c\n", "C\n")], {"a": b"a\nb\nc\n"}))


def test_what_parsed_must_parse_after() -> None:
    good, broken = {"a.py": b"x = 1\n"}, {"a.py": b"x = (\ny = 1\n"}
    assert "does not parse any more" in said(apply([SearchReplace("a.py", "x = 1\n", "x = (\n")], good))
    assert "does not parse" in said(apply([WholeFile("b.py", "def\n")], {}))
    assert apply([SearchReplace("a.py", "y = 1\n", "y = 2\n")], broken).files == {"a.py": b"x = (\ny = 2\n"}
    assert apply([WholeFile("b.txt", "def\n")], {}).files == {"b.txt": b"def\n"}


def test_the_gate_judges_the_reply_as_a_whole() -> None:
    edits = [SearchReplace("a.py", "x = 1\n", "x = (\n"), SearchReplace("a.py", "y = 1\n", ")\n")]
    assert apply(edits, {"a.py": b"x = 1\ny = 1\n"}).files == {"a.py": b"x = (\n)\n"}


def test_renames_keep_mode_and_edits() -> None:
    edits = [
        SearchReplace("a.sh", "x\n", "y\n"),
        RenameFile("a.sh", "bin/b.sh"),
        SearchReplace("bin/b.sh", "y\n", "z\n"),
    ]
    outcome = apply(edits, {"a.sh": b"x\n"}, modes={"a.sh": 0o755})
    assert outcome.files == {"a.sh": None, "bin/b.sh": b"z\n"}
    assert outcome.modes == {"bin/b.sh": 0o755}


def test_renaming_in_a_circle_leaves_nothing_behind() -> None:
    outcome = apply([RenameFile("a", "b"), RenameFile("b", "a")], {"a": b"x\n"})
    assert outcome.files in ({}, {"a": b"x\n"})
    assert not outcome.report.refused


def test_deleting_and_making_again() -> None:
    assert apply([DeleteFile("a"), WholeFile("a", "y\n")], {"a": b"x\n"}).files == {"a": b"y\n"}
    assert apply([WholeFile("n", "y\n"), DeleteFile("n")], {}).files == {}
    assert apply([DeleteFile("a"), DeleteFile("a")], {"a": b"x\n"}).report.applied[1].note == "already applied"


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (WholeFile("README.MD", "x"), "README.md exists"),
        (WholeFile("src", "x"), "directory"),
        (WholeFile("readme/x", "x"), "is a file"),
        (WholeFile("src/../x", "x"), "leaves the repository"),
        (WholeFile("src//x", "x"), "plainly, as src/x"),
        (WholeFile("a\nb", "x"), "control characters"),
        (WholeFile("locked/x", "x"), "protects it"),
        (WholeFile("x", "a\0b"), "NUL"),
        (WholeFile("x.py", "a = 1\n# ... rest of the code ...\n"), "stands for code left out"),
        (RenameFile("readme", "locked/x"), "protects it"),
        (RenameFile("readme", "src/a.py"), "exists already"),
        (RenameFile("nothing", "x"), "no such file"),
        (DeleteFile("locked/y"), "protects it"),
        (DeleteFile("nothing"), "no such file"),
        (SearchReplace("binary", "a", "b"), "binary file"),
        (PatchEdit("readme", (PatchHunk(0, ("+x",)),)), "context"),
    ],
)
def test_refused(edit: Edit, reason: str) -> None:
    files = {"README.md": b"x\n", "src/a.py": b"x\n", "readme": b"x\n", "locked/y": b"y\n", "binary": b"a\0"}
    assert reason in said(apply([edit], files, ("locked/**",)))


def test_binary_files_can_be_renamed_and_deleted() -> None:
    outcome = apply([RenameFile("a.bin", "b.bin"), DeleteFile("c.bin")], {"a.bin": b"\0\1", "c.bin": b"\0"})
    assert outcome.files == {"a.bin": None, "b.bin": b"\0\1", "c.bin": None}


def test_whole_files_keep_what_stays_as_it_was() -> None:
    outcome = apply([WholeFile("a", "a\nB\nc\n")], {"a": b"\xef\xbb\xbfa  \r\nb\r\nc\n"})
    assert outcome.files == {"a": b"\xef\xbb\xbfa\r\nB\r\nc\n"}
    assert apply([WholeFile("a", "a\n")], {"a": b"a\n"}).report.applied == (
        AppliedEdit("a", MatchKind.WHOLE_FILE, 1, 1, "changes nothing"),
    )


def test_hunks_of_a_patch_apply_together() -> None:
    good, bad = PatchHunk(1, ("-a", "+A", "+A")), PatchHunk(3, (" b", "-c", "+C"))
    assert apply([PatchEdit("a", (good, bad))], {"a": b"a\nb\nc\n"}).files == {"a": b"A\nA\nb\nC\n"}
    assert "hunk 2 of 2" in said(apply([PatchEdit("a", (good, bad))], {"a": b"a\nb\nd\n"}))
    inserted = PatchEdit("a", (PatchHunk(2, ("+x",)),))
    assert apply([inserted], {"a": b"a\nb\nc\n"}).files == {"a": b"a\nb\nx\nc\n"}


def test_half_a_surrogate_pair_is_refused() -> None:
    assert "surrogate" in said(apply([WholeFile("a", "\ud800")], {}))


def test_too_much_is_refused() -> None:
    assert "at most" in said(apply([WholeFile("a", "x")] * 501, {}))
    assert "at most" in said(apply([WholeFile("a", "x" * 4_000_001)], {}))
