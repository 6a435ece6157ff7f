"""Keeping a conversation's history within bounds."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from studio.domain.models import Message

__all__ = ["elide"]

_SHORT = 400
"""Results shorter than this are kept: leaving them out gains nothing."""
_RECENT = 4
"""Messages at the end that are never touched."""


def elide(messages: Sequence[Message], limit: int) -> tuple[Message, ...]:
    """Return the messages with the oldest results left out, if all are longer than `limit` characters.

    Half of the limit is freed at a time, so that the beginning of requests stays the same over several turns and providers'
    prompt caches keep hitting. The system prompt, the task and the model's own words stay.
    """
    total = sum(_size(message) for message in messages)
    if total <= limit:
        return tuple(messages)
    kept = list(messages)
    for number in range(2, len(kept) - _RECENT):
        if total <= limit // 2:
            break
        message = kept[number]
        if message.role in {"tool", "user"} and len(message.content) > _SHORT:
            note = f"[{len(message.content):,} characters of results left out; ask again if you need them]"
            total -= len(message.content) - len(note)
            kept[number] = msgspec.structs.replace(message, content=note)
    return tuple(kept)


def _size(message: Message) -> int:
    return len(message.content) + sum(len(call.arguments) for call in message.calls)
