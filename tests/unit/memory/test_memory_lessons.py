from __future__ import annotations

from pathlib import Path

import pytest

from studio.domain.brief import parse_brief
from studio.domain.changes import ChangeKind, ChangeSet, Decision, FileChange, Hunk, HunkLine, Verdict
from studio.domain.errors import UsageError
from studio.domain.ids import HunkId, LandingId, RunId, TaskId
from studio.domain.memory import Collection, MemoryState
from studio.domain.plan import Plan, Task
from studio.domain.runs import RunStatus
from studio.memory import lessons
from studio.memory.embed import HASHED_SIZE, choose, hashed
from studio.ports.engine import Symbol

RUN = RunId("r-1")


def changes() -> ChangeSet:
    def hunk(name: str, path: str) -> Hunk:
        lines = (HunkLine(" ", "def f():"), HunkLine("-", "    return 1"), HunkLine("+", "    return 2"))
        return Hunk(HunkId(name), path, 1, 2, 1, 2, lines)

    files = tuple(
        FileChange(path, ChangeKind.MODIFIED, (hunk(f"h-{path}", path),))
        for path in ("a.py", "b.py", "c.py", "key.pem")
    )
    return ChangeSet(RUN, "base", "head", "bt", "ht", files)


def decided() -> dict[str, Decision]:
    return {
        "h-a.py": Decision(HunkId("h-a.py"), Verdict.ACCEPTED),
        "h-b.py": Decision(HunkId("h-b.py"), Verdict.REJECTED, comment="never change the constant"),
        "h-key.pem": Decision(HunkId("h-key.pem"), Verdict.ACCEPTED),
    }


def test_decisions_teach_with_their_comments_and_private_paths_do_not() -> None:
    items = lessons.decision_lessons(
        changes(), decided(), "p", 5.0, LandingId("l-1"), private=lambda path: path.endswith(".pem")
    )
    accepted, rejected = items
    assert accepted.source == "landing l-1"
    assert rejected.source == "run r-1"
    assert "never change the constant" in rejected.text
    assert "+    return 2" in rejected.text
    assert rejected.tags == ("b.py", "rejected")
    again = lessons.decision_lessons(changes(), decided(), "p", 9.0, LandingId("l-1"))
    assert {item.id for item in items} < {item.id for item in again}


def test_code_teaches_top_level_definitions() -> None:
    symbols = [
        Symbol("A", "class", "a.py", 1, 3),
        Symbol("f", "function", "a.py", 2, 3),
        Symbol("g", "function", "a.py", 4, 5),
    ]
    text = "class A:\n    def f(self):\n        pass\ndef g():\n    pass\n"
    items = lessons.code_lessons("a.py", symbols, text, "p", 1.0, LandingId("l-1"))
    assert [item.tags for item in items] == [("a.py", "A"), ("a.py", "g")]
    assert items[0].text.endswith("        pass")


def test_failures_briefs_and_facts_have_derived_ids() -> None:
    failure = lessons.failure_lesson("tests a.py r AssertionError", "-x\n+y", "p", 10.0, RUN)
    assert failure.id == lessons.failure_lesson("tests a.py r AssertionError", "other", "p", 11.0, RUN).id
    assert failure.expires > failure.created
    plan = Plan((Task(TaskId("T1"), "Store links", "g"),))
    brief = parse_brief("links", "# Links\nKeep links.\n")
    lesson = lessons.brief_lesson(brief, plan, RunStatus.READY, 0.5, "p", 1.0, RUN)
    assert lesson.collection is Collection.BRIEFS
    assert "- Store links" in lesson.text
    assert "50% accepted" in lesson.text
    told = lessons.fact("  We deploy on Fridays. ", "Ada", "p", 1.0)
    assert (told.text, told.source) == ("We deploy on Fridays.", "person Ada")
    assert lessons.retracted(told).state is MemoryState.RETRACTED


def test_an_embedder_is_only_what_is_at_hand(tmp_path: Path) -> None:
    assert not choose("auto", home=tmp_path).ranks
    assert choose("none", hashed).name == "none"
    with pytest.raises(UsageError, match="text-embedding-3-small"):
        choose("text-embedding-3-small", home=tmp_path)
    weights = tmp_path / ".cache" / "chroma" / "onnx_models" / "all-MiniLM-L6-v2" / "onnx"
    weights.mkdir(parents=True)
    for name in ("config.json", "special_tokens_map.json", "tokenizer_config.json", "tokenizer.json", "vocab.txt"):
        (weights / name).touch()
    assert choose("auto", home=tmp_path).name == "none"
    (weights / "model.onnx").touch()
    assert choose("auto", home=tmp_path).name == "MiniLM"


def test_hashed_vectors_are_stable_and_normalised() -> None:
    first, second, empty = hashed(["readFile now", "read file now", ""])
    assert len(first) == len(empty) == HASHED_SIZE
    assert sum(value * value for value in first) == pytest.approx(1.0)
    assert sum(value * value for value in empty) == pytest.approx(1.0)
    assert first == hashed(["readFile now"])[0]
    assert first != second
