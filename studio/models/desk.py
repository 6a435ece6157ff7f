"""What every gateway does around asking: find what was committed, record the intent, commit the reply, tell it.

The order is the promise: intent, then `model.called`, then the request; the ledger is settled and the reply committed on
its last byte, then `model.replied`. A process may die between any two of these and the call is repeated only if its reply
was not committed.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import msgspec

from studio.domain.events import ModelCalled, ModelReplied
from studio.domain.ids import ArtifactId, TaskId
from studio.domain.models import Message, ModelReply, ModelRequest, ReplySource, Usage
from studio.domain.value import encode
from studio.models.redaction import Redactor
from studio.ports.journal import Artifacts, Replies, Reserved
from studio.ports.models import CallContext

__all__ = ["Desk"]


@dataclass(frozen=True, slots=True)
class Desk:
    """The books a gateway keeps."""

    replies: Replies
    artifacts: Artifacts
    redactor: Redactor

    async def recorded(self, context: CallContext) -> ModelReply | None:
        """Return the committed reply of this call, telling it again in case the process died before it was told."""
        return await asyncio.to_thread(self._recorded, context)

    def _recorded(self, context: CallContext) -> ModelReply | None:
        reply = self.replies.find(context.run, context.call)
        if reply is None:
            return None
        reply = self._kept(reply, context.call)
        context.emit(_replied(reply))
        return msgspec.structs.replace(reply, source=ReplySource.RECORDED)

    async def cached(self, request: ModelRequest, digest: str, context: CallContext) -> ModelReply | None:
        """Return the reply another call with the same request got, committed for this call too; it costs nothing."""
        return await asyncio.to_thread(self._cached, request, digest, context)

    def _cached(self, request: ModelRequest, digest: str, context: CallContext) -> ModelReply | None:
        reply = self.replies.cached(digest)
        if reply is None:
            return None
        reply = msgspec.structs.replace(
            reply, source=ReplySource.CACHE, cost_usd=0.0, usage=Usage(), duration_ms=0, attempts=0
        )
        self._begin(request, digest, context, reply.model, None)
        return self._commit(reply, digest, context)

    async def begin(
        self, request: ModelRequest, digest: str, context: CallContext, model: str, reserved: Reserved | None = None
    ) -> None:
        """Record the intent and emit `model.called`."""
        await asyncio.to_thread(self._begin, request, digest, context, model, reserved)

    def _begin(
        self, request: ModelRequest, digest: str, context: CallContext, model: str, reserved: Reserved | None
    ) -> None:
        artifact = self.artifacts.put(encode(request))
        repeated = self.replies.begin(context.run, context.call)
        address = request.address
        context.emit(
            ModelCalled(
                context.call,
                model,
                request.role,
                address.stage,
                TaskId(address.task),
                address.attempt,
                artifact,
                digest,
                reserved.usd if reserved else 0.0,
                reserved.tokens if reserved else 0,
                repeated=repeated,
            )
        )

    async def commit(self, reply: ModelReply, digest: str, context: CallContext) -> ModelReply:
        """Commit a reply and emit `model.replied`; return the reply as it is from now on."""
        return await asyncio.to_thread(self._commit, reply, digest, context)

    def _commit(self, reply: ModelReply, digest: str, context: CallContext) -> ModelReply:
        self.replies.commit(context.run, context.call, digest, reply)
        reply = self._kept(reply, context.call)
        context.emit(_replied(reply))
        return reply

    def _kept(self, reply: ModelReply, call: str) -> ModelReply:
        """Return a reply with its call and the artifact of its text, which holds no secrets."""
        message = reply.message
        calls = tuple(
            msgspec.structs.replace(made, arguments=self.redactor.redact(made.arguments)[0]) for made in message.calls
        )
        logged = Message(message.role, self.redactor.redact(message.content)[0], calls, message.call)
        artifact: ArtifactId = self.artifacts.put(encode(logged))
        return msgspec.structs.replace(reply, call=call, artifact=artifact)


def _replied(reply: ModelReply) -> ModelReplied:
    return ModelReplied(
        reply.call,
        reply.model,
        reply.source,
        reply.usage,
        reply.cost_usd,
        reply.duration_ms,
        reply.artifact,
        reply.finish,
        reply.mismatch,
        reply.priced,
    )
