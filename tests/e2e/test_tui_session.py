"""The real studio in tmux: a terminal, a host, workers, a sandbox, a repository."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.openai_server import Scripted
from tests.fakes.studio_lab import Lab, git, json_reply, write_reply
from tests.fakes.tmux import Tmux, require_tmux


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    require_tmux()
    with Lab(tmp_path / "lab", config="[models]\ncache = false\n") as lab:
        yield lab


def test_a_whole_session_on_the_demo(lab: Lab) -> None:
    lab.repo = lab.home / "demo"
    with Tmux(lab.home, (160, 48), lab.env) as terminal:
        terminal.run(lab.command("demo", "--dir", str(lab.repo)), lab.home)
        shown = terminal.until("✓ ready", "11 hunks in 7 files to review")
        assert "replay shortener" in shown.splitlines()[0]
        untouched = (lab.repo / "README.md").read_text()

        terminal.press("screen.pane_review")
        terminal.until("11 to decide")
        terminal.press("review.lines")
        terminal.keys("j", "j", "j", "j", "j", "j")  # up to the first of the lines added at the end of the file's hunk
        terminal.press("review.reject")
        terminal.until("1 accepted", "10 to decide")
        for _ in range(7):
            terminal.press("review.accept_file")
            terminal.keys("}")
        terminal.until("11 accepted: ✓", gone="to decide")

        terminal.press("review.land")
        terminal.until("Land what is accepted", "11 accepted")
        terminal.keys("C-s")
        terminal.until("landed 7 files in the working tree")
        readme = (lab.repo / "README.md").read_text()
        assert "A box for links: they go into a SQLite file and come out as a list." in readme
        assert "python -m linkbox purge" in readme
        assert (lab.repo / "linkbox" / "service.py").exists()

        terminal.press("review.undo")
        terminal.until("Undo the last landing", "linkbox purge")
        terminal.keys("y")
        terminal.until("landing undone")
        assert (lab.repo / "README.md").read_text() == untouched
        assert not git(lab.repo, "status", "--porcelain")

        terminal.press("screen.quit")
        terminal.until_ended()
        terminal.run(lab.command(), lab.repo)
        terminal.until("✓ ready", "11 accepted: ✓", "7 passed")
        terminal.press("screen.pane_review")
        terminal.until("landing undone", "◐ README.md")


def test_a_gate_is_answered_and_a_commit_made_at_80x24(lab: Lab) -> None:
    question = {"text": "Which fence?", "options": ["red", "blue"]}
    lab.on("You are the architect", reply=json_reply({"requirements": [{"text": "paint"}], "questions": [question]}))
    task = {"id": "T1", "title": "paint", "goal": "paint it", "files": ["fence.txt"], "requirements": ["R1"]}
    lab.on("You are the planner", reply=json_reply({"tasks": [task]}))
    lab.on("You are the builder", reply=write_reply("fence.txt", "\x1b]0;taken over\x07 漢字 painted\n"))
    lab.on("You are the test writer", reply=Scripted("Nothing to add."))
    lab.on("You are the critic", reply=json_reply({"remarks": []}))
    lab.env["OPENAI_API_BASE"] = lab.server.url
    with Tmux(lab.home, (80, 24), lab.env) as terminal:
        terminal.run(lab.command(), lab.repo)
        terminal.until("1 Brief", "6 Console", "◆")
        terminal.type("---\ndepth: standard\n---\nPaint the fence.")
        terminal.until("1 sentence")
        terminal.keys("C-r")
        terminal.until("Which model?")
        terminal.type("openai/instant")
        terminal.keys("Enter")
        terminal.until("? waits for you", "Which fence?")
        terminal.press("timeline.answer")
        terminal.until("Gate:", "red", "blue")
        terminal.keys("j", "Enter")
        terminal.until("✓ ready")

        terminal.press("screen.pane_review")
        shown = terminal.until("fence.txt", "漢字 painted")
        assert "␛]0;taken over␇" in shown
        terminal.press("review.accept")
        terminal.until("✓ 1 accepted")
        terminal.press("review.land")
        terminal.until("Land what is accepted")
        terminal.keys("j", "j", "C-s")
        terminal.until("as commit")
        assert git(lab.repo, "show", "HEAD:fence.txt").endswith("漢字 painted\n")
        assert "Studio-Run:" in git(lab.repo, "log", "-1", "--format=%B")
