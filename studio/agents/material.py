"""What agents are shown: context, requirements, results, each bounded and marked as data."""

from __future__ import annotations

import re
from collections.abc import Sequence

from studio.domain.brief import Sentence
from studio.domain.memory import ContextPack
from studio.domain.plan import Requirement, Task

__all__ = ["bounded", "brief_part", "context_part", "data", "requirements_part", "task_part"]

_CLOSE = re.compile(r"</(data)", re.IGNORECASE)


def bounded(text: str, limit: int) -> str:
    """Return `text` in at most about `limit` characters: its beginning and its end, and how much is left out."""
    if len(text) <= limit:
        return text
    head, tail = limit * 2 // 3, limit // 3
    return f"{text[:head]}\n[… {len(text) - head - tail:,} characters left out …]\n{text[-tail:]}"


def data(kind: str, name: str, text: str) -> str:
    """Return untrusted text between marks it cannot close."""
    safe = _CLOSE.sub(r"<\\/\1", text)
    title = name.replace('"', "'").replace("\n", " ")
    end = "" if safe.endswith("\n") else "\n"
    return f'<data kind="{kind}" name="{title}">\n{safe}{end}</data>'


def brief_part(sentences: Sequence[Sentence]) -> str:
    """Return the brief, each sentence with its id."""
    return "\n".join(["## Brief", *(f"[{sentence.id}] {sentence.text}" for sentence in sentences)])


def requirements_part(requirements: Sequence[Requirement]) -> str:
    """Return requirements with their criteria."""
    lines = ["## Requirements"]
    for each in requirements:
        tied = f" ({', '.join(each.sentences)})" if each.sentences else ""
        lines.append(f"{each.id}: {each.text}{tied}")
        lines.extend(f"  - {criterion}" for criterion in each.criteria)
    return "\n".join(lines) if requirements else ""


def task_part(task: Task, protect: Sequence[str]) -> str:
    """Return the task."""
    lines = [f"## Task {task.id}: {task.title}", task.goal]
    if task.files:
        lines.append(f"Files it is expected to touch: {', '.join(task.files)}.")
    if protect:
        lines.append(f"Protected, never to be touched: {', '.join(protect)}.")
    return "\n".join(lines)


def context_part(pack: ContextPack, *, numbered: bool = False) -> str:
    """Return the repository map, the files and the memories."""
    parts: list[str] = []
    if pack.repo_map:
        parts.append(data("map", "definitions in the repository", pack.repo_map))
    for file in pack.files:
        text = file.text
        if numbered:
            text = "\n".join(f"{n:>5}: {line}" for n, line in enumerate(text.split("\n"), file.start_line))
        span = f" from line {file.start_line}" if file.start_line > 1 else ""
        parts.append(data("file", f"{file.path}{span}", text))
    parts.extend(
        data("memory", f"{each.item.collection.value}, {each.item.source}", bounded(each.item.text, 2000))
        for each in pack.memories
    )
    return "\n".join(["## Repository", *parts]) if parts else ""
