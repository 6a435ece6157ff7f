"""What was asked and what came back, as text to read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

__all__ = ["readable"]


def readable(data: bytes, *, total: int = 0) -> str:
    """Return an artifact as text: chat messages one after the other, other JSON indented, else the text itself."""
    text = data.decode("utf-8", "replace")
    try:
        value: Any = json.loads(text)
    except ValueError:
        shown = text
    else:
        shown = "\n".join(_chat(value)) or json.dumps(value, indent=2, ensure_ascii=False)
    return f"{shown}\n\n… {total - len(data)} more bytes" if total > len(data) else shown


def _chat(value: Any) -> Iterator[str]:
    if not isinstance(value, dict):
        return
    found: Any = value.get("messages") or [value.get("message")]  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] JSON
    for message in list(found):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] JSON
        if not isinstance(message, dict) or "role" not in message:
            continue
        fields: dict[str, Any] = message  # pyright: ignore[reportUnknownVariableType] JSON
        yield f"── {fields['role']} " + "─" * 40
        if fields.get("content"):
            yield str(fields["content"])
        for call in fields.get("calls") or ():
            yield f"→ {call.get('name', '')} {call.get('arguments', '')}"
        yield ""
