"""Connections: greeting, commands, subscriptions, brief documents, workers."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import re
import secrets
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

import studio
from studio.domain.errors import InternalError, Problem, StudioError, UsageError
from studio.domain.events import ParticipantJoined, ParticipantLeft, WorkerStarted
from studio.domain.places import Places
from studio.domain.value import encode
from studio.host.context import Caller, Context
from studio.host.control import WorkerLink
from studio.host.dispatch import ROLES, carry_out
from studio.host.logs import log_file
from studio.host.outbox import Outbox
from studio.protocol import messages as msg
from studio.protocol.frames import Channel, ConnectionLost, FrameError, pack
from studio.protocol.locate import locate
from studio.protocol.sockets import check_peer

__all__ = ["Server"]

log = logging.getLogger(__name__)

HELLO_SECONDS = 10.0
END_SECONDS = 10.0
"""What commands under way get to finish when the host ends."""
MAX_NAME = 80
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Client:
    """One attached client."""

    def __init__(self, caller: Caller, channel: Channel[msg.ToHost], outbox: Outbox) -> None:
        self.caller = caller
        self.channel = channel
        self.outbox = outbox
        self.briefs: set[str] = set()
        """The documents it joined."""


class Server:
    """Serves every connection to the host's socket."""

    def __init__(self) -> None:
        self._clients: set[Client] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self.ending = False
        """Whether new connections are closed at once: those who come connect to the next host."""
        self._asks: set[asyncio.Task[None]] = set()
        self._context: Context | None = None

    @property
    def context(self) -> Context:
        """What handlers work with; set by `begin`."""
        if self._context is None:
            raise InternalError("The host is not ready.", "Try again.")
        return self._context

    def begin(self, context: Context) -> None:
        """Serve with `context` from now on."""
        self._context = context
        context.hub.listen(self._grew)

    def attached(self) -> int:
        """Return how many clients are attached."""
        return len(self._clients)

    def _grew(self, records: object) -> None:  # noqa: ARG002  # every client reads from its own place
        for client in self._clients:
            client.outbox.wake()
        self.context.control.broadcast(msg.Advanced(self.context.hub.head))

    def streamed(self, message: msg.Streamed) -> None:
        """Pass live bytes on to those who want them."""
        for client in self._clients:
            client.outbox.stream(message)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection to its end. Whatever comes over it, the host goes on."""
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        channel: Channel[Any] = Channel(reader, writer, msg.ToHost)
        try:
            hello = None if self.ending else await self._greeted(channel, writer)
            if hello is not None and hello.client == "worker":
                await self._serve_worker(hello, Channel(reader, writer, msg.FromWorker))
            elif hello is not None:
                await self._serve_client(hello, channel)
        except ConnectionLost:
            pass
        except StudioError as error:
            log.info("connection refused: %s", error.what)
            await _refuse(channel, error.problem)
        except Exception as error:
            log.exception("a connection failed")
            await _refuse(channel, _internal(self.context.places, error))
        finally:
            await channel.close()

    async def close(self) -> None:
        """End all connections."""
        if self._asks:
            await asyncio.wait(self._asks, timeout=END_SECONDS)
        tasks = [*self._asks, *(task for task in self._tasks if task is not asyncio.current_task())]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _greeted(self, channel: Channel[msg.ToHost], writer: asyncio.StreamWriter) -> msg.Hello | None:
        peer: socket.socket = writer.get_extra_info("socket")
        check_peer(peer)
        try:
            async with asyncio.timeout(HELLO_SECONDS):
                hello = await channel.receive()
        except TimeoutError:
            raise UsageError("Nothing was said for 10 s after connecting.", "Say Hello first.") from None
        if hello is None:
            return None
        if not isinstance(hello, msg.Hello):
            raise FrameError("The first message was no Hello.", "Say Hello first.")
        if hello.version != msg.PROTOCOL_VERSION:
            raise UsageError(
                f"This repository's host ({studio.__version__}) speaks version {msg.PROTOCOL_VERSION} of the protocol, "
                f"the {hello.client or 'client'} version {hello.version}.",
                "Close all studios of this repository and start one version of it.",
            )
        if hello.role not in ROLES:
            raise UsageError(f"There is no role {hello.role!r}.", f"The roles are {', '.join(ROLES)}.")
        return hello

    def _welcome(self, participant: str) -> msg.Welcome:
        context = self.context
        return msg.Welcome(msg.PROTOCOL_VERSION, os.getpid(), participant, context.places.common, context.hub.head)

    async def _serve_worker(self, hello: msg.Hello, channel: Channel[msg.FromWorker]) -> None:
        context = self.context
        link = WorkerLink(hello.name, hello.pid, channel)
        await channel.send(self._welcome(hello.name))
        sending = asyncio.create_task(link.run())
        await context.control.attach(link)
        try:
            await context.append(hello.name, WorkerStarted(hello.name, hello.pid))
            while (message := await channel.receive()) is not None:
                context.control.received(link, message)
        finally:
            context.control.detach(link)
            await _stop(sending)

    async def _serve_client(self, hello: msg.Hello, channel: Channel[msg.ToHost]) -> None:
        context = self.context
        places = await asyncio.to_thread(_places_of, context.places, hello.worktree)
        name = _CONTROL_CHARACTERS.sub("", hello.name).strip()[:MAX_NAME] or "somebody"
        participant = f"p-{secrets.token_hex(4)}"
        caller = Caller(name, hello.role, hello.client, places, participant)
        client = Client(caller, channel, Outbox(channel, context.hub, context.briefs.whole))
        await channel.send(self._welcome(participant))
        self._clients.add(client)
        present = hello.client == "tui"
        sending = asyncio.create_task(client.outbox.run())
        receiving = asyncio.create_task(self._receive(client))
        try:
            if present:
                await context.append(name, ParticipantJoined(participant, name, hello.role))
            done, _ = await asyncio.wait({sending, receiving}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            self._clients.discard(client)
            await _stop(sending)
            await _stop(receiving)
            if present:
                with suppress(StudioError):
                    await context.append(name, ParticipantLeft(participant))

    async def _receive(self, client: Client) -> None:
        while (message := await client.channel.receive()) is not None:
            match message:
                case msg.Ask():
                    await client.outbox.may_ask.acquire()
                    # Kept apart from the connection: a landing is not cut short because who asked for it has left.
                    task = asyncio.create_task(self._answer(client, message))
                    self._asks.add(task)
                    task.add_done_callback(self._asks.discard)
                case msg.Subscribe():
                    client.outbox.subscribe(message)
                case msg.OpenBrief() | msg.BriefUpdate():
                    await self._edit(client, message)
                case msg.Hello():
                    raise FrameError("Hello was said twice.", "Say it once.")

    async def _edit(self, client: Client, message: msg.OpenBrief | msg.BriefUpdate) -> None:
        """Join a brief's document, or merge an update into it. A refusal has no command to answer to: its id is -1."""
        briefs = self.context.briefs
        try:
            if isinstance(message, msg.OpenBrief):
                client.outbox.brief(msg.BriefUpdate(message.brief, await briefs.join(message.brief)))
                client.briefs.add(message.brief)
            elif client.caller.role != "driver":
                raise UsageError(f"A {client.caller.role} may not edit a brief.", "Attach as a driver.")
            else:
                await briefs.update(message.brief, message.update, client.caller.name)
                self.relay(message, client)
        except StudioError as error:
            client.outbox.notice(msg.Refused(-1, error.problem))

    def relay(self, message: msg.BriefUpdate, origin: Client | None = None) -> None:
        """Pass an update of a document on to all who joined it, but not to whom it came from."""
        for other in self._clients:
            if other is not origin and message.brief in other.briefs:
                other.outbox.brief(message)

    async def _answer(self, client: Client, ask: msg.Ask) -> None:
        try:
            result = await carry_out(self.context, client.caller, ask.command)
            answer: msg.Answer | msg.Refused = msg.Answer(ask.id, msgspec.Raw(encode(result)))
            pack(answer)
        except StudioError as error:
            answer = msg.Refused(ask.id, error.problem)
        except Exception as error:
            log.exception("%s failed", type(ask.command).__name__)
            answer = msg.Refused(ask.id, _internal(self.context.places, error))
        client.outbox.answer(answer)


def _internal(places: Places, error: Exception) -> Problem:
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return InternalError("The disk is full.", "Free space and try again.").problem
    return InternalError("Something is broken inside the studio.", f"The traceback is in {log_file(places)}.").problem


def _places_of(host: Places, worktree: str) -> Places:
    """Return the places with a client's working tree.

    Raises:
        UsageError: it is none of the repository's.

    """
    if worktree in {"", host.worktree}:
        return host
    places = locate(Path(worktree))
    if places.common != host.common:
        raise UsageError(f"{worktree} belongs to another repository.", "Start the studio there.")
    return places


async def _refuse(channel: Channel[Any], problem: Problem) -> None:
    with suppress(ConnectionLost):
        await channel.send(msg.Refused(0, problem))


async def _stop(task: asyncio.Task[None]) -> None:
    """Cancel a task and let its errors be: the connection it served is over."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
