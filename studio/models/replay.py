"""`replay:FILE`: replies of a recorded run; and the recorder that makes such files from any run."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from studio.domain.errors import GateWaiting, UsageError
from studio.domain.ids import content_digest
from studio.domain.models import ModelReply, ModelRequest, ReplySource
from studio.domain.value import encode
from studio.models.desk import Desk
from studio.models.redaction import Redactor
from studio.models.tape import Tape, entry_of, locked, new_header, read_tape, write_tape
from studio.models.wire import input_digest, request_digest
from studio.ports.models import CallContext, ModelGateway

__all__ = ["Recorder", "ReplayGateway"]

_CHUNK = 64
"""Characters a delta: what a provider sends in one or two."""


class ReplayGateway:
    """Answers from a replay file. It costs nothing and asks nobody."""

    def __init__(self, path: Path, desk: Desk, *, pause_seconds: float = 0.0) -> None:
        """Read the file; `pause_seconds` are waited between deltas.

        Raises:
            UsageError: it cannot be read, or is not a replay.

        """
        tape = read_tape(path)
        self._path = path
        self._desk = desk
        self._pause = pause_seconds
        self._entries = {entry.key: entry for entry in tape.entries}
        self._identity = f"replay:{content_digest(encode(tape.entries))[:16]}"

    @property
    def name(self) -> str:
        """`replay:FILE`, without its folder."""
        return f"replay:{self._path.name}"

    @property
    def identity(self) -> str:
        """The digest of the recorded replies."""
        return self._identity

    def calls_tools(self, tier: str) -> bool:  # noqa: ARG002 - a replay has one model
        """Whether the recorded run's model called tools, as far as its replies tell."""
        return any(entry.message.calls for entry in self._entries.values())

    async def complete(self, request: ModelRequest, context: CallContext) -> ModelReply:
        """Return the reply recorded at the request's address.

        Raises:
            GateWaiting: there is none.

        """
        recorded = await self._desk.recorded(context)
        if recorded is not None:
            return recorded
        request, _ = self._desk.redactor.request(request)
        entry = self._entries.get(str(request.address))
        if entry is None:
            raise GateWaiting(
                f"{self.name} holds no reply for {request.address} ({request.role}).",
                "Choose a model with --model, or record the run anew with --record.",
            )
        digest = request_digest(request, self._identity)
        await self._desk.begin(request, digest, context, self.name)
        await self._speak(entry.message.content, context)
        reply = ModelReply(
            entry.message, self.name, entry.usage, source=ReplySource.REPLAY, finish=entry.finish, attempts=0,
            mismatch=entry.request_digest != input_digest(request), call=context.call,
        )  # fmt: skip
        return await self._desk.commit(reply, digest, context)

    async def _speak(self, text: str, context: CallContext) -> None:
        if context.on_delta is None:
            return
        for start in range(0, len(text), _CHUNK):
            context.on_delta(text[start : start + _CHUNK])
            await asyncio.sleep(self._pause)

    async def close(self) -> None:
        """Nothing is held."""


class Recorder:
    """Passes requests on to another gateway and keeps its replies in a replay file."""

    def __init__(self, gateway: ModelGateway, path: Path, redactor: Redactor, *, title: str = "") -> None:
        """Check that the file can be written. It is begun anew by the first reply of another run than the one it holds.

        Raises:
            UsageError: the folder is not there, or the file is something else than a replay.

        """
        if path.exists() and path.stat().st_size:
            try:
                read_tape(path)
            except UsageError as error:
                raise UsageError(
                    f"{path} is there and is not a replay.", "Name another file to record into."
                ) from error
        with locked(path.parent):
            pass
        self._gateway = gateway
        self._path = path
        self._redactor = redactor
        self._title = title

    @property
    def name(self) -> str:
        """The recorded gateway's name."""
        return self._gateway.name

    @property
    def identity(self) -> str:
        """The recorded gateway's identity."""
        return self._gateway.identity

    def calls_tools(self, tier: str) -> bool:
        """Whether the recorded gateway's model takes tools."""
        return self._gateway.calls_tools(tier)

    async def complete(self, request: ModelRequest, context: CallContext) -> ModelReply:
        """Return the other gateway's reply, kept on disk."""
        reply = await self._gateway.complete(request, context)
        await asyncio.to_thread(self._keep, request, reply, context.run)
        return reply

    def _keep(self, request: ModelRequest, reply: ModelReply, run: str) -> None:
        request, _ = self._redactor.request(request)
        calls = tuple(
            msgspec.structs.replace(call, arguments=self._redactor.redact(call.arguments)[0])
            for call in reply.message.calls
        )
        content, _ = self._redactor.redact(reply.message.content)
        message = msgspec.structs.replace(reply.message, content=content, calls=calls)
        with locked(self._path.parent):
            tape = self._tape(run)
            write_tape(self._path, tape.with_entry(entry_of(request, reply, message)))

    def _tape(self, run: str) -> Tape:
        """Return what the file holds of this run."""
        if self._path.exists() and self._path.stat().st_size:
            tape = read_tape(self._path)
            if tape.header.run == run:
                return tape
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return Tape(new_header(self.name, self._title, run, now))

    async def close(self) -> None:
        """Close the recorded gateway."""
        await self._gateway.close()
