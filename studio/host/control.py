"""The host's side of the workers' connections: jobs with answers, cancels, live bytes."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import TypeVar

import msgspec

from studio.domain.errors import InternalError, error_of
from studio.domain.value import Value
from studio.protocol.frames import Channel, ConnectionLost
from studio.protocol.messages import Advanced, Assign, Completed, FromWorker, Job, Streamed

__all__ = ["Control", "WorkerLink"]

T = TypeVar("T")

ATTACH_SECONDS = 30.0
"""How long a job waits for a worker to attach: one that was just started loads for some seconds."""
MAX_QUEUED = 1_000


class WorkerLink:
    """One attached worker. What is to be sent waits in a bounded queue; a worker that reads nothing is disconnected."""

    def __init__(self, name: str, pid: int, channel: Channel[FromWorker]) -> None:
        self.name = name
        self.pid = pid
        self.jobs: dict[int, asyncio.Future[bytes]] = {}
        self._channel = channel
        self._queue: asyncio.Queue[Value] = asyncio.Queue(MAX_QUEUED)

    def send(self, message: Value) -> None:
        """Queue a message."""
        try:
            self._queue.put_nowait(message)
        except asyncio.QueueFull:
            self._channel.writer.close()

    async def run(self) -> None:
        """Send until cancelled.

        Raises:
            ConnectionLost: the worker is gone.

        """
        while True:
            await self._channel.send(await self._queue.get())


class Control:
    """All attached workers."""

    def __init__(self, on_advanced: Callable[[], None], on_stream: Callable[[Streamed], None]) -> None:
        self._links: list[WorkerLink] = []
        self._any = asyncio.Condition()
        self._ids = itertools.count(1)
        self._on_advanced = on_advanced
        self._on_stream = on_stream

    @property
    def workers(self) -> tuple[WorkerLink, ...]:
        """Those attached, oldest first."""
        return tuple(self._links)

    @property
    def busy(self) -> bool:
        """Whether a job is under way."""
        return any(link.jobs for link in self._links)

    async def attach(self, link: WorkerLink) -> None:
        """Give jobs to a worker from now on."""
        async with self._any:
            self._links.append(link)
            self._any.notify_all()

    def detach(self, link: WorkerLink) -> None:
        """Give no more jobs to a worker; those it has fail."""
        if link in self._links:
            self._links.remove(link)
        for future in link.jobs.values():
            if not future.done():
                future.set_exception(ConnectionLost(f"{link.name} ended before it was done.", "Try again."))

    def broadcast(self, message: Value) -> None:
        """Send to all workers."""
        for link in self._links:
            link.send(message)

    def received(self, link: WorkerLink, message: FromWorker) -> None:
        """Take a message of a worker."""
        match message:
            case Advanced():
                self._on_advanced()
            case Streamed():
                self._on_stream(message)
            case Completed(id_, result, problem):
                future = link.jobs.get(id_)
                if future is None or future.done():
                    return
                if problem is not None:
                    future.set_exception(error_of(problem))
                else:
                    future.set_result(bytes(result))
            case _:
                pass

    async def assign(self, job: Job, result: type[T], seconds: float) -> T:
        """Have the least busy worker do `job` and return its result.

        Raises:
            InternalError: no worker attached in time, or it did not finish within `seconds`.
            StudioError: the job's own failure.

        """
        link = await self._worker()
        id_ = next(self._ids)
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        link.jobs[id_] = future
        link.send(Assign(id_, job))
        try:
            data = await asyncio.wait_for(future, seconds)
        except TimeoutError:
            raise InternalError(
                f"{link.name} did not finish a {type(job).__name__} within {seconds:.0f} s.",
                "Try again; the worker's log may say more.",
            ) from None
        finally:
            del link.jobs[id_]
        try:
            return msgspec.json.decode(data, type=result)
        except msgspec.DecodeError as error:
            raise InternalError(
                f"{link.name} answered a {type(job).__name__} with what cannot be read: {error}.",
                "Start one version of the studio.",
            ) from None

    async def _worker(self) -> WorkerLink:
        async with self._any:
            try:
                await asyncio.wait_for(self._any.wait_for(lambda: self._links), ATTACH_SECONDS)
            except TimeoutError:
                raise InternalError(
                    f"No worker is attached after {ATTACH_SECONDS:.0f} s.", "`studio doctor` says what workers lack."
                ) from None
            return min(self._links, key=lambda link: len(link.jobs))
