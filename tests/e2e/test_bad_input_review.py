"""Reviewing with bad input, landing against a moving tree, and everything at once."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.fakes.belongings import belongings, quick, told
from tests.fakes.studio_lab import Lab, git

CONFIG = 'sandbox = "bubblewrap"\nidle_seconds = 20\n[models]\ncache = false\n'
BEFORE = "def add(a, b):\n    return a + b\n"
AFTER = "def add(a, b):\n    return b + a\n"


def script() -> dict[str, object]:
    """Return an instant model that edits calc.py, or adds the file that the brief's title names."""
    edit = {"name": "edit", "arguments": {"path": "calc.py", "content": AFTER, "done": True}}
    rules: list[dict[str, object]] = [
        {
            "contains": ["You are the builder", f"Add {name}"],
            "tool_calls": [{"name": "edit", "arguments": {"path": name, "content": f"# {name}\n", "done": True}}],
        }
        for name in ("one.py", "two.py")
    ]
    return {"rules": [*rules, {"contains": ["You are the builder"], "tool_calls": [edit]}]}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with Lab(tmp_path_factory.mktemp("review"), script(), config=CONFIG) as lab:
        yield lab


@pytest.fixture(scope="module")
def run(lab: Lab) -> str:
    return quick(lab, "# Swap\n\nSwap the operands.")


@pytest.fixture(scope="module")
def hunk(lab: Lab, run: str) -> str:
    return str(lab.json("changes", run)["changeset"]["files"][0]["hunks"][0]["id"])


@pytest.fixture(autouse=True)
def untouched(lab: Lab) -> Iterator[None]:
    (lab.repo / "calc.py").write_text(BEFORE)
    yield
    (lab.repo / "calc.py").write_text(BEFORE)


@pytest.mark.parametrize(
    "words",
    [["show"], ["events"], ["changes"], ["tell", "x"], ["cancel"], ["resume"], ["fork", "--from", "build"], ["revise"],
     ["answer", "g", "yes"], ["accept", "--all"], ["reject", "--all"]],
    ids=lambda words: words[0],
)  # fmt: skip
def test_an_unknown_run_is_refused_and_the_known_ones_named(lab: Lab, run: str, words: list[str]) -> None:
    done = lab.studio(words[0], "r-nothere", *words[1:], code=None)
    told(done, 2, "There is no run r-nothere", "studio runs")


@pytest.mark.parametrize(
    ("choice", "what"),
    [
        (["--hunk", "h-nothere"], "no hunk h-nothere"),
        (["--lines", "h-nothere:1"], "no hunk h-nothere"),
        (["--lines", "HUNK:99"], "no line 99"),
        (["--lines", "HUNK:0"], "names no line"),
        (["--lines", "HUNK:3-1"], "names no line"),
        (["--lines", "HUNK"], "not ID:RANGE"),
        (["--lines", "HUNK:a-b"], "not ID:RANGE"),
        (["--file", "absent.py"], "absent.py"),
        (["--file", "../outside.py"], "outside.py"),
        ([], "Nothing is chosen"),
    ],
)
def test_unknown_hunks_lines_and_files_are_refused(lab: Lab, run: str, hunk: str, choice: list[str], what: str) -> None:
    before, decided = belongings(lab.repo), lab.json("changes", run)["decisions"]
    words = [word.replace("HUNK", hunk) for word in choice]
    told(lab.studio("accept", run, *words, code=None), 2, what)
    assert belongings(lab.repo) == before
    assert lab.json("changes", run)["decisions"] == decided


@pytest.mark.parametrize("target", ["moon", "branch:", "branch:main", "branch:a..b", "branch:-x"])
def test_a_target_that_cannot_be_is_refused(lab: Lab, run: str, target: str) -> None:
    before = belongings(lab.repo)
    told(lab.studio("accept", run, "--all", "--unchecked", f"--to={target}", code=None), 2, "")
    assert belongings(lab.repo) == before


@pytest.mark.parametrize("unchecked", [[], ["--unchecked"]])
def test_a_file_changed_under_a_landing_is_a_conflict_and_lands_nothing(
    lab: Lab, run: str, hunk: str, unchecked: list[str]
) -> None:
    (lab.repo / "calc.py").write_text("def add(a, b):\n    return sum((a, b))\n")
    before = belongings(lab.repo)
    done = lab.studio("accept", run, "--hunk", hunk, *unchecked, code=None)
    told(done, 6, "calc.py")
    assert belongings(lab.repo) == before
    assert "landing.failed" in {event["kind"] for event in lab.events(run)}


@pytest.mark.parametrize(
    ("where", "what"), [("calc.py:99", "no line 99"), ("calc.py:0", "no line 0"), ("absent.py:1", "absent.py"),
                        ("calc.py", "not FILE:LINE"), ("../x:1", "not in")]
)  # fmt: skip
def test_a_line_that_is_not_there(lab: Lab, run: str, where: str, what: str) -> None:
    told(lab.studio("why", where, code=None), 2, what)


def test_a_landing_that_is_not_there(lab: Lab, run: str) -> None:
    told(lab.studio("undo", "l-nothere", code=None), 2, "no landing l-nothere", "latest")


def at_once(lab: Lab, *commands: list[str]) -> list[subprocess.CompletedProcess[str]]:
    def one(words: list[str]) -> subprocess.CompletedProcess[str]:
        return lab.studio(*words, code=None)

    with ThreadPoolExecutor(len(commands)) as pool:
        return list(pool.map(one, commands))


def test_two_runs_and_two_landings_at_once(lab: Lab) -> None:
    before = git(lab.repo, "rev-parse", "HEAD").strip()
    briefs = [lab.brief(f"# Add {name}\n\nAdd {name}.", name[:3]) for name in ("one.py", "two.py")]
    started = at_once(lab, *(["run", brief, *lab.model(), "--depth", "quick"] for brief in briefs))
    assert [done.returncode for done in started] == [0, 0], started
    runs = [done.stdout.split()[0] for done in started]
    landed = at_once(lab, *(["accept", run, "--all", "--to", "commit", "--unchecked", "-m", run] for run in runs))
    assert [done.returncode for done in landed] == [0, 0], landed
    assert set(git(lab.repo, "log", "--format=%s", f"{before}..HEAD").split()) == set(runs)
    assert git(lab.repo, "show", "HEAD:one.py") + git(lab.repo, "show", "HEAD:two.py") == "# one.py\n# two.py\n"
    assert git(lab.repo, "status", "--porcelain") == ""
    assert lab.json("audit")["ok"] is True


def test_one_run_landed_twice_at_once_lands_once(lab: Lab, run: str) -> None:
    landed = at_once(lab, *[["accept", run, "--all", "--unchecked"]] * 2)
    assert sorted(done.returncode for done in landed) == [0, 2], landed
    told(next(done for done in landed if done.returncode), 2, "already")
    assert (lab.repo / "calc.py").read_text() == AFTER
    lab.studio("undo")
    assert (lab.repo / "calc.py").read_text() == BEFORE
