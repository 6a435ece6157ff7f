"""A run told in events, for pictures and tests of the studio: requested, half way, proposed."""

from __future__ import annotations

from studio.domain import events as ev
from studio.domain.changes import ChangeKind, ChangeSet, FileChange, Hunk, HunkLine, Provenance, Remark
from studio.domain.checks import CheckResult, Finding, Level, Outcome, TestCase
from studio.domain.edits import AppliedEdit, MatchKind
from studio.domain.ids import ArtifactId, BriefName, GateId, HunkId, RunId, TaskId
from studio.domain.models import ReplySource, Usage
from studio.domain.runs import Confidence, Gate, RunOptions, RunStatus
from studio.domain.stages import Depth, Stage
from studio.protocol.commands import FileEntry
from tests.fakes.fake_session import FakeSession

RUN = "r-7k2m9x4q"
BRIEF = """---
budget: 1.5
accept: [python -m pytest -q]
---
# Expiring links

Links made by the shortener never go away. Give every link an optional **expiry**.

- `POST /links` takes `ttl` in seconds; a missing one means the link never expires.
- An expired link answers 410 and is not counted as a visit.
- `shortener purge` deletes what expired, and says how many.

Keep the store's schema compatible: old databases must open.
"""


def hunk(id_: str, path: str, start: int, text: str, **more: object) -> Hunk:
    lines = tuple(HunkLine(line[0], line[1:]) for line in text.strip("\n").split("\n"))
    old = sum(line.op != "+" for line in lines)
    new = sum(line.op != "-" for line in lines)
    why = Provenance(("R1",), TaskId("T1"), "builder", "gpt-5-mini", "c1", 0.0042, ("t::a", "t::b"))
    return Hunk(HunkId(id_), path, start, old, start, new, lines, provenance=why, **more)  # pyright: ignore[reportArgumentType] test data


def changes() -> ChangeSet:
    store = """
 import sqlite3
+import time
 from pathlib import Path
-SCHEMA = "CREATE TABLE IF NOT EXISTS links (slug TEXT PRIMARY KEY, url TEXT NOT NULL)"
+SCHEMA = "CREATE TABLE IF NOT EXISTS links (slug TEXT PRIMARY KEY, url TEXT NOT NULL, expires REAL)"
"""
    add = """
     def add(self, slug: str, url: str) -> None:
-        self.db.execute("INSERT INTO links VALUES (?, ?)", (slug, url))
+        self.add_expiring(slug, url, None)
+
+    def add_expiring(self, slug: str, url: str, ttl: float | None) -> None:
+        # A link without a time to live never expires.
+        expires = None if ttl is None else time.time() + ttl
+        self.db.execute("INSERT INTO links VALUES (?, ?, ?)", (slug, url, expires))
         self.db.commit()
"""
    test = """
+from shortener.store import Store
+
+
+def test_expired_links_are_gone(tmp_path):
+    store = Store(tmp_path / "links.db")
+    store.add_expiring("a", "https://example.org", -1)
+    assert store.get("a") is None
"""
    files = (
        FileChange(
            "shortener/store.py",
            ChangeKind.MODIFIED,
            (
                hunk("h-0000000001", "shortener/store.py", 1, store, match=MatchKind.EXACT),
                hunk("h-0000000002", "shortener/store.py", 31, add, match=MatchKind.INDENTATION),
            ),
        ),
        FileChange(
            "tests/test_expiry.py",
            ChangeKind.ADDED,
            (hunk("h-0000000003", "tests/test_expiry.py", 1, test, match=MatchKind.WHOLE_FILE),),
        ),
    )
    return ChangeSet(RunId(RUN), "b" * 40, "c" * 40, "d" * 40, "e" * 40, files)


FILES = [
    FileEntry("README.md"),
    FileEntry("pyproject.toml"),
    FileEntry("shortener/__init__.py"),
    FileEntry("shortener/api.py", "M", 12, 3),
    FileEntry("shortener/store.py", "M", 8, 2),
    FileEntry("tests/test_api.py"),
    FileEntry("tests/test_expiry.py", "A", 7, 0),
]


