"""`manual:DIR`: requests are files, and so are replies: bring your own chat, by hand or by program.

A request is `ID.request.md` (to read, or to paste) and `ID.request.json` (the same, for programs). The reply is put there by
atomic rename as `ID.reply.md` (text) or `ID.reply.json` (a message of the OpenAI chat protocol, tool calls included). What is
wrong with a reply is told in `ID.problem.md`, and another one is waited for. IDs sort in the order of asking and
survive restarts: a request that is already there keeps its id, and its reply is taken up.
"""

from __future__ import annotations

import asyncio
import os
import re
import stat
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from studio.domain.errors import UsageError
from studio.domain.models import Message, ModelReply, ModelRequest, ReplySource, ToolCall, Usage
from studio.domain.value import Value
from studio.models.desk import Desk
from studio.models.tape import locked, write_atomically
from studio.models.wire import chat_messages, chat_tools, input_digest, request_digest, spoken
from studio.ports.models import CallContext

__all__ = ["ManualGateway"]

_POLL_SECONDS = 0.05
_CHARACTERS_A_TOKEN = 4
_LARGEST_REPLY = 16 * 1024 * 1024


class _RequestFile(Value, frozen=True):
    """`ID.request.json`."""

    id: str
    run: str
    call: str
    digest: str
    role: str
    stage: str
    task: str
    attempt: int
    number: int
    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]]
    max_tokens: int


class _Function(Value, frozen=True):
    name: str
    arguments: str | dict[str, Any] = "{}"


class _Call(Value, frozen=True):
    function: _Function
    id: str = ""


class _ReplyFile(Value, frozen=True):
    """`ID.reply.json`."""

    content: str | None = None
    tool_calls: tuple[_Call, ...] = ()
    role: str = "assistant"

    def message(self) -> Message:
        """Return it as a message."""
        calls = tuple(
            ToolCall(call.id or f"call_{number}", call.function.name, _arguments(call.function.arguments))
            for number, call in enumerate(self.tool_calls)
        )
        return Message("assistant", self.content or "", calls)


def _arguments(given: str | dict[str, Any]) -> str:
    return given if isinstance(given, str) else msgspec.json.encode(given).decode()


class ManualGateway:
    """Asks whoever watches a directory."""

    def __init__(self, folder: Path, desk: Desk, *, text_only: bool = False) -> None:
        """Make the directory.

        Raises:
            UsageError: it cannot be made or written to.

        """
        self._folder = folder
        self._desk = desk
        self._text_only = text_only
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"Cannot make {folder}: {error.strerror}.", "Name a directory that can be written to."
            ) from error
        if not os.access(folder, os.W_OK | os.X_OK):
            raise UsageError(f"Cannot write to {folder}.", "Name a directory that can be written to.")

    @property
    def name(self) -> str:
        """`manual:DIR`, without its parents."""
        return f"manual:{self._folder.name}"

    @property
    def identity(self) -> str:
        """A person's replies have no settings."""
        return "manual"

    def calls_tools(self, tier: str) -> bool:  # noqa: ARG002 - whoever answers is the same for all
        """Whether requests carry tools; a text reply is taken either way."""
        return not self._text_only

    async def complete(self, request: ModelRequest, context: CallContext) -> ModelReply:
        """Write the request and wait for its reply, however long that takes."""
        recorded = await self._desk.recorded(context)
        if recorded is not None:
            return recorded
        request, _ = self._desk.redactor.request(request)
        digest = request_digest(request, self.identity)
        await self._desk.begin(request, digest, context, self.name)
        started = time.monotonic()
        identity = await asyncio.to_thread(self._place, request, context)
        message = await self._await_reply(identity)
        if context.on_delta is not None and message.content:
            context.on_delta(message.content)
        usage = Usage(
            sum(len(spoken(part)) for part in request.messages) // _CHARACTERS_A_TOKEN,
            len(spoken(message)) // _CHARACTERS_A_TOKEN,
            estimated=True,
        )
        reply = ModelReply(
            message, self.name, usage, source=ReplySource.MANUAL, call=context.call,
            duration_ms=round((time.monotonic() - started) * 1000), finish="tool_calls" if message.calls else "stop",
        )  # fmt: skip
        return await self._desk.commit(reply, digest, context)

    def _place(self, request: ModelRequest, context: CallContext) -> str:
        """Write the request's files under its id, which is an old one if the same call asked the same before."""
        address = request.address
        slug = re.sub(
            r"[^A-Za-z0-9_.]+", "-", f"{address.stage}-{address.task or '0'}-{address.attempt}-{address.number}"
        )
        digest = input_digest(request)
        with locked(self._folder):
            identity = self._known(slug, context, digest) or f"{self._next():04}-{slug}"
            file = _RequestFile(
                identity, context.run, context.call, digest, request.role, address.stage, address.task, address.attempt,
                address.number, chat_messages(request.messages), chat_tools(request.tools), request.max_tokens,
            )  # fmt: skip
            write_atomically(self._path(identity, "request.md"), _readable(identity, request).encode())
            write_atomically(self._path(identity, "request.json"), msgspec.json.format(msgspec.json.encode(file)))
        return identity

    def _path(self, identity: str, end: str) -> Path:
        return self._folder / f"{identity}.{end}"

    def _known(self, slug: str, context: CallContext, digest: str) -> str:
        for path in sorted(self._folder.glob(f"*-{slug}.request.json")):
            try:
                old = msgspec.json.decode(path.read_bytes(), type=_RequestFile)
            except (OSError, msgspec.DecodeError):
                continue
            if (old.run, old.call, old.digest) == (context.run, context.call, digest):
                return path.name.removesuffix(".request.json")
        return ""

    def _next(self) -> int:
        numbers = [int(found[0]) for path in self._folder.iterdir() if (found := re.match(r"\d+", path.name))]
        return max(numbers, default=0) + 1

    async def _await_reply(self, identity: str) -> Message:
        told: tuple[int, ...] = ()
        while True:
            message, told = await asyncio.to_thread(self._look, identity, told)
            if message is not None:
                return message
            await asyncio.sleep(_POLL_SECONDS)

    def _look(self, identity: str, told: tuple[int, ...]) -> tuple[Message | None, tuple[int, ...]]:
        """Return the reply if a good one is there; and the version of the last bad one that was told about."""
        for end, read in (("reply.json", _read_message), ("reply.md", _read_text)):
            path = self._path(identity, end)
            try:
                state = path.stat()
                if not stat.S_ISREG(state.st_mode):  # a pipe may be read for ever
                    continue
                version = (state.st_ino, state.st_mtime_ns, state.st_size)
                if version == told:
                    continue
                with path.open("rb") as file:
                    data = file.read(_LARGEST_REPLY + 1)
            except OSError:
                continue
            problem = self._path(identity, "problem.md")
            try:
                message = read(data)
            except (ValueError, msgspec.DecodeError, RecursionError) as error:
                text = (
                    f"# {path.name} cannot be used\n\n{error}\n\nPut a better one in its place; the run still waits.\n"
                )
                write_atomically(problem, text.encode())
                return None, version
            problem.unlink(missing_ok=True)
            return message, told
        return None, told

    async def close(self) -> None:
        """Nothing is held."""


