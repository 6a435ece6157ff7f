"""Every patch is one `git apply` agrees with, whole, in part and edited."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.domain.changes import ChangeKind, ChangeSet, Decision, FileChange, Provenance, Verdict
from studio.domain.edits import MatchKind
from studio.domain.errors import UsageError
from studio.domain.ids import TaskId
from studio.ports.workspace import TouchedRange
from studio.workspace import GitWorkspace
from studio.workspace.lines import join_lines, split_lines
from tests.unit.workspace.repos import RUN, Repo, accept, numbered, propose

LINE = st.sampled_from(
    [
        b"",
        b"a",
        b"b",
        b"}",
        b"\tx",
        b"-- a/x",
        b"++ b/x",
        b"@@ -1 +1 @@",
        b"diff --git a b",
        b"\xe9t\xe9",
        b"cr\r",
        "ü\u2028".encode(),
        b"\\ no",
    ]
)


def content(lines: list[bytes], ended: bool) -> bytes:
    return b"\n".join(lines) + (b"\n" if ended and lines else b"")


CONTENT = st.builds(content, st.lists(LINE, max_size=30), st.booleans())
NAMES = ("a.txt", "dir/b c.txt", 'quo"te\té.txt')


def apply(ws: GitWorkspace, repo: Repo, tree: str, patch: bytes) -> str:
    """Return the tree `git apply` makes of a tree and a patch."""
    store = repo.path / ".git/studio/store.git"
    with tempfile.TemporaryDirectory() as directory:
        index = Path(directory) / "index"
        git = ws._store.git.with_index(index).with_tree(Path(directory))
        git.run("read-tree", tree)
        if patch:
            git.run("apply", "--check", "--cached", "--whitespace=nowarn", "-", data=patch)
            git.run("apply", "--cached", "--whitespace=nowarn", "-", data=patch)
        assert store.is_dir()
        return git.text("write-tree")


def decide(data: st.DataObject, changes: ChangeSet) -> dict[str, Decision]:
    decisions: dict[str, Decision] = {}
    for file in changes.files:
        for hunk in file.hunks:
            verdict = data.draw(st.sampled_from([Verdict.ACCEPTED, Verdict.ACCEPTED, Verdict.REJECTED, Verdict.EDITED]))
            if verdict is Verdict.EDITED and hunk.lines:
                text = data.draw(st.sampled_from(["", "edited\n", "no end", "one\ntwo\n", "\n"]))
                decisions[hunk.id] = Decision(hunk.id, verdict, text=text)
            elif verdict is Verdict.REJECTED or not hunk.lines:
                taken = verdict is Verdict.REJECTED
                decisions[hunk.id] = Decision(hunk.id, Verdict.REJECTED if taken else Verdict.ACCEPTED)
            else:
                lines = data.draw(st.sets(st.integers(0, len(hunk.lines) - 1)))
                decisions[hunk.id] = Decision(hunk.id, Verdict.ACCEPTED, tuple(sorted(lines)))
    return decisions


def expected(file: FileChange, base: bytes, decisions: dict[str, Decision]) -> bytes | None:
    """Return the content of a file with no rename by another way than the product: line by line over the whole file."""
    old = split_lines(base)
    result: list[bytes] = []
    place = 1
    for hunk in (hunk for hunk in file.hunks if hunk.lines):
        decision = decisions[hunk.id]
        first = hunk.old_start + (0 if hunk.old_count else 1)
        while place < first:
            result.append(old[place - 1])
            place += 1
        if decision.verdict is Verdict.EDITED:
            result += split_lines(decision.text.encode(file.encoding))
            place += hunk.old_count
            continue
        for number, line in enumerate(hunk.lines):
            chosen = decision.verdict is Verdict.ACCEPTED and (not decision.lines or number in decision.lines)
            if line.op == "+":
                result += [line.text.encode(file.encoding) + (b"\n" if line.newline else b"")] if chosen else []
                continue
            if line.op == " " or not chosen:
                result.append(old[place - 1])
            place += 1
    result += old[place - 1 :]
    gone = not result and file.kind is ChangeKind.DELETED
    return None if gone else join_lines(result)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_git_apply_agrees_with_every_patch(repo: Repo, data: st.DataObject) -> None:
    ws = repo.workspace()
    ws.snapshot()
    old = {name: data.draw(st.none() | CONTENT) for name in NAMES}
    new = {name: data.draw(st.none() | CONTENT) for name in NAMES}
    trees = [_tree(ws, files) for files in (old, new)]
    base, head = (ws._store.commit(tree, (), "c") for tree in trees)
    changes = ws.change_set(RUN, base, head, [])
    assert apply(ws, repo, changes.base_tree, ws.patch(changes)) == changes.head_tree
    decisions = decide(data, changes)
    subset = ws.subset_tree(changes, decisions)
    assert apply(ws, repo, changes.base_tree, ws.patch(changes, decisions)) == subset
    for file in changes.files:
        if file.kind in {ChangeKind.ADDED, ChangeKind.MODIFIED, ChangeKind.DELETED} and all(
            h.lines for h in file.hunks
        ):
            if all(decisions[hunk.id].verdict is Verdict.REJECTED for hunk in file.hunks):
                continue
            assert ws.read_blob(subset, file.path) == expected(file, old[file.path] or b"", decisions)


def _tree(ws: GitWorkspace, files: dict[str, bytes | None]) -> str:
    present = {name: content for name, content in files.items() if content is not None}
    blobs = ws._store.put_blobs(list(present.values()))
    empty = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
    return ws._store.overlay(empty, {name: ("100644", blob) for name, blob in zip(present, blobs, strict=True)})


def test_kinds_of_change(repo: Repo) -> None:
    long = "".join(f"unchanged {n}\n" for n in range(40))
    repo.commit(
        {"old.txt": long, "bin": b"\0\1", "bom.txt": "\ufeffone\r\ntwo\r\n", "latin.txt": b"caf\xe9\nx\n", "empty": ""}
    )
    (repo.path / "link").symlink_to("bin")
    repo.git("add", "-A")
    ws = repo.workspace()
    base = ws.snapshot()
    directory = ws.checkout(RUN, "T1", base.commit)
    (directory / "old.txt").rename(directory / "new.txt")
    (directory / "bin").write_bytes(b"\0\2")
    (directory / "bom.txt").write_bytes("\ufeffone\r\n2\r\n".encode())
    (directory / "latin.txt").write_bytes(b"caf\xe9\ny")
    (directory / "empty").unlink()
    (directory / "fresh-empty").touch()
    (directory / "link").unlink()
    (directory / "link").symlink_to("a.txt")
    (directory / "run.sh").chmod(0o755)
    (directory / "run.sh").write_text("echo 2\n")
    head = ws.commit(RUN, ws.write_tree(RUN, "T1"), [base.commit], "Work")
    changes = ws.change_set(RUN, base.commit, head, [])
    files = {file.path: file for file in changes.files}
    assert {path: (file.kind, [bool(hunk.lines) for hunk in file.hunks]) for path, file in files.items()} == {
        "bin": (ChangeKind.BINARY, [False]),
        "bom.txt": (ChangeKind.MODIFIED, [True]),
        "empty": (ChangeKind.DELETED, [False]),
        "fresh-empty": (ChangeKind.ADDED, [False]),
        "latin.txt": (ChangeKind.MODIFIED, [True]),
        "link": (ChangeKind.BINARY, [False]),
        "new.txt": (ChangeKind.RENAMED, [False]),
        "run.sh": (ChangeKind.MODIFIED, [False, True]),
    }
    assert files["latin.txt"].encoding == "latin-1"
    assert files["latin.txt"].hunks[0].lines[-1].newline is False
    assert files["bom.txt"].hunks[0].lines[0].text == "\ufeffone\r"
    assert apply(ws, repo, changes.base_tree, ws.patch(changes)) == changes.head_tree
    mode, text = files["run.sh"].hunks
    for hunk, expect in ((mode, ("100755", b"echo\n")), (text, ("100644", b"echo 2\n"))):
        tree = ws.subset_tree(changes, {hunk.id: Decision(hunk.id, Verdict.ACCEPTED)})
        found = next(mode for path, mode, _ in ws.list_tree(tree) if path == "run.sh")
        assert (found, ws.read_blob(tree, "run.sh")) == expect
    edit = Decision(files["latin.txt"].hunks[0].id, Verdict.EDITED, text="\u20ac\n")
    with pytest.raises(UsageError, match="not UTF-8"):
        ws.subset_tree(changes, {edit.hunk: edit})


def test_hunk_ids_do_not_depend_on_line_numbers(repo: Repo) -> None:
    ws = repo.workspace()
    one = propose(ws, {"a.txt": numbered(l20="changed\n")})
    two = propose(ws, {"a.txt": numbered(l2="x\ny\nz\n", l20="changed\n")})
    assert one.files[0].hunks[0].id == two.files[0].hunks[1].id
    repeated = propose(ws, {"a.txt": numbered(l5="same\n", l25="same\n").replace("line 5", "").replace("line 25", "")})
    assert len({hunk.id for file in repeated.files for hunk in file.hunks}) == len(repeated.files[0].hunks)


def test_match_and_provenance_come_from_overlap(repo: Repo) -> None:
    ws = repo.workspace()
    base = ws.snapshot()
    directory = ws.checkout(RUN, "T1", base.commit)
    (directory / "a.txt").write_text(numbered(l2="two\n", l20=""))
    head = ws.commit(RUN, ws.write_tree(RUN, "T1"), [base.commit], "Work")
    first = Provenance(("R1",), TaskId("T1"), "builder", "m", "c1", 0.25)
    second = Provenance(("R2",), TaskId("T2"), "builder", "m", "c2", 0.5)
    touched = [
        TouchedRange("a.txt", 1, 3, MatchKind.EXACT, first),
        TouchedRange("a.txt", 2, 2, MatchKind.SIMILARITY, second),
        TouchedRange("a.txt", 19, 20, MatchKind.EXACT, first),
    ]
    changes = ws.change_set(RUN, base.commit, head, touched)
    upper, lower = changes.files[0].hunks
    assert upper.match is MatchKind.SIMILARITY
    assert (upper.provenance.requirements, upper.provenance.task, upper.provenance.cost_usd) == (
        ("R1", "R2"),
        "T2",
        0.75,
    )
    assert (lower.match, lower.provenance) == (MatchKind.EXACT, first)
    assert ws.change_set(RUN, base.commit, head, []).files[0].hunks[0].match is MatchKind.UNKNOWN


def test_ten_thousand_hunks(repo: Repo) -> None:
    lines = [f"line {number}" for number in range(100_000)]
    repo.commit({"big.txt": "\n".join(lines) + "\n"})
    lines[::10] = [f"{line} changed" for line in lines[::10]]
    ws = repo.workspace()
    changes = propose(ws, {"big.txt": "\n".join(lines) + "\n"})
    hunks = changes.files[0].hunks
    assert len(hunks) == 10_000
    assert len({hunk.id for hunk in hunks}) == 10_000
    half: dict[str, Decision] = {hunk.id: Decision(hunk.id, Verdict.ACCEPTED) for hunk in hunks[::2]}
    assert apply(ws, repo, changes.base_tree, ws.patch(changes, half)) == ws.subset_tree(changes, half)


def test_accepting_all_is_the_head(repo: Repo) -> None:
    ws = repo.workspace()
    changes = propose(ws, {"a.txt": numbered(l2="two\n"), "new": "n\n", "dir/b.txt": None})
    assert ws.subset_tree(changes, accept(changes)) == changes.head_tree
    assert ws.subset_tree(changes, {}) == changes.base_tree
    assert ws.patch(changes, {}) == b""
