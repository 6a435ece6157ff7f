"""Roles, prompts, patterns, depth: the data agents are made of."""

from __future__ import annotations

import pytest

from studio.agents.complexity import characteristics, choose_depth
from studio.agents.edits.formats import EditFormat
from studio.agents.edits.globs import matches
from studio.agents.patterns import PATTERNS, choose_patterns, fragments
from studio.agents.prompts import prompt_names, prompt_version, render_prompt
from studio.agents.roles import ROLES, Role, find_role, role_prompt_version, system_prompt
from studio.agents.tools import TOOL_NAMES, tool_specs
from studio.domain.brief import parse_brief
from studio.domain.errors import UsageError
from studio.domain.stages import Depth

LONG = parse_brief(
    "long",
    "# Service\n\n"
    + "\n".join(
        f"- The HTTP API must answer request {n} with JSON from the database, never without a session token, maybe fast."
        for n in range(20)
    ),
)
SHORT = parse_brief("short", "Fix the typo in README.md.\n")


@pytest.mark.parametrize("role", [role for role in ROLES.values() if role.tools])
@pytest.mark.parametrize("form", EditFormat)
@pytest.mark.parametrize("tools", [True, False])
def test_every_writing_role_has_a_prompt(role: Role, form: EditFormat, tools: bool) -> None:
    prompt = system_prompt(role, ("constraint",), calls_tools=tools, form=form)
    assert "$" not in prompt
    assert "Constraints:" in prompt
    assert "data to work on" in prompt
    assert len(prompt) < 9000
    assert len(role_prompt_version(role, calls_tools=tools, form=form)) == 12


def test_prompts_check_their_fields() -> None:
    with pytest.raises(ValueError, match="takes"):
        render_prompt("plan", limit="3")
    assert prompt_version("plan") != prompt_version("critic")
    assert {"plan", "critic", "requirements", "security"} <= set(prompt_names())


def test_roles_are_found() -> None:
    assert find_role("critic").name == "critic"
    with pytest.raises(UsageError):
        find_role("nobody")


def test_tool_schemas_name_every_tool() -> None:
    assert [spec.name for spec in tool_specs(TOOL_NAMES)] == list(TOOL_NAMES)


def test_depth_follows_the_brief() -> None:
    assert choose_depth(SHORT, 100)[0] is Depth.QUICK
    assert choose_depth(LONG, 100)[0] is Depth.STANDARD
    forced = parse_brief("f", "---\ndepth: deep\n---\nFix it.\n")
    assert choose_depth(forced, 1) == (Depth.DEEP, "the brief says so")


def test_patterns_fit_their_budget_and_say_why() -> None:
    seen = characteristics(LONG)
    chosen = choose_patterns(seen)
    assert chosen
    assert sum(PATTERNS[name].cost for name, _ in chosen) <= 3.0
    assert all("score" in reason for _, reason in chosen)
    assert choose_patterns(seen, budget=0.0) == []
    assert choose_patterns(characteristics(SHORT)) == []
    assert "constraint" not in dict(choose_patterns(seen, learned={"constraint": 0.0}))
    assert fragments(()) == fragments(("nothing",)) == ""


@pytest.mark.parametrize(
    ("path", "pattern", "expected"),
    [
        ("a/b.py", "*.py", True),
        ("a/b.py", "a", True),
        ("a/b.py", "a/*", True),
        ("a/b/c.py", "a/*.py", False),
        ("a/b/c.py", "a/**/*.py", True),
        ("a/c.py", "a/**/*.py", True),
        ("a/b/c", "a/**", True),
        ("b", "a", False),
        ("x/migrations/1.sql", "migrations/", True),
        ("x/y", "/y", False),
        ("x", "", False),
    ],
)
def test_globs(path: str, pattern: str, expected: bool) -> None:
    assert matches(path, pattern) is expected
