"""Roles as data: who an agent is, what it may use, how it writes."""

from __future__ import annotations

from studio.agents.edits.formats import EditFormat
from studio.agents.patterns import fragments
from studio.agents.prompts import prompt_version, render_prompt
from studio.agents.tools import TOOL_NAMES
from studio.domain.errors import UsageError
from studio.domain.value import Value

__all__ = ["BUILD_ROLES", "ROLES", "Role", "find_role", "role_prompt_version", "system_prompt"]


class Role(Value, frozen=True):
    """A role."""

    name: str
    title: str
    prompt: str
    """Name of its prompt."""
    focus: str = ""
    """What it looks after, in its prompt."""
    tools: tuple[str, ...] = ()
    tier: str = "t1"
    form: EditFormat = EditFormat.BLOCKS
    max_tokens: int = 8192


_LOOK = ("read", "search", "outline")

_BUILDERS = (
    Role("builder", "the builder", "role-builder", "", TOOL_NAMES),
    Role(
        "backend",
        "the backend engineer",
        "role-builder",
        "You look after domain logic, services and their errors: clear interfaces, no hidden state, failures that callers can act on.",
        TOOL_NAMES,
    ),
    Role(
        "frontend",
        "the frontend engineer",
        "role-builder",
        "You look after what people see and operate: semantic markup, keyboard and screen readers, every state (loading, empty, "
        "error), output escaped.",
        TOOL_NAMES,
    ),
    Role(
        "database",
        "the database engineer",
        "role-builder",
        "You look after schema, queries and migrations: constraints in the schema, parameters instead of string building, "
        "transactions where several writes belong together, indexes for the queries there are.",
        TOOL_NAMES,
    ),
    Role(
        "api",
        "the API engineer",
        "role-builder",
        "You look after interfaces others call: status codes, validation of every input with a message that names the field, "
        "compatibility with callers there are, limits on sizes.",
        TOOL_NAMES,
    ),
)

_ALL = (
    Role("architect", "the architect", "requirements", tier="t2"),
    Role("planner", "the planner", "plan", tier="t2"),
    *_BUILDERS,
    Role("test-writer", "the test writer", "role-test-writer", "", TOOL_NAMES),
    Role("integrator", "the integrator", "role-integrator", "", TOOL_NAMES, tier="t2"),
    Role("doc-writer", "the documentation writer", "role-doc-writer", "", (*_LOOK, "edit", "run"), tier="t0"),
    Role("critic", "the critic", "critic", "", tier="t2", max_tokens=4096),
    Role(
        "security-reviewer",
        "the security reviewer",
        "critic",
        "Look for what an attacker would: injection, path traversal, missing authorisation, secrets in code or logs, unsafe "
        "deserialisation, weak randomness or cryptography, unbounded input, races. Name the input that does it.",
        tier="t2",
        max_tokens=4096,
    ),
)

ROLES: dict[str, Role] = {role.name: role for role in _ALL}
BUILD_ROLES: tuple[str, ...] = (*(role.name for role in _BUILDERS), "doc-writer")
"""Roles a plan may give a task."""


def find_role(name: str) -> Role:
    """Return a role.

    Raises:
        UsageError: there is none of that name.

    """
    if name not in ROLES:
        raise UsageError(f"There is no role {name!r}.", f"The roles are {', '.join(ROLES)}.")
    return ROLES[name]


def _parts(role: Role, *, calls_tools: bool, form: EditFormat) -> tuple[str, ...]:
    edits = ("format-tools",) if calls_tools else ("format-protocol", f"edits-{form.value}")
    return (role.prompt, "security", *(edits if role.tools else ()))


def role_prompt_version(role: Role, *, calls_tools: bool, form: EditFormat) -> str:
    """Return the digest of all prompt texts a role's system prompt is made of."""
    return prompt_version(*_parts(role, calls_tools=calls_tools, form=form))


def system_prompt(role: Role, patterns: tuple[str, ...] = (), *, calls_tools: bool = False, form: EditFormat) -> str:
    """Return the system prompt of a role that writes files."""
    if calls_tools:
        how = render_prompt("format-tools")
    else:
        others = ", ".join(name for name in role.tools if name != "edit")
        how = render_prompt("format-protocol", edits=render_prompt(f"edits-{form.value}").rstrip(), tools=others)
    fields = {
        "focus": role.focus,
        "patterns": fragments(patterns),
        "format": how.rstrip(),
        "security": render_prompt("security").rstrip(),
    }
    if role.prompt == "role-builder":
        fields["title"] = role.title
    return render_prompt(role.prompt, **fields)
