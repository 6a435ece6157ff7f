"""Malformed and hostile replies: no crash, no byte outside the worktree, each refused with a message."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.agents.edits.apply import apply_edits
from studio.agents.edits.formats import EditFormat, parse_reply
from studio.agents.edits.write import WorktreeFiles, write_outcome
from studio.agents.tools import TOOL_NAMES, BadCall, read_call

GOOD = {
    "src/a.py": "def f():\n    return 1\n\n\ndef g():\n    return 2\n",
    "notes.md": "# Notes\n\n```\ncode\n```\n",
    "data.txt": "one\r\ntwo\r\n",
}
BLOCK = "src/a.py\n<<<<<<< SEARCH\n    return 1\n=======\n    return 3\n>>>>>>> REPLACE\n"
WHOLE = "```python path=src/b.py\nx = 1\n```\n"
DIFF = "```diff\n--- a/data.txt\n+++ b/data.txt\n@@ -1,2 +1,2 @@\n one\n-two\n+three\n```\n"
LINES = "src/a.py\n<<<<<<< LINES 2-2\n    return 1\n=======\n    return 4\n>>>>>>> REPLACE\n"
TOOL = '```tool\n{"tool": "read", "path": "src/a.py"}\n```\n'

HOSTILE = st.sampled_from(
    [
        "../outside.txt",
        "../../outside.txt",
        "/tmp/outside.txt",
        "src/../../outside.txt",
        "escape/outside.txt",
        "escape",
        "dangling",
        ".git/hooks/pre-commit",
        ".GIT/config",
        ".studio/config.toml",
        "src/a.py/x",
        "src",
        ".",
        "~/.bashrc",
        "C:\\x",
        "a\\..\\..\\x",
        "x" * 300,
        "fifo",
        ".g\u200cit/config",
    ]
)


def _hostile(path: str) -> st.SearchStrategy[str]:
    return st.sampled_from(
        [
            f"{path}\n<<<<<<< SEARCH\n=======\nowned\n>>>>>>> REPLACE\n",
            f"```text path={path}\nowned\n```\n",
            f"--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+owned\n",
            f"DELETE {path}\n",
            f"RENAME src/a.py -> {path}\n",
            f"{path}\n<<<<<<< APPEND\n=======\nowned\n>>>>>>> REPLACE\n",
        ]
    )


def _cut(reply: str, size: int) -> str:
    return reply[: max(reply.index("\n") + 20, size % (len(reply) - 5))]


_CUT = st.builds(_cut, st.sampled_from([BLOCK, LINES]), st.integers(0, 500))
_WRONG = st.sampled_from(
    [
        BLOCK.replace("return 1", "return nothing like it"),
        BLOCK.replace("=======\n", ""),
        BLOCK.replace("=======", "=======\n======="),
        BLOCK.replace("src/a.py\n", ""),
        BLOCK.replace("src/a.py", "src/aa.py"),
        BLOCK.replace("    return 3", "    # ... rest of the code ..."),
        BLOCK.replace("return 3", "return \x00"),
        BLOCK.replace("return 3", "return '\ud800'"),
        DIFF.replace("-two", "-four"),
        DIFF.replace("@@ -1,2 +1,2 @@", "@@ nonsense").replace(" one", "*one"),
        DIFF.replace("```\n", "", 1)[:-4],
        LINES.replace("2-2", "200-300"),
        LINES.replace("2-2", "two"),
        LINES.replace("2-2", "3-3"),
        WHOLE.removesuffix("```\n"),
        WHOLE.replace("x = 1", "```python\nx = 1"),
        "```tool\nread the file\n```\n",
        "```tool\n[1, 2]\n```\n",
        "src/a.py\n```python\ndef f(): ...\n```\n",
        "RENAME src/a.py\n",
        "DELETE the old file\n",
        "GIT binary patch\ndiff --git a/x b/x\nGIT binary patch\nliteral 0\n",
        "--- a/data.txt\n+++ b/data.txt\n",
    ]
)
MALFORMED = st.one_of(HOSTILE.flatmap(_hostile), _CUT, _WRONG)
ANYTHING = st.lists(
    st.one_of(
        st.sampled_from(
            [
                BLOCK,
                WHOLE,
                DIFF,
                LINES,
                TOOL,
                "<<<<<<< SEARCH\n",
                "=======\n",
                ">>>>>>> REPLACE\n",
                "```\n",
                "@@ -1 +1 @@\n",
            ]
        ),
        HOSTILE.map(lambda path: f"{path}\n"),
        st.text(max_size=30),
        st.binary(max_size=20).map(lambda data: data.decode("latin-1")),
    ),
    max_size=8,
).map("".join)


def _world(base: Path) -> Path:
    root = base / "tree"
    (root / "src").mkdir(parents=True)
    (root / ".git").mkdir()
    (root / ".git/config").write_text("[core]\n")
    (base / "outside").mkdir()
    (base / "outside.txt").write_text("precious")
    (root / "escape").symlink_to(base / "outside")
    (root / "dangling").symlink_to(base / "nowhere")
    os.mkfifo(root / "fifo")
    for path, text in GOOD.items():
        (root / path).write_bytes(text.encode())
    return root


def _seen(directory: Path, skip: Path | None = None) -> dict[str, bytes | str]:
    found: dict[str, bytes | str] = {}
    for path in sorted(directory.rglob("*")):
        if skip and (path == skip or skip in path.parents):
            continue
        plain = path.is_file() and not path.is_symlink()
        found[str(path)] = path.read_bytes() if plain else str(path.readlink()) if path.is_symlink() else "special"
    return found


def _take(reply: str, form: EditFormat = EditFormat.BLOCKS) -> tuple[str, bool]:
    """Play the reply on a real tree; return what the model would be told, and whether the tree changed."""
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        root = _world(base)
        outside, inside = _seen(base, skip=root), _seen(root)
        git = _seen(root / ".git")
        parsed = parse_reply(reply, form)
        told = list(parsed.problems)
        if not parsed.problems:
            files = WorktreeFiles(root)
            outcome = apply_edits(parsed.edits, files.read, files.policy())
            told.extend(each.reason for each in outcome.report.refused)
            assert not (outcome.report.refused and outcome.files)
            write_outcome(root, outcome)
        assert _seen(base, skip=root) == outside
        assert _seen(root / ".git") == git
        assert not list(base.rglob("*.tmp"))
        return "\n".join(told), _seen(root) != inside


@settings(max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(MALFORMED, st.sampled_from([BLOCK, WHOLE, ""]))
def test_malformed_replies_are_refused_with_a_message(bad: str, good: str) -> None:
    told, changed = _take(f"{good}\n{bad}")
    assert told.strip()
    assert not changed


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ANYTHING, st.sampled_from(EditFormat))
def test_no_reply_crashes_or_escapes(reply: str, form: EditFormat) -> None:
    _take(reply, form)


def test_the_good_parts_apply() -> None:
    for reply in (BLOCK, WHOLE, DIFF, LINES):
        assert _take(reply) == ("", True), reply


@pytest.mark.parametrize("deep", ["[" * 200_000, '{"path":' * 100_000, '{"path": "\ud800"}'])
def test_arguments_no_parser_takes_are_refused_with_a_message(deep: str) -> None:
    assert isinstance(read_call("read", deep, TOOL_NAMES), BadCall)
    for form in EditFormat:
        assert parse_reply(f"```tool\n{deep}\n```\n", form).problems
