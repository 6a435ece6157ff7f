"""The log and the host itself."""

from __future__ import annotations

import asyncio
import os
import re
from contextlib import suppress

import studio
from studio.domain.errors import UsageError
from studio.domain.events import MemoryLearned, Record
from studio.host.context import Caller, Context
from studio.host.machines import forget_memory
from studio.protocol import commands as c

__all__ = ["collect", "erase", "read_events", "shutdown", "status"]

MAX_RECORDS = 1_000
_LEARNED = str(MemoryLearned.__struct_config__.tag)
_PASSWORD = re.compile(r"(?<=://)([^:/@]*):[^@]*@")


async def read_events(context: Context, caller: Caller, command: c.ReadEvents) -> c.Records:  # noqa: ARG001  # a handler's shape
    """Return records, at most 1,000 at a time."""
    if command.run:
        context.run(command.run)
    limit = max(0, min(command.limit, MAX_RECORDS))
    read = context.parts.journal.read
    records = await asyncio.to_thread(read, max(command.after, 0), limit, command.run or None)
    return c.Records(tuple(records), context.hub.head)


async def erase(context: Context, caller: Caller, command: c.EraseRecords) -> c.Done:
    """Erase payloads from the log, and what memory learned of them; it is forgotten first, so that a failure can be repeated."""
    unknown = [seq for seq in command.records if not 1 <= seq <= context.hub.head]
    if unknown or not command.records:
        raise UsageError(
            f"There is no record {unknown[0]}." if unknown else "No record is named.",
            f"Records are numbered 1 to {context.hub.head}; `studio events RUN` shows them.",
        )
    if not command.reason.strip():
        raise UsageError("Erasing needs a reason.", "Say why with `--reason`.")
    learned = await asyncio.to_thread(_learned, context, set(command.records))
    for item in {record.event.item.id for record in learned if isinstance(record.event, MemoryLearned)}:
        with suppress(UsageError):  # it was forgotten before
            await forget_memory(context, caller, c.ForgetMemory(item))
    records = {*command.records, *(record.seq for record in learned)}
    await asyncio.to_thread(context.parts.journal.erase, sorted(records), command.reason, caller.name)
    context.hub.forget()
    return c.Done()


def _learned(context: Context, erased: set[int]) -> list[Record]:
    """Return the records of memories that were learned in or from records that are to be erased."""
    steps = {f"learn/{seq}" for seq in erased}
    found: list[Record] = []
    after = 0
    while records := context.parts.journal.read(after, MAX_RECORDS, None, (_LEARNED,)):
        found += [record for record in records if record.seq in erased or record.step in steps]
        after = records[-1].seq
    return found


async def collect(context: Context, caller: Caller, command: c.CollectGarbage) -> c.Text:  # noqa: ARG001  # a handler's shape
    """Drop what retention no longer keeps."""
    if command.keep_days < 0:
        raise UsageError("Garbage cannot be kept for a negative time.", "Give days, 0 or more.")
    if context.parts.collect_garbage is None:
        return c.Text("Nothing to collect.")
    async with context.landing, context.snapshotting:
        return c.Text(await asyncio.to_thread(context.parts.collect_garbage, command.keep_days))


async def status(context: Context, caller: Caller, command: c.GetStatus) -> c.HostStatus:  # noqa: ARG001  # a handler's shape
    """Return how the host is."""
    return c.HostStatus(
        os.getpid(),
        studio.__version__,
        context.places.common,
        context.started,
        context.clients(),
        tuple(f"{link.name} (pid {link.pid})" for link in context.control.workers),
        context.hub.head,
        _PASSWORD.sub(r"\1:…@", context.config.database) or str(context.places.journal),
    )


async def shutdown(context: Context, caller: Caller, command: c.Shutdown) -> c.Done:  # noqa: ARG001  # a handler's shape
    """End the host, once this is answered."""
    context.end()
    return c.Done()
