from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.agents.edits.formats import EditFormat, ToolRequest, parse_reply
from studio.domain.edits import DeleteFile, LineEdit, PatchEdit, PatchHunk, RenameFile, SearchReplace, WholeFile

LINE = st.text(alphabet="ab <>=+-@`#\t", max_size=12).filter(
    lambda line: not line.startswith(("<<<<<", "=====", ">>>>>"))
)
BODY = st.lists(LINE, max_size=6).map(lambda lines: "".join(f"{line}\n" for line in lines))


@given(BODY, BODY)
def test_blocks_round_trip(search: str, replace: str) -> None:
    reply = f"src/a.py\n<<<<<<<<< SEARCH\n{search}=========\n{replace}>>>>>>>>> REPLACE\n"
    assert parse_reply(reply).edits == (SearchReplace("src/a.py", search, replace),)


@given(st.text(max_size=300))
def test_reading_never_fails(text: str) -> None:
    for form in EditFormat:
        parse_reply(text, form)


BLOCK = "<<<<<<< SEARCH\nx\n=======\ny\n>>>>>>> REPLACE"


@pytest.mark.parametrize(
    "head",
    ["src/a.py\n", "`src/a.py`\n", "**src/a.py**\n", "### src/a.py\n", "File: src/a.py\n", "src/a.py:\n", "src/a.py\n\n", "- `src/a.py`:\n",
     "```python\nsrc/a.py\n", "src/a.py\n```python\n", "```python path=src/a.py\n"],
)  # fmt: skip
def test_ways_to_name_a_file(head: str) -> None:
    tail = "\n```" if "```" in head else "\n"
    parsed = parse_reply(f"Some words.\n\n{head}{BLOCK}{tail}")
    assert parsed.problems == ()
    assert parsed.edits == (SearchReplace("src/a.py", "x\n", "y\n"),)


def test_whole_files() -> None:
    reply = "```python path=a.py\nx\n```\nFILE: b.md\n````md\n```\ncode\n```\n````\n"
    assert parse_reply(reply).edits == (WholeFile("a.py", "x\n"), WholeFile("b.md", "```\ncode\n```\n"))


def test_a_fence_below_a_path_is_a_whole_file_only_where_that_is_the_format() -> None:
    reply = "a.py\n```python\nx\n```\n"
    assert parse_reply(reply, EditFormat.WHOLE).edits == (WholeFile("a.py", "x\n"),)
    assert "whole file" in parse_reply(reply).problems[0]


def test_examples_in_prose_are_no_edits() -> None:
    parsed = parse_reply("Run it like this:\n\n```sh\npython a.py\n```\n\nThat is all.")
    assert parsed.edits == ()
    assert parsed.problems == ()
    assert parsed.summary == "Run it like this:\nThat is all."


def test_nested_fences_are_refused() -> None:
    reply = "```md path=README.md\n# T\n```sh\nls\n```\nend\n```\n"
    assert "more backticks" in parse_reply(reply).problems[0]


def test_directives() -> None:
    parsed = parse_reply("DELETE a.py\nRENAME b.py -> c/d.py\nREAD e.py\nREAD f.py 3-9\nDONE: moved\n")
    assert parsed.edits == (DeleteFile("a.py"), RenameFile("b.py", "c/d.py"))
    assert parsed.requests == (
        ToolRequest("read", '{"path":"e.py"}'),
        ToolRequest("read", '{"path":"f.py","start":3,"end":9}'),
    )
    assert parsed.done


def test_tool_fences() -> None:
    parsed = parse_reply(
        '```tool\n{"tool": "search", "pattern": "x"}\n{"name": "run", "arguments": {"command": "ls"}}\n```\n'
    )
    assert parsed.requests == (ToolRequest("search", '{"pattern":"x"}'), ToolRequest("run", '{"command":"ls"}'))


def test_line_blocks() -> None:
    reply = "a.py\n<<<<<<< LINES 3-4\nx\n=======\ny\n>>>>>>> REPLACE\n<<<<<<< LINES 7\nz\n=======\n>>>>>>> REPLACE\n"
    assert parse_reply(reply).edits == (LineEdit("a.py", 3, 4, "x\n", "y\n"), LineEdit("a.py", 7, 7, "z\n", ""))


def test_diffs() -> None:
    reply = (
        "```diff\n--- a/a.py\n+++ b/a.py\n@@ -1,2 +1,2 @@ def f\n x\n-y\n+z\n\\ No newline at end of file\n"
        "@@ -9 +9 @@\n-p\n+q\n--- /dev/null\n+++ b/n.py\n@@ -0,0 +1,2 @@\n+1\n+2\n```\n"
    )
    assert parse_reply(reply).edits == (
        PatchEdit("a.py", (PatchHunk(1, (" x", "-y", "+z")), PatchHunk(9, ("-p", "+q")))),
        PatchEdit("n.py", (PatchHunk(0, ("+1", "+2")),)),
    )


def test_wrong_counts_are_forgiven_where_the_borders_are_clear() -> None:
    reply = "--- a/a\n+++ b/a\n@@ -1,9 +1,9 @@\n x\n-y\n+z\n--- a/b\n+++ b/b\n@@ -1 +1 @@\n-p\n+q\n"
    assert parse_reply(reply).edits == (
        PatchEdit("a", (PatchHunk(1, (" x", "-y", "+z")),)),
        PatchEdit("b", (PatchHunk(1, ("-p", "+q")),)),
    )


def test_git_headers() -> None:
    reply = (
        "diff --git a/o b/n\nsimilarity index 100%\nrename from o\nrename to n\n"
        "diff --git a/gone b/gone\ndeleted file mode 100644\nindex 1..0\n"
        "diff --git a/q b/q\nindex 1..2 100644\n--- a/q\n+++ b/q\n@@ -1 +1 @@\n-1\n+2\n"
    )
    assert parse_reply(reply).edits == (
        RenameFile("o", "n"),
        DeleteFile("gone"),
        PatchEdit("q", (PatchHunk(1, ("-1", "+2")),)),
    )
