from __future__ import annotations

import json

import pytest

from studio.agents.actions import GiveUp
from studio.agents.answers import (
    Misread,
    PlanAnswer,
    RemarksAnswer,
    RequirementsAnswer,
    parse_plan,
    parse_remarks,
    parse_requirements,
)
from studio.agents.structured import Answered, StructuredTask, ask_plan, ask_remarks, ask_requirements
from studio.domain.brief import parse_brief
from studio.domain.changes import ChangeKind, ChangeSet, FileChange, Hunk, HunkLine
from studio.domain.ids import HunkId, RunId
from studio.domain.memory import ContextPack
from studio.domain.models import Message, ModelReply
from studio.domain.plan import Requirement
from studio.domain.value import decode, encode

BRIEF = parse_brief("b", "# Links\n\nShorten a link. Links expire.\n")
HEADING, SHORTEN, EXPIRE = (sentence.id for sentence in BRIEF.sentences)
WANTED = (Requirement("R1", "shorten"), Requirement("R2", "expire"))
HUNK = Hunk(HunkId("h-0123456789"), "a.py", 1, 0, 1, 1, (HunkLine("+", "x = 1"),))


def fenced(value: object) -> str:
    return f"Here it is.\n```json\n{json.dumps(value, indent=1)}\n```\nDone."


def task(name: str, needs: tuple[str, ...] = (), **fields: object) -> dict[str, object]:
    return {"id": name, "title": name, "goal": f"do {name}", "needs": needs, "requirements": ["R1", "R2"], **fields}


def test_requirements_are_renumbered_and_tied() -> None:
    text = fenced(
        {
            "requirements": [{"id": "R7", "text": "shorten", "criteria": ["201"], "sentences": [f"[{SHORTEN}]"]}],
            "questions": [{"text": "When?", "options": ["never"], "default": "never"}],
        }
    )
    answer = parse_requirements(text, BRIEF)
    assert isinstance(answer, RequirementsAnswer)
    assert answer.requirements == (Requirement("R1", "shorten", ("201",), (SHORTEN,)),)
    assert answer.questions[0].id == "Q1"
    assert answer.uncovered == (EXPIRE,)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("I cannot.", "no JSON"),
        (fenced({"plan": 1}), "has no 'requirements'"),
        (fenced({"requirements": []}), "at least one"),
        (fenced({"requirements": [{"text": 1}]}), "not of the shape"),
        (fenced({"requirements": [{"text": "x", "sentences": ["s-zzz"]}]}), "no sentences s-zzz"),
        ('```json\n{"requirements": [' + "[" * 100_000, "no JSON"),
    ],
)
def test_requirements_misread(text: str, said: str) -> None:
    answer = parse_requirements(text, BRIEF)
    assert isinstance(answer, Misread)
    assert said in answer.message


def test_a_plan_is_ordered_and_renumbered() -> None:
    answer = parse_plan(
        "{'not json'}\n"
        + fenced({"tasks": [task("late", ("early",), role="wizard"), task("early", files=["./a.py"], role="API")]}),
        WANTED,
    )
    assert isinstance(answer, PlanAnswer)
    early, late = answer.plan.tasks
    assert (early.id, early.title, early.files, early.role) == ("T1", "early", ("a.py",), "api")
    assert (late.id, late.needs, late.role) == ("T2", ("T1",), "builder")


@pytest.mark.parametrize(
    ("tasks", "said"),
    [
        ([], "at least one"),
        ([task("a", ("b",)), task("b", ("a",))], "circle"),
        ([task("a", ("a",))], "circle"),
        ([task("a", ("z",))], "not in the plan"),
        ([task("a"), task("a")], "same id"),
        ([task("a", files=["../x"])], "leaves the repository"),
        ([task("a", files=["db/schema.sql"])], "protects it"),
        ([task("a", requirements=["R1"])], "No task is for R2"),
        ([task("a", goal=" ")], "no goal"),
        ([task(f"t{n}") for n in range(20)], "at most"),
    ],
)
def test_plans_misread(tasks: list[dict[str, object]], said: str) -> None:
    answer = parse_plan(fenced({"tasks": tasks}), WANTED, ("db/**",))
    assert isinstance(answer, Misread)
    assert said in answer.message


def test_remarks() -> None:
    given = [
        {"hunk": HUNK.id, "line": 0, "severity": "Warning", "text": "why?"},
        {"hunk": HUNK.id, "line": 9, "text": "outside"},
        {"hunk": "h-none", "text": "lost"},
        {"text": "all of it", "line": None},
    ]
    answer = parse_remarks(fenced({"remarks": given}), (HUNK,))
    assert isinstance(answer, RemarksAnswer)
    assert [(each.hunk, each.line, each.severity) for each in answer.remarks] == [
        (HUNK.id, 0, "warning"),
        (HUNK.id, -1, "note"),
        ("", -1, "note"),
    ]
    assert parse_remarks('{"remarks": [],}', ()) == RemarksAnswer(())


def reply(text: str) -> ModelReply:
    return ModelReply(Message("assistant", text), "m")


def test_one_repair_is_asked_for() -> None:
    question = ask_requirements(BRIEF, ContextPack())
    assert f"[{SHORTEN}] Shorten a link." in question.next_request().messages[1].content
    question = question.feed(reply("no"))
    request = question.next_request()
    assert str(request.address) == "requirements/-/1/2"
    assert "no JSON" in request.messages[-1].content
    good = question.feed(reply(fenced({"requirements": [{"text": "x"}]})))
    assert isinstance(good.outcome, Answered)
    assert decode(encode(good), StructuredTask) == good
    assert isinstance(question.feed(reply("no")).outcome, GiveUp)


def test_plan_and_remarks_are_asked_for() -> None:
    plan = ask_plan(BRIEF, WANTED, ContextPack())
    assert plan.pending == ()
    assert plan.tell(["x"]) == plan
    assert isinstance(plan.feed(reply(fenced({"tasks": [task("a")]}))).outcome, Answered)
    changes = ChangeSet(RunId("r"), "b", "h", "bt", "ht", (FileChange("a.py", ChangeKind.ADDED, (HUNK,)),))
    for role in ("critic", "security-reviewer"):
        remarks = ask_remarks(changes, WANTED, "pytest passed", role=role)
        request = remarks.next_request()
        assert "0 +x = 1" in request.messages[1].content
        assert request.role == role
        assert isinstance(remarks.feed(reply('{"remarks": []}')).outcome, Answered)
