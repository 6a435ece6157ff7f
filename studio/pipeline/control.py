"""A worker's side of the control socket: prompt cancels, jobs, live bytes. Losing it loses immediacy and nothing else."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from studio.domain.errors import Cancelled, InternalError, StudioError
from studio.domain.ids import RunId
from studio.domain.places import Places
from studio.domain.value import Value, encode
from studio.pipeline.services import Relay
from studio.protocol.frames import Channel, ConnectionLost, FrameError
from studio.protocol.messages import (
    PROTOCOL_VERSION,
    Advanced,
    Assign,
    CancelNow,
    Completed,
    Hello,
    Job,
    Refused,
    Secrets,
    StopCommand,
    Streamed,
    ToWorker,
)
from studio.protocol.start import connect

__all__ = ["Control"]

log = logging.getLogger(__name__)
_RETRY_SECONDS = 0.5
_PENDING = 4096
"""Messages kept for the host while it is slow; live bytes beyond that are dropped (they are in the database)."""


class Control(Relay):
    """The connection to the host, kept up for as long as the worker lives."""

    def __init__(
        self,
        places: Places,
        worker: str,
        on_job: Callable[[Job], Awaitable[Value]],
        on_advanced: Callable[[], None],
        on_cancel: Callable[[RunId], None],
    ) -> None:
        self._places = places
        self._worker = worker
        self._on_job = on_job
        self._on_advanced = on_advanced
        self._on_cancel = on_cancel
        self._outgoing: asyncio.Queue[Value] = asyncio.Queue(_PENDING)
        self._jobs: dict[int, asyncio.Task[None]] = {}
        self._commands: dict[str, asyncio.Task[None]] = {}
        self._loop = asyncio.get_running_loop()

    def advanced(self, seq: int) -> None:
        """Tell the host that the log has grown to `seq`."""
        self._put(Advanced(seq))

    def streamed(self, stream: str, offset: int, data: bytes, run: RunId) -> None:
        """Pass on live bytes; dropped while the host is slow or away."""
        self._put(Streamed(stream, offset, data, run))

    def _put(self, message: Value) -> None:
        # Events are also appended from threads.
        self._loop.call_soon_threadsafe(self._enqueue, message)

    def _enqueue(self, message: Value) -> None:
        try:
            self._outgoing.put_nowait(message)
        except asyncio.QueueFull:
            log.debug("the host is slow: dropped %s", type(message).__name__)

    async def run(self) -> None:
        """Connect, serve, and connect again whenever the host comes back; ends when cancelled."""
        while True:
            try:
                await self._serve()
            except (OSError, ConnectionLost, FrameError, StudioError) as error:
                log.info("control socket: %s", error)
            await asyncio.sleep(_RETRY_SECONDS)

    async def _serve(self) -> None:
        reader, writer = await connect(self._places)
        channel: Channel[ToWorker] = Channel(reader, writer, ToWorker)
        await channel.send(Hello(PROTOCOL_VERSION, "worker", self._worker, os.getpid()))
        sender = asyncio.create_task(self._send(channel))
        try:
            while (message := await channel.receive()) is not None:
                self._receive(message)
        finally:
            sender.cancel()
            await channel.close()

    async def _send(self, channel: Channel[ToWorker]) -> None:
        while True:
            await channel.send(await self._outgoing.get())

    def _receive(self, message: ToWorker) -> None:
        match message:
            case Advanced():
                self._on_advanced()
            case CancelNow(run):
                self._on_cancel(run)
            case StopCommand(command):
                if command in self._commands:
                    self._commands[command].cancel()
            case Assign(number, job):
                task = asyncio.create_task(self._work(number, job))
                self._jobs[number] = task
                command = getattr(job, "command", "")
                if command:
                    self._commands[command] = task
                task.add_done_callback(lambda _: self._forget(number, command))
            case Secrets(values):
                os.environ.update(values)
            case Refused(_, problem):
                log.error("the host refused this worker: %s", problem.what)
            case _:
                pass

    def _forget(self, number: int, command: str) -> None:
        self._jobs.pop(number, None)
        self._commands.pop(command, None)

    async def _work(self, number: int, job: Job) -> None:
        completed: Completed
        try:
            result: Any = await self._on_job(job)
            completed = Completed(number, msgspec.Raw(encode(result)))
        except StudioError as error:
            completed = Completed(number, problem=error.problem)
        except asyncio.CancelledError:
            completed = Completed(number, problem=Cancelled("Stopped.").problem)
        except Exception as error:
            log.exception("job failed")
            what = f"A job failed: {type(error).__name__}: {error}."
            completed = Completed(number, problem=InternalError(what, "The traceback is in the worker's log.").problem)
        await self._outgoing.put(completed)
