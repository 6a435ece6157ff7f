"""A client of the host: commands with typed answers, what happens as it happens, and coming back after a break."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TypeAlias, TypeVar

import msgspec

from studio.domain.errors import InternalError, StudioError, UsageError, error_of
from studio.domain.places import Places
from studio.domain.state import STATE_VERSION, StudioState
from studio.domain.value import Value
from studio.protocol import messages as msg
from studio.protocol.ask import Asks
from studio.protocol.commands import RESULTS, Command
from studio.protocol.frames import Channel, ConnectionLost
from studio.protocol.inbox import Forgotten, Inbox
from studio.protocol.start import connect, connect_or_start

__all__ = ["Event", "HostClient", "Identity", "run_with_host", "state_of"]

T = TypeVar("T")
Event: TypeAlias = msg.Snapshot | msg.Happened | msg.Streamed | msg.BriefUpdate
"""What a subscription gives."""

_AWAY_SECONDS = 30.0
"""How long a command waits for a host that `follow` is bringing back."""
_RETRY_SECONDS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)


class Identity(Value, frozen=True):
    """Who connects."""

    client: str
    """`tui` or `cli`."""
    name: str
    """The person's name."""
    role: str = "driver"
    """`driver`, `reviewer` or `watcher`."""


def state_of(snapshot: msg.Snapshot) -> StudioState:
    """Return a snapshot's state.

    Raises:
        InternalError: it is of another version.

    """
    if snapshot.version != STATE_VERSION:
        raise InternalError(
            f"The host's state is of version {snapshot.version}, this studio reads {STATE_VERSION}.",
            "Close all studios of this repository and start one version of it.",
        )
    return msgspec.json.decode(snapshot.state, type=StudioState)


