"""Structured answers in text: one JSON fence, read tolerantly, validated strictly."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar, cast

import msgspec

from studio.agents.edits.paths import EditPolicy, refused_path
from studio.agents.roles import BUILD_ROLES
from studio.domain.brief import Brief
from studio.domain.changes import Hunk, Remark
from studio.domain.ids import HunkId, TaskId
from studio.domain.plan import Plan, Question, Requirement, Task
from studio.domain.value import Value

__all__ = [
    "MAX_TASKS",
    "Misread",
    "PlanAnswer",
    "RemarksAnswer",
    "RequirementsAnswer",
    "parse_plan",
    "parse_remarks",
    "parse_requirements",
]

MAX_REQUIREMENTS = 40
MAX_TASKS = 12
MAX_REMARKS = 40
MAX_TEXT = 4000
_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})[ \t]*([\w+-]*)[^\n]*\n(.*?)^[ \t]*\1[ \t]*$", re.DOTALL | re.MULTILINE)
_TRAILING_COMMA = re.compile(r",(\s*[}\]])")
_TIERS = ("t0", "t1", "t2", "t3")
_SEVERITIES = {
    "note": "note",
    "info": "note",
    "warning": "warning",
    "warn": "warning",
    "error": "error",
    "critical": "error",
}

T = TypeVar("T")


class Misread(Value, frozen=True, tag="misread"):
    """An answer that cannot be used, and what to tell the model."""

    message: str


class RequirementsAnswer(Value, frozen=True, tag="requirements"):
    """Requirements and open questions."""

    requirements: tuple[Requirement, ...]
    questions: tuple[Question, ...] = ()
    uncovered: tuple[str, ...] = ()
    """Ids of sentences that no requirement is tied to."""


class PlanAnswer(Value, frozen=True, tag="plan"):
    """A plan."""

    plan: Plan


class RemarksAnswer(Value, frozen=True, tag="remarks"):
    """Remarks; those on hunks that do not exist are left out."""

    remarks: tuple[Remark, ...]


class _Requirement(Value, frozen=True):
    text: str
    criteria: tuple[str, ...] = ()
    sentences: tuple[str, ...] = ()


class _Question(Value, frozen=True):
    text: str
    default: str = ""
    options: tuple[str, ...] = ()


class _Requirements(Value, frozen=True):
    requirements: tuple[_Requirement, ...]
    questions: tuple[_Question, ...] = ()


class _Task(Value, frozen=True):
    title: str
    goal: str
    id: str = ""
    files: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    role: str = "builder"
    tier: str = "t1"


class _Plan(Value, frozen=True):
    tasks: tuple[_Task, ...]
    rationale: str = ""


class _Remark(Value, frozen=True):
    text: str
    hunk: str = ""
    line: int | None = None
    severity: str = "note"


class _Remarks(Value, frozen=True):
    remarks: tuple[_Remark, ...]


def _candidates(text: str) -> Iterator[str]:
    """Yield what may be the answer's JSON: fenced as JSON, fenced otherwise, the reply itself, from its first brace."""
    fences = [(match.group(2).lower(), match.group(3)) for match in _FENCE.finditer(text)]
    yield from (body for kind, body in reversed(fences) if kind.startswith("json"))
    yield from (body for kind, body in reversed(fences) if not kind.startswith("json"))
    yield text
    begin, end = text.find("{"), text.rfind("}")
    if 0 <= begin < end:
        yield text[begin : end + 1]


def _objects(text: str) -> Iterator[dict[str, Any]]:
    for candidate in _candidates(text):
        for attempt in (candidate, _TRAILING_COMMA.sub(r"\1", candidate)):
            try:
                loaded: Any = json.loads(attempt, strict=False)
            except (ValueError, RecursionError):
                continue
            if isinstance(loaded, dict):
                yield cast("dict[str, Any]", loaded)
            break


def _read(text: str, kind: type[T], key: str) -> T | Misread:
    """Return the first object in `text` that has `key`, read as `kind`."""
    seen = False
    for found in _objects(text):
        seen = True
        if key not in found:
            continue
        try:
            return msgspec.convert(found, kind, strict=False)
        except msgspec.ValidationError as error:
            return Misread(f"The JSON is not of the shape described: {error}. Send it again, complete.")
    what = f"The JSON has no {key!r}" if seen else "There is no JSON object in your reply that can be read"
    return Misread(f"{what}. Answer with exactly one JSON fence of the shape described.")


def _short(text: str) -> str:
    return " ".join(text.split())[:MAX_TEXT]


def parse_requirements(text: str, brief: Brief) -> RequirementsAnswer | Misread:
    """Read requirements, renumbered `R1`…, and questions `Q1`…; ids of sentences that do not exist are refused."""
    given = _read(text, _Requirements, "requirements")
    if isinstance(given, Misread):
        return given
    if not given.requirements or not all(each.text.strip() for each in given.requirements):
        return Misread("Give at least one requirement, each with a text.")
    if len(given.requirements) > MAX_REQUIREMENTS:
        return Misread(f"There are {len(given.requirements)} requirements; give at most {MAX_REQUIREMENTS}.")
    known = [sentence.id for sentence in brief.sentences]
    strange = sorted({one.strip("[]") for each in given.requirements for one in each.sentences} - set(known))
    if strange:
        return Misread(f"There are no sentences {', '.join(strange[:8])}. The ids are {', '.join(known[:60])}.")
    requirements = tuple(
        Requirement(
            f"R{number}",
            _short(each.text),
            tuple(_short(criterion) for criterion in each.criteria if criterion.strip()),
            tuple(dict.fromkeys(one.strip("[]") for one in each.sentences)),
        )
        for number, each in enumerate(given.requirements, 1)
    )
    questions = tuple(
        Question(
            f"Q{number}", _short(each.text), _short(each.default), tuple(_short(option) for option in each.options)
        )
        for number, each in enumerate((each for each in given.questions if each.text.strip()), 1)
    )
    tied = {one for each in requirements for one in each.sentences}
    uncovered = tuple(
        sentence.id for sentence in brief.sentences if sentence.id not in tied and not sentence.text.startswith("#")
    )
    return RequirementsAnswer(requirements, questions, uncovered)


