"""Landing from the command line: hunks, lines and files, on every target; undo, and where lines came from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakes.belongings import belongings, quick, told
from tests.fakes.studio_lab import Lab, git

CONFIG = 'sandbox = "bubblewrap"\nidle_seconds = 20\nname = "Grace"\n[models]\ncache = false\n'
LINES = [f"line {number}\n" for number in range(1, 31)]
AFTER = "".join(["first\n", *LINES[1:15], "sixteen\n", "and a half\n", *LINES[16:]])
LIBRARY = "def old():\n    return 1\n"
SPLIT = "def new():\n    return 2\n"
USER = "from library import new\n\n\ndef test_new():\n    assert new() == 2\n"


def edit(path: str, content: str, *, done: bool = False) -> dict[str, Any]:
    return {"name": "edit", "arguments": {"path": path, "content": content, "done": done}}


SCRIPT = {
    "rules": [
        {
            "contains": ["You are the builder", "Rename"],
            "tool_calls": [edit("library.py", SPLIT), edit("test_user.py", USER, done=True)],
        },
        {
            "contains": ["You are the builder"],
            "tool_calls": [edit("text.txt", AFTER), edit("added.txt", "added\n", done=True)],
        },
    ]
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    files = {"text.txt": "".join(LINES), "library.py": LIBRARY}
    with Lab(tmp_path_factory.mktemp("landing"), SCRIPT, files=files, config=CONFIG) as lab:
        yield lab


@pytest.fixture
def run(lab: Lab) -> Iterator[str]:
    """A run that nothing was decided of; the repository is as it was before afterwards."""
    begin = git(lab.repo, "rev-parse", "HEAD").strip()
    yield quick(lab, "# Change\n\nChange the text.")
    git(lab.repo, "checkout", "-q", "-f", "main")
    git(lab.repo, "reset", "-q", "--hard", begin)
    git(lab.repo, "clean", "-q", "-f", "-d")


def hunks(lab: Lab, run: str) -> dict[str, list[dict[str, Any]]]:
    changes = lab.json("changes", run)["changeset"]
    return {file["path"]: file["hunks"] for file in changes["files"]}


def test_one_hunk_lands_and_its_undo_is_undone(lab: Lab, run: str) -> None:
    before = belongings(lab.repo)
    second = hunks(lab, run)["text.txt"][1]["id"]
    landed = lab.json("accept", run, "--hunk", second, "--unchecked")["landing"]
    changed = "".join([*LINES[:15], "sixteen\n", "and a half\n", *LINES[16:]])
    assert (lab.repo / "text.txt").read_text() == changed
    assert not (lab.repo / "added.txt").exists()
    assert (
        "+and a half" in lab.studio("undo", "--preview").stdout
        or "-and a half" in lab.studio("undo", "--preview").stdout
    )
    assert (lab.repo / "text.txt").read_text() == changed, "a preview writes nothing"
    undo = lab.json("undo", landed["id"])["landing"]
    assert undo["undoes"] == landed["id"]
    assert belongings(lab.repo) == before
    told(lab.studio("undo", landed["id"], code=None), 2, "undone already")
    lab.studio("undo", undo["id"])
    assert (lab.repo / "text.txt").read_text() == changed


def test_an_undo_refuses_where_later_edits_overlap(lab: Lab, run: str) -> None:
    lab.studio("accept", run, "--file", "text.txt", "--unchecked")
    path = lab.repo / "text.txt"
    path.write_text(path.read_text().replace("sixteen", "seventeen"))
    before = belongings(lab.repo)
    told(lab.studio("undo", code=None), 6, "text.txt")
    assert belongings(lab.repo) == before
    path.write_text(path.read_text().replace("seventeen", "sixteen").replace("line 30", "line thirty"))
    lab.studio("undo")
    assert path.read_text() == "".join(LINES).replace("line 30", "line thirty"), "what the person wrote stays"


def test_lines_land_alone(lab: Lab, run: str) -> None:
    second = hunks(lab, run)["text.txt"][1]
    at = next(number for number, line in enumerate(second["lines"], 1) if line["text"] == "and a half")
    lab.studio("accept", run, "--lines", f"{second['id']}:{at}", "--unchecked")
    assert (lab.repo / "text.txt").read_text() == "".join([*LINES[:16], "and a half\n", *LINES[16:]])


def test_a_file_lands_in_the_index_and_in_the_tree(lab: Lab, run: str) -> None:
    (lab.repo / "mine.txt").write_text("mine\n")
    git(lab.repo, "add", "mine.txt")
    lab.studio("accept", run, "--file", "added.txt", "--to", "index", "--unchecked")
    assert set(git(lab.repo, "diff", "--cached", "--name-only").split()) == {"mine.txt", "added.txt"}
    assert git(lab.repo, "diff", "--name-only") == ""
    lab.studio("undo")
    assert git(lab.repo, "diff", "--cached", "--name-only").split() == ["mine.txt"]


def test_all_of_it_lands_as_a_commit_with_trailers_and_other_staged_work_stays(lab: Lab, run: str) -> None:
    (lab.repo / "mine.txt").write_text("mine\n")
    git(lab.repo, "add", "mine.txt")
    lab.studio("accept", run, "--all", "--to", "commit", "-m", "Change the text", "--unchecked")
    assert set(git(lab.repo, "show", "--name-only", "--format=", "HEAD").split()) == {"text.txt", "added.txt"}
    assert git(lab.repo, "status", "--porcelain") == "A  mine.txt\n"
    body = git(lab.repo, "log", "-1", "--format=%B")
    assert body.startswith("Change the text\n")
    trailers = git(lab.repo, "log", "-1", "--format=%(trailers:only)").splitlines()
    assert f"Studio-Run: {run}" in trailers
    assert any(line.startswith("Studio-Brief: brief@") for line in trailers)
    assert git(lab.repo, "log", "-1", "--format=%an <%ae>").strip() == "Ada <ada@example.org>"


def test_why_survives_amend_and_rebase(lab: Lab, run: str) -> None:
    lab.studio("accept", run, "--all", "--to", "commit", "--unchecked")
    assert lab.json("why", "text.txt:17")["run"] == run
    git(lab.repo, "commit", "-q", "--amend", "-m", "Amended")
    assert lab.json("why", "text.txt:17")["run"] == run
    git(lab.repo, "checkout", "-q", "-b", "base", "HEAD~1")
    text = lab.repo / "text.txt"
    text.write_text("".join(["zero\n", *LINES[:6], "six and a half\n", *LINES[6:]]))
    git(lab.repo, "commit", "-q", "-am", "Before")
    git(lab.repo, "checkout", "-q", "main")
    try:
        git(lab.repo, "rebase", "-q", "-X", "theirs", "base")
        number = text.read_text().splitlines().index("and a half") + 1
        origin = lab.json("why", f"text.txt:{number}")
        assert (origin["run"], origin["text"]) == (run, "and a half")
        assert "R1" in origin["requirements"][0]
        other = text.read_text().splitlines().index("six and a half") + 1
        assert not lab.json("why", f"text.txt:{other}").get("found", False)
    finally:
        git(lab.repo, "branch", "-q", "-D", "base")


def test_a_new_branch_leaves_everything_else_alone(lab: Lab, run: str) -> None:
    before = belongings(lab.repo)
    landed = lab.json("accept", run, "--all", "--to", "branch:studio/text", "--unchecked")["landing"]
    assert git(lab.repo, "rev-parse", "studio/text").strip() == landed["commit"]
    after = belongings(lab.repo)
    assert {**after, "refs": ""} == {**before, "refs": ""}
    told(lab.studio("accept", run, "--all", "--to", "branch:studio/text", "--unchecked", code=None), 2, "studio/text")
    lab.studio("undo")
    assert belongings(lab.repo) == before


def test_what_is_rejected_does_not_land(lab: Lab, run: str) -> None:
    lab.studio("reject", run, "--file", "added.txt", "--comment", "not this")
    lab.studio("accept", run, "--all", "--unchecked")
    assert not (lab.repo / "added.txt").exists()
    assert "first" in (lab.repo / "text.txt").read_text()


def test_landing_twice_has_nothing_left_to_write(lab: Lab, run: str) -> None:
    lab.studio("accept", run, "--all", "--unchecked")
    before = belongings(lab.repo)
    told(lab.studio("accept", run, "--all", "--unchecked", code=None), 2, "already")
    assert belongings(lab.repo) == before


def test_a_subset_that_needs_another_hunk_names_it_and_lands_nothing(lab: Lab) -> None:
    run = quick(lab, "# Rename\n\nRename old to new and test it.", name="rename")
    found = hunks(lab, run)
    before = belongings(lab.repo)
    done = lab.studio("accept", run, "--file", "test_user.py", code=None)
    told(done, 3, "fails", "--unchecked")
    assert any(hunk["id"] in done.stderr for hunk in found["library.py"]), done.stderr
    assert belongings(lab.repo) == before
    lab.studio("accept", run, "--all")
    assert (lab.repo / "library.py").read_text() == SPLIT
    lab.studio("undo")
    assert belongings(lab.repo) == before


def test_after_gc_a_landing_can_still_be_undone_and_what_went_is_said(lab: Lab, run: str) -> None:
    before = belongings(lab.repo)
    lab.studio("accept", run, "--file", "text.txt", "--unchecked")
    assert "runs let go" in lab.studio("gc", "--keep-days", "0").stdout
    assert hunks(lab, run)
    assert lab.json("why", "text.txt:17")["run"] == run
    lab.studio("undo")
    assert belongings(lab.repo) == before
    told(lab.studio("gc", "--keep-days", "-1", code=None), 2, "negative", "--keep-days 0")