def told_running(session: FakeSession) -> None:
    """Tell the run up to a builder's streaming call and a waiting gate."""
    session.briefs["expiry"] = BRIEF
    session.files = list(FILES)
    session.artifacts["a1"] = b'{"messages":[{"role":"user","content":"Plan it."}]}'
    options = RunOptions("openai/gpt-5-mini")
    session.emit(ev.ParticipantJoined("p1", "ada"), ev.ParticipantJoined("p2", "grace", "reviewer"))

    def tell(*events: ev.Event, step: str = "") -> None:
        session.emit(*events, run=RUN, step=step, actor="worker-1")

    tell(ev.RunRequested(BriefName("expiry"), "r1", ArtifactId("b1"), options, "Expiring links", branch="main"))
    tell(ev.RunStarted(Depth.STANDARD, "openai/gpt-5-mini", "bubblewrap", "namespaces, no network", "worker-1"))
    for stage, said in ((Stage.INTAKE, "brief of 6 sentences"), (Stage.RECALL, "3 items")):
        tell(ev.StageStarted(stage), ev.StageFinished(stage, summary=said), step=stage)
    tell(ev.StageStarted(Stage.REQUIREMENTS), step="requirements")
    tell(ev.StageFinished(Stage.REQUIREMENTS, reused=True, saved_usd=0.0031, summary="4 requirements"))
    tell(ev.StageStarted(Stage.PLAN), step="plan")
    tell(ev.ModelCalled("c0", "gpt-5-mini", "planner", "plan", request=ArtifactId("a1")), step="plan")
    replied = ev.ModelReplied(
        "c0", "gpt-5-mini", ReplySource.PROVIDER, Usage(3120, 640), 0.0042, 5100, ArtifactId("a1")
    )
    tell(replied, ev.StageFinished(Stage.PLAN, summary="2 tasks"), step="plan")
    tell(ev.StageStarted(Stage.BUILD), ev.TaskStarted(TaskId("T1"), "Store expiry", "builder"), step="build/T1/1")
    tell(ev.ToolCalled("read_file", '{"path": "shortener/store.py"}', ok=True, summary="84 lines"), step="build/T1/1")
    refused = ev.ToolCalled("search", '{"query": "expires"}', ok=False, summary="no match")
    tell(refused, step="build/T1/1")
    applied = AppliedEdit("shortener/store.py", MatchKind.EXACT)
    tell(ev.EditsApplied(TaskId("T1"), "c1", (applied,)), step="build/T1/1")
    tell(ev.CommandStarted("k1", ("python", "-m", "pytest", "-q"), "bubblewrap", "builder"), step="build/T1/1")
    tell(ev.CommandFinished("k1", 1, "exited", 1900, ArtifactId("a1")), step="build/T1/1")
    tell(ev.ModelCalled("c1", "gpt-5-mini", "builder", "build", TaskId("T1")), step="build/T1/1")


def told_gate(session: FakeSession) -> None:
    """Open a gate."""
    gate = Gate(GateId("g1"), "question", "Should purge run by itself?", ("no", "daily"), "no")
    session.emit(ev.GateOpened(gate), run=RUN, step="plan", actor="worker-1")


def told_review(session: FakeSession) -> None:
    """Tell the run to its change set."""
    told_running(session)

    def tell(*events: ev.Event, step: str = "") -> None:
        session.emit(*events, run=RUN, step=step, actor="worker-1")

    tell(ev.ModelReplied("c1", "gpt-5-mini", ReplySource.PROVIDER, Usage(5120, 1640), 0.0112, 8100), step="build/T1/1")
    tell(ev.TaskFinished(TaskId("T1"), ok=True, summary="2 files"), ev.StageFinished(Stage.BUILD), step="build")
    tell(ev.StageStarted(Stage.CHECK), step="check")
    finding = Finding("lint", "F401", Level.WARNING, "`os` imported but unused", "shortener/store.py", 31, 31)
    failing = TestCase("tests/test_expiry.py::test_expired", Outcome.FAILED, 4, "E   assert 'https://…' is None")
    tests = CheckResult("tests", Outcome.FAILED, "e" * 40, "bubblewrap", duration_ms=2100, tests=(failing,),
                        coverage=0.87, summary="1 failed, 13 passed")  # fmt: skip
    for result in (
        CheckResult("syntax", Outcome.PASSED, "e" * 40, "bubblewrap", duration_ms=12, summary="3 files"),
        CheckResult("lint", Outcome.FAILED, "e" * 40, "bubblewrap", findings=(finding,), summary="1 finding"),
        CheckResult("types", Outcome.NOT_RUN, "e" * 40, reason="mypy is not configured here"),
        tests,
    ):
        tell(ev.CheckStarted(result.check, 0, "e" * 40), ev.CheckFinished(result, 0), step="check")
    tell(ev.StageFinished(Stage.CHECK, ok=False, summary="2 checks failed"), step="check")
    session.changes[RUN] = changes()
    tell(
        ev.ChangeSetProposed(
            ArtifactId("cs"), 2, 3, 16, 2, "e" * 40, "b" * 40, "c" * 40, Confidence(0.64, ("tests failed",))
        ),
        ev.RemarkMade(
            Remark("critic", "Old rows have no expires column: migrate.", HunkId("h-0000000001"), 5, "warning")
        ),
        ev.RunFinished(RunStatus.CHECKS_FAILED, "2 checks failed", 3),
    )
