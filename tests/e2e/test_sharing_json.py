"""`--json`: one value a line, of a stable shape, from every command that has it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from dirty_equals import IsFloat, IsInt, IsList, IsPartialDict, IsStr

from tests.fakes.belongings import quick, scripted
from tests.fakes.studio_lab import Lab

CONFIG = 'sandbox = "bubblewrap"\nidle_seconds = 20\n'
LINE = {
    "run": IsStr(regex=r"r-\w+"),
    "brief": "brief",
    "model": IsStr(regex=r"openai/instant@http://127.*"),
    "changeset": IsStr(regex=r"[0-9a-f]{40}"),
    "files": 1,
    "hunks": 1,
    "cost_usd": 0.0,
    "tokens": IsInt(gt=0),
    "saved_usd": 0.0,
    "checks": IsPartialDict(syntax="passed", tests="not-run"),
    "confidence": IsFloat(gt=0, lt=1),
    "summary": IsStr,
    "exit_code": 0,
    "status": "ready",
}
SHAPES: dict[str, tuple[list[str], object]] = {
    "runs": (["runs"], IsList({"kind": "run", **LINE}, length=...)),
    "show": (["show", "RUN"], IsPartialDict(id=IsStr, status="ready", title="Multiply", rows=IsList(length=...))),
    "changes": (["changes", "RUN"], IsPartialDict(changeset=IsPartialDict(files=IsList(length=1)), decisions={})),
    "models": (["models"], IsList(length=...)),
    "audit": (["audit"], IsPartialDict(ok=True, records=IsInt(gt=10))),
    "why": (["why", "calc.py:1"], IsPartialDict(found=False, detail=IsStr)),
    "doctor": (["doctor"], IsList(length=...) | IsPartialDict()),
    "exec": (["exec", "--json", "--", "true"], IsPartialDict(exit_code=0)),
    "memory": (["memory", "search", "nothing"], IsList(length=...) | IsPartialDict()),
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with Lab(tmp_path_factory.mktemp("json"), scripted(), config=CONFIG) as lab:
        yield lab


@pytest.fixture(scope="module")
def run(lab: Lab) -> str:
    return quick(lab)


@pytest.mark.parametrize("name", SHAPES)
def test_a_command_prints_one_value(lab: Lab, run: str, name: str) -> None:
    words, shape = SHAPES[name]
    words = [run if word == "RUN" else word for word in words]
    if "--json" not in words:
        words.append("--json")
    done = lab.studio(*words, code=None)
    lines = done.stdout.splitlines()
    assert len(lines) == 1, done.stdout + done.stderr
    assert json.loads(lines[0]) == shape


def test_a_run_prints_an_event_a_line_and_its_result_last(lab: Lab) -> None:
    done = lab.studio("run", lab.brief("# Events\n\nAdd mul."), *lab.model(), "--depth", "quick", "--json")
    lines: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines[-1] == {"kind": "run.finished", **LINE}
    for line in lines[:-1]:
        assert line == IsPartialDict(seq=IsInt, at=IsFloat, kind=IsStr, payload=IsPartialDict(kind=line["kind"]))
    assert [line["kind"] for line in lines].count("run.finished") == 1
    assert done.stderr == ""


def test_landing_and_undo(lab: Lab, run: str) -> None:
    landed = lab.json("accept", run, "--all", "--unchecked")
    assert landed == IsPartialDict(landing=IsPartialDict(id=IsStr(regex=r"l-\w+"), run=run, files=IsList(length=1)))
    undone = lab.json("undo")
    assert undone == IsPartialDict(landing=IsPartialDict(undoes=landed["landing"]["id"]))


def test_an_error_prints_nothing_to_standard_output(lab: Lab) -> None:
    done = lab.studio("show", "r-nothere", "--json", code=2)
    assert done.stdout == ""