def parse_plan(
    text: str, requirements: Sequence[Requirement], protect: Sequence[str] = (), limit: int = MAX_TASKS
) -> PlanAnswer | Misread:
    """Read a plan: its needs exist and have no cycle, its files may be written; tasks are ordered and renumbered `T1`…."""
    given = _read(text, _Plan, "tasks")
    if isinstance(given, Misread):
        return given
    names = [task.id.strip() or f"T{number}" for number, task in enumerate(given.tasks, 1)]
    tasks = dict(zip(names, given.tasks, strict=True))
    problem = _plan_problem(names, tasks, limit) or _files_problem(tasks, protect)
    if problem:
        return Misread(problem)
    order = _ordered(tasks)
    if isinstance(order, Misread):
        return order
    ids = {name: TaskId(f"T{number}") for number, name in enumerate(order, 1)}
    wanted = {each.id for each in requirements}
    made = tuple(_task(ids, name, tasks[name], wanted) for name in order)
    missed = sorted(wanted - {one for task in made for one in task.requirements}, key=lambda one: (len(one), one))
    if missed:
        return Misread(f"No task is for {', '.join(missed)}. Name every requirement in the `requirements` of a task.")
    return PlanAnswer(Plan(made, given.rationale.strip()[:MAX_TEXT]))


def _task(ids: Mapping[str, TaskId], name: str, task: _Task, wanted: set[str]) -> Task:
    role = task.role.strip().lower()
    return Task(
        ids[name],
        _short(task.title)[:200] or str(ids[name]),
        task.goal.strip()[:MAX_TEXT],
        tuple(dict.fromkeys(posixpath.normpath(path.strip()) for path in task.files if path.strip())),
        tuple(sorted((ids[need.strip()] for need in set(task.needs)), key=lambda one: int(one[1:]))),
        tuple(one for one in dict.fromkeys(each.strip().upper() for each in task.requirements) if one in wanted),
        role if role in BUILD_ROLES else "builder",
        task.tier if task.tier in _TIERS else "t1",
    )


def _plan_problem(names: Sequence[str], tasks: Mapping[str, _Task], limit: int) -> str:
    if not names:
        return "Give at least one task."
    if len(names) > limit:
        return f"There are {len(names)} tasks; give at most {limit}."
    if len(tasks) < len(names):
        return "Two tasks have the same id; number them T1, T2, …"
    if empty := [name for name, task in tasks.items() if not task.goal.strip()]:
        return f"Task {empty[0]} has no goal."
    missing = [(name, need) for name, task in tasks.items() for need in task.needs if need.strip() not in tasks]
    return f"Task {missing[0][0]} needs {missing[0][1]}, which is not in the plan." if missing else ""


def _files_problem(tasks: Mapping[str, _Task], protect: Sequence[str]) -> str:
    policy = EditPolicy(protect=protect)
    for name, task in tasks.items():
        for path in task.files:
            plain = posixpath.normpath(path.strip()) if path.strip() else "x"
            if reason := refused_path(plain, policy):
                return f"Task {name} names the file {path[:200]!r}: {reason}."
    return ""


def _ordered(tasks: Mapping[str, _Task]) -> list[str] | Misread:
    """Return the tasks in an order in which needs come first, else in the order given."""
    left = {name: {need.strip() for need in task.needs} for name, task in tasks.items()}
    order: list[str] = []
    while left:
        ready = next((name for name, needs in left.items() if needs <= set(order)), None)
        if ready is None:
            return Misread(f"The needs of tasks {', '.join(left)} form a circle; a task cannot need its own result.")
        order.append(ready)
        del left[ready]
    return order


def parse_remarks(text: str, hunks: Sequence[Hunk], author: str = "critic") -> RemarksAnswer | Misread:
    """Read remarks by hunk id. A line outside of its hunk makes it a remark on the hunk."""
    given = _read(text, _Remarks, "remarks")
    if isinstance(given, Misread):
        return given
    sizes = {str(hunk.id): len(hunk.lines) for hunk in hunks}
    remarks: list[Remark] = []
    for each in given.remarks[:MAX_REMARKS]:
        hunk = each.hunk.strip()
        if not each.text.strip() or (hunk and hunk not in sizes):
            continue
        line = -1 if each.line is None or not 0 <= each.line < sizes.get(hunk, 0) else each.line
        severity = _SEVERITIES.get(each.severity.strip().lower(), "note")
        remarks.append(Remark(author, each.text.strip()[:MAX_TEXT], HunkId(hunk), line, severity))
    if given.remarks and not remarks:
        return Misread(f"None of the remarks is on a hunk there is. The ids are {', '.join(sizes)}.")
    return RemarksAnswer(tuple(remarks))
