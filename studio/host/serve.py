"""The host process, from taking the lock to letting go of it."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

from studio.domain.config import Config
from studio.domain.errors import UsageError
from studio.domain.events import Draft, ParticipantLeft, WorkerStopped
from studio.domain.places import Places
from studio.host.briefs import read_brief, store
from studio.host.context import Caller, Context
from studio.host.control import Control
from studio.host.hub import Hub
from studio.host.landing import recover
from studio.host.logs import close_log, open_log
from studio.host.parts import HostParts
from studio.host.server import Server
from studio.host.shared import SharedBriefs
from studio.host.subset import SubsetChecks
from studio.host.supervise import Supervisor
from studio.protocol import commands as c
from studio.protocol.sockets import HostLock, own_address, prepare_directory

__all__ = ["serve"]

log = logging.getLogger(__name__)

LOCK_TRIES = 25
LOCK_PAUSE = 0.02
READ_BYTES = 1024 * 1024
ANSWER_SECONDS = 0.05
"""For the answer to the one who ends the host to go out."""
_IDLE_CHECKS = 8
"""How often, in the time a host stays idle, it looks whether it is."""


async def serve(parts: HostParts, places: Places, config: Config) -> None:
    """Serve the repository until idle, told to end, or SIGTERM or SIGINT; then close the parts.

    Raises:
        UsageError: another host serves the repository; the socket's directory is another user's, or its path too long.

    """
    try:
        await _serve_locked(parts, places, config)
    finally:
        await asyncio.to_thread(parts.close)


async def _serve_locked(parts: HostParts, places: Places, config: Config) -> None:
    lock = HostLock(places)
    address = own_address(places)
    prepare_directory(address.parent)
    await _take(lock, places)
    with lock:
        handler = open_log(places)
        try:
            await _serve(parts, places, config, address)
        except Exception:
            log.exception("the host failed")
            raise
        finally:
            close_log(handler)


async def _take(lock: HostLock, places: Places) -> None:
    """Take the lock; a client that looks whether it is held may hold it for a moment."""
    for _ in range(LOCK_TRIES):
        if lock.acquire():
            return
        await asyncio.sleep(LOCK_PAUSE)
    holder = lock.holder()
    who = f" (process {holder.pid})" if holder else ""
    raise UsageError(
        f"Another host{who} serves the repository {places.common}.", "Use that one: `studio` attaches to it."
    )


async def _serve(parts: HostParts, places: Places, config: Config, address: Path) -> None:
    ended = asyncio.Event()
    hub = Hub(parts.journal, parts.snapshots)
    await hub.load()
    server = Server()

    def end() -> None:
        server.ending = True
        asyncio.get_running_loop().call_later(ANSWER_SECONDS, ended.set)

    context = _context(parts, places, config, hub, server, end)
    subset = SubsetChecks(context)
    context.subset = subset
    server.begin(context)
    async with AsyncExitStack() as stack:
        _background(stack, hub.run(), ended)
        stack.push_async_callback(hub.save)
        await _tidy(context)
        stack.push_async_callback(context.briefs.close)
        stack.push_async_callback(subset.close)
        listening = await _listen(server, address)
        stack.callback(address.unlink, missing_ok=True)
        stack.push_async_callback(server.close)
        stack.callback(listening.close)
        if parts.worker_command is not None and config.workers > 0:
            workers = Supervisor(
                parts.worker_command, config.workers, places.logs / "worker.out", _stopped_recorder(context)
            )
            _background(stack, workers.run(), ended)
        _background(stack, _end_when_idle(context, subset, config.idle_seconds), ended)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, end)
            stack.callback(loop.remove_signal_handler, number)
        log.info("serving %s", places.common)
        await ended.wait()
        server.ending = True
        log.info("ending")


def _context(
    parts: HostParts, places: Places, config: Config, hub: Hub, server: Server, end: Callable[[], None]
) -> Context:
    control = Control(hub.poke, server.streamed)

    async def save_brief(brief: str, text: str, actor: str) -> None:
        await store(context, Caller(actor, "driver", "host", places), c.SaveBrief(brief, text))

    briefs = SharedBriefs(lambda brief: read_brief(places, brief), save_brief)
    context = Context(parts, places, config, hub, control, end, time.time(), server.attached, briefs, server.relay)
    return context


def _background(stack: AsyncExitStack, work: Awaitable[None], ended: asyncio.Event) -> None:
    """Run `work` until the stack closes; the host ends, with its error, if it fails."""
    task = asyncio.ensure_future(work)
    task.add_done_callback(lambda _: ended.set())

    async def stop() -> None:
        failed = task.done() and not task.cancelled() and task.exception() is not None
        task.cancel()
        results = await asyncio.gather(task, return_exceptions=True)
        if failed and isinstance(results[0], BaseException):
            raise results[0]

    stack.push_async_callback(stop)


def _stopped_recorder(context: Context) -> Callable[[WorkerStopped], Awaitable[object]]:
    async def record(event: WorkerStopped) -> None:
        await context.append("host", event)

    return record


async def _listen(server: Server, address: Path) -> asyncio.Server:
    """Listen on the socket. One that is there is left over: this process holds the lock."""
    await asyncio.to_thread(address.unlink, missing_ok=True)
    listening = await asyncio.start_unix_server(server.accept, address, limit=READ_BYTES)
    await asyncio.to_thread(address.chmod, 0o600)
    return listening


async def _tidy(context: Context) -> None:
    """Record what the host before this one could not: who was attached, what was landing."""
    state = context.hub.state
    gone = [Draft(ParticipantLeft(one), actor="host") for one in state.participants]
    gone += [Draft(WorkerStopped(one.id, -1), actor="host") for one in state.workers.values() if one.alive]
    if gone:
        await context.hub.append(*gone)
    await recover(context)


async def _end_when_idle(context: Context, subset: SubsetChecks, seconds: float) -> None:
    """Return when nobody was attached and nothing ran for `seconds`."""
    loop = asyncio.get_running_loop()
    busy_at = loop.time()
    while loop.time() - busy_at < seconds:
        await asyncio.sleep(max(seconds / _IDLE_CHECKS, 0.01))
        runs = context.hub.state.runs.values()
        if context.clients() or context.control.busy or subset.busy or any(not run.status.final for run in runs):
            busy_at = loop.time()
