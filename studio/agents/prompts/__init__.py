"""Prompt texts, one file each, with `$name` placeholders that are checked: none missing, none left over."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from string import Template

from studio.domain.ids import content_digest

__all__ = ["prompt_names", "prompt_version", "render_prompt"]


@lru_cache(maxsize=64)
def _template(name: str) -> Template:
    return Template((files(__name__) / f"{name}.md").read_text(encoding="utf-8"))


def prompt_names() -> tuple[str, ...]:
    """Return the names of all prompts."""
    return tuple(sorted(entry.name[:-3] for entry in files(__name__).iterdir() if entry.name.endswith(".md")))


def render_prompt(name: str, **fields: str) -> str:
    """Return a prompt with its placeholders filled in.

    Raises:
        ValueError: the fields are not exactly the prompt's placeholders: a bug.

    """
    template = _template(name)
    wanted = set(template.get_identifiers())
    if wanted != set(fields) or not template.is_valid():
        raise ValueError(f"prompt {name} takes {sorted(wanted)}, was given {sorted(fields)}")
    return template.substitute(fields).rstrip() + "\n"


def prompt_version(*names: str) -> str:
    """Return a digest of the named prompts' texts, 12 hex digits: it changes whenever one of them does."""
    return content_digest(*(_template(name).template for name in names))[:12]