def _read_message(data: bytes) -> Message:
    _check_size(data)
    message = msgspec.json.decode(data, type=_ReplyFile).message()
    if not message.content.strip() and not message.calls:
        raise ValueError("It holds neither `content` nor `tool_calls`.")
    return message


def _read_text(data: bytes) -> Message:
    _check_size(data)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"It is not UTF-8: {error}.") from error
    if not text.strip():
        raise ValueError("It is empty.")
    return Message("assistant", text)


def _check_size(data: bytes) -> None:
    if len(data) > _LARGEST_REPLY:
        raise ValueError(f"It is larger than {_LARGEST_REPLY >> 20} MiB.")


def _readable(identity: str, request: ModelRequest) -> str:
    """Return the request as a page to read or to paste into a chat."""
    address = request.address
    where = [f"role: {request.role}", f"stage: {address.stage}", f"task: {address.task or '-'}"]
    where += [f"attempt: {address.attempt}", f"number: {address.number}"]
    how = (
        f"**To answer**, put the whole reply as text into `{identity}.reply.md`, or a message with `content` and "
        f"`tool_calls` as JSON into `{identity}.reply.json`. Write it under another name first, then rename it."
    )
    parts = [f"# Request {identity}\n\n" + " · ".join(where), how]
    parts += _tools_section(request)
    for number, message in enumerate(request.messages, 1):
        answers = f" (answers {message.call})" if message.call else ""
        parts.append(f"---\n\n## {number}. {message.role}{answers}\n\n{message.content}")
        parts += [f"*calls* `{call.name}` ({call.id}):\n\n```json\n{call.arguments}\n```" for call in message.calls]
    return "\n\n".join(parts) + "\n"


def _tools_section(request: ModelRequest) -> Sequence[str]:
    if not request.tools:
        return []
    tools = "\n".join(
        f"- `{tool.name}`: {tool.description} Parameters: `{tool.parameters or '{}'}`" for tool in request.tools
    )
    example = '{"content": "", "tool_calls": [{"id": "1", "function": {"name": "NAME", "arguments": {}}}]}'
    return [f"## Tools\n\n{tools}\n\nA call, in the JSON reply:\n\n```json\n{example}\n```"]