class HostClient(Asks):
    """One client. Made by `HostClient.open`; `async with await HostClient.open(…) as client` closes it.

    `ask` may be called from any task of the loop, also while another one iterates over `events` or `follow`.
    """

    def __init__(self, places: Places, identity: Identity, command: Sequence[str] | None = None) -> None:
        self.places = places
        self.identity = identity
        self.welcome = msg.Welcome(0, 0, "", "", 0)
        """The host's greeting on the latest connection."""
        self._command = command
        self._channel: Channel[msg.ToClient] | None = None
        self._reading: asyncio.Task[None] | None = None
        self._answers: dict[int, tuple[type[Value], asyncio.Future[Any]]] = {}
        self._last_id = 0
        self._inbox = Inbox()
        self._following = False
        self._connected = asyncio.Event()

    @classmethod
    async def open(
        cls, places: Places, identity: Identity, *, start: bool = True, command: Sequence[str] | None = None
    ) -> HostClient:
        """Connect to the host of the repository, starting it if need be and `start` allows.

        `command` is what starts a host, `host_command(places)` if None.

        Raises:
            UsageError: no host runs and `start` is False; another version; a socket of another user.
            InternalError: the host could not be started.

        """
        client = cls(places, identity, command)
        await client.reconnect(start=start)
        return client

    async def __aenter__(self) -> Self:
        """Return the client."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        await self.close()

    @property
    def connected(self) -> bool:
        """Whether there is a connection now."""
        return self._connected.is_set()

    async def reconnect(self, *, start: bool = True) -> None:
        """Connect, anew if there was a connection before. Raises as `open` does."""
        for seconds in _RETRY_SECONDS:
            try:
                await self._connect(start=start)
            except ConnectionLost:
                # A host that was ending took the connection; the next one will keep it.
                await asyncio.sleep(seconds)
            else:
                return
        await self._connect(start=start)

    async def _connect(self, *, start: bool) -> None:
        await self._disconnect()
        try:
            reader, writer = await (connect_or_start(self.places, self._command) if start else connect(self.places))
        except (FileNotFoundError, ConnectionRefusedError):
            raise UsageError(
                f"No studio host runs for {self.places.worktree}.", "Any other command starts one."
            ) from None
        channel: Channel[msg.ToClient] = Channel(reader, writer, msg.ToClient)
        try:
            self.welcome = await self._greet(channel)
        except BaseException:
            await channel.close()
            raise
        self._channel = channel
        self._reading = asyncio.create_task(self._read(channel))
        self._connected.set()

    async def _greet(self, channel: Channel[msg.ToClient]) -> msg.Welcome:
        me = self.identity
        hello = msg.Hello(msg.PROTOCOL_VERSION, me.client, me.name, os.getpid(), me.role, self.places.worktree)
        await channel.send(hello)
        reply = await channel.receive()
        if isinstance(reply, msg.Refused):
            raise error_of(reply.problem)
        if not isinstance(reply, msg.Welcome):
            raise ConnectionLost("The host did not greet; it may be ending.", "Try again.")
        if reply.version != msg.PROTOCOL_VERSION:
            raise UsageError(
                f"The host speaks version {reply.version} of the protocol, this studio {msg.PROTOCOL_VERSION}.",
                "Close all studios of this repository and start one version of it.",
            )
        return reply

    async def close(self) -> None:
        """Close the connection; what runs goes on."""
        self._following = False
        await self._disconnect()
        self._inbox.end(None)

    async def _disconnect(self) -> None:
        self._connected.clear()
        reading, self._reading = self._reading, None
        channel, self._channel = self._channel, None
        if reading is not None:
            reading.cancel()
            with suppress(asyncio.CancelledError):
                await reading
        if channel is not None:
            await channel.close()

    async def _read(self, channel: Channel[msg.ToClient]) -> None:
        """Sort what comes in, until the connection ends."""
        why: StudioError = ConnectionLost("The host closed the connection.", "Try again; the host starts anew.")
        try:
            while (message := await channel.receive()) is not None:
                if isinstance(message, msg.Answer):
                    self._answered(message)
                elif isinstance(message, msg.Refused):
                    if message.id == 0:
                        why = error_of(message.problem)
                        break
                    self._settle(message.id, error_of(message.problem))
                elif not isinstance(message, msg.Welcome):
                    self._inbox.put(message)
        except StudioError as error:
            why = error
        finally:
            self._connected.clear()
            for id_ in list(self._answers):
                self._settle(id_, ConnectionLost("The host went away before it answered.", "Try again."))
            self._inbox.end(why)

    def _answered(self, answer: msg.Answer) -> None:
        if answer.id not in self._answers:
            return
        kind = self._answers[answer.id][0]
        try:
            result: object = msgspec.json.decode(answer.result, type=RESULTS[kind])
        except msgspec.DecodeError as error:
            result = InternalError(f"The host's answer to {kind.__name__} could not be read: {error}.", "Try again.")
        self._settle(answer.id, result)

    def _settle(self, id_: int, result: object) -> None:
        _, future = self._answers.pop(id_, (None, None))
        if future is None or future.done():
            return
        if isinstance(result, StudioError):
            future.set_exception(result)
        else:
            future.set_result(result)

    async def _ask(self, command: Command) -> Any:
        """Send a command and return its answer; what `Asks.ask` does for all its overloads."""
        if self._following and not self._connected.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(_AWAY_SECONDS):
                    await self._connected.wait()
        self._last_id += 1
        id_ = self._last_id
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._answers[id_] = (type(command), future)
        try:
            await self._send(msg.Ask(id_, command))
            return await future
        finally:
            self._answers.pop(id_, None)

    async def _send(self, message: Value) -> None:
        if self._channel is None or not self._connected.is_set():
            raise ConnectionLost("There is no connection to the host.", "Try again.")
        await self._channel.send(message)

    async def subscribe(self, after: int = -1, *, streams: bool = True) -> AsyncIterator[Event]:
        """Subscribe and iterate over what happens, until the connection ends.

        `after` -1 gives a `Snapshot` first and then the tail; else the records after that sequence number. Records come
        in order, each once. A consumer that is slow loses live bytes, never records.

        Raises:
            ConnectionLost: the connection ended otherwise than by `close`.

        """
        self._inbox.begin(after)
        await self._send(msg.Subscribe(after, streams))
        while (event := await self._inbox.get()) is not None:
            if isinstance(event, Forgotten):
                await self._send(msg.Subscribe(self._inbox.seq, streams))
            else:
                yield event

    async def follow(self, after: int = -1, *, streams: bool = True) -> AsyncIterator[Event]:
        """Iterate as `subscribe` does, but also across the end of the host: it is started again and nothing is missed.

        While it is away, `ask` waits. Ends with `close`.

        Raises:
            StudioError: the host cannot be started any more, or refuses.

        """
        self._following = True
        try:
            while True:
                with suppress(ConnectionLost):
                    async for event in self.subscribe(after, streams=streams):
                        yield event
                if not self._following:
                    return
                await self.reconnect()
                # A log shorter than what was seen is another log.
                after = self._inbox.seq if 0 < self._inbox.seq <= self.welcome.seq else -1
        finally:
            self._following = False

    async def open_brief(self, brief: str) -> None:
        """Join a shared brief document; its content comes as a `BriefUpdate` among the events."""
        await self._send(msg.OpenBrief(brief))

    async def update_brief(self, brief: str, update: bytes) -> None:
        """Send an update of a shared brief document."""
        await self._send(msg.BriefUpdate(brief, update))


def run_with_host(
    places: Places, identity: Identity, body: Callable[[HostClient], Awaitable[T]], *, start: bool = True
) -> T:
    """Run `body` with a client of the host and return what it returns: for commands, which have no loop of their own.

    Raises:
        StudioError: what `HostClient.open` and `body` raise.

    """

    async def main() -> T:
        async with await HostClient.open(places, identity, start=start) as client:
            return await body(client)

    coroutine: Coroutine[Any, Any, T] = main()
    return asyncio.run(coroutine)
