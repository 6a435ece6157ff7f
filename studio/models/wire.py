"""Our messages in the OpenAI chat protocol's terms, and a reply put together from what streams in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from studio.domain.ids import content_digest
from studio.domain.models import Message, ModelRequest, ToolCall, ToolSpec, Usage
from studio.domain.value import Value, encode

__all__ = ["Assembly", "Delta", "chat_messages", "chat_tools", "input_digest", "request_digest", "spoken"]

_ANY_OBJECT: dict[str, Any] = {"type": "object", "properties": {}}


class Delta(Value, frozen=True):
    """A piece of a reply."""

    text: str = ""
    calls: tuple[tuple[int, str, str, str], ...] = ()
    """(index, id, name, arguments): names and ids come once, arguments in pieces."""
    usage: Usage | None = None
    finish: str = ""
    usage_told: bool = True
    """With `finish`: whether the usage is the provider's, not counted here."""


def chat_messages(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Return messages as the protocol has them."""
    return [_chat_message(message) for message in messages]


def _chat_message(message: Message) -> dict[str, Any]:
    chat: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.calls:
        chat["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": _object(call.arguments)}}
            for call in message.calls
        ]
        chat["content"] = message.content or None
    if message.role == "tool":
        chat["tool_call_id"] = message.call
    return chat


def _object(arguments: str) -> str:
    """Return arguments as given if they are a JSON object, else wrapped in one: providers refuse others in a history."""
    try:
        msgspec.json.decode(arguments, type=dict[str, Any])
    except msgspec.DecodeError:
        return msgspec.json.encode({"malformed": arguments}).decode()
    return arguments


def chat_tools(tools: Sequence[ToolSpec]) -> list[dict[str, Any]]:
    """Return tools as the protocol has them."""
    return [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": msgspec.json.decode(tool.parameters) if tool.parameters else _ANY_OBJECT,
            },
        }
        for tool in tools
    ]


def input_digest(request: ModelRequest) -> str:
    """Return the digest of what a model is shown: messages and tools, whoever is asked, wherever in the run."""
    return content_digest(encode(request.messages), encode(request.tools))


def request_digest(request: ModelRequest, asked: str) -> str:
    """Return the digest under which a reply is cached: what is shown, whom we ask, and what shapes the reply."""
    return content_digest(input_digest(request), asked, str(request.max_tokens), repr(request.temperature))


def spoken(message: Message) -> str:
    """Return all text a model wrote in a message."""
    return message.content + "".join(f"{call.name}{call.arguments}" for call in message.calls)


class Assembly:
    """A reply under way."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._calls: dict[int, list[str]] = {}
        self.usage: Usage | None = None
        self.finish = ""

    def add(self, delta: Delta) -> None:
        """Add a piece."""
        self._text.append(delta.text)
        for index, identity, name, arguments in delta.calls:
            call = self._calls.setdefault(index, ["", "", ""])
            call[0] = call[0] or identity
            call[1] = call[1] or name
            call[2] += arguments
        if delta.usage is not None:
            self.usage = delta.usage
        if delta.finish:
            self.finish = delta.finish
            if self.usage is not None and not delta.usage_told:
                self.usage = msgspec.structs.replace(self.usage, estimated=True)

    @property
    def started(self) -> bool:
        """Whether anything was said."""
        return any(self._text) or bool(self._calls)

    def message(self) -> Message:
        """Return the message so far. Calls without an id get one by their place."""
        calls = tuple(
            ToolCall(identity or f"call_{index}", name, arguments)
            for index, (identity, name, arguments) in sorted(self._calls.items())
        )
        return Message("assistant", "".join(self._text), calls)
