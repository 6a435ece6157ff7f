"""What is passed on to workers: commands in the sandbox, single checks, memory."""

from __future__ import annotations

from typing import Any

from studio.domain.checks import CheckResult
from studio.domain.errors import UsageError
from studio.domain.memory import MemoryItem
from studio.domain.sandbox import CommandResult
from studio.host.context import Caller, Context
from studio.protocol import commands as c
from studio.protocol.messages import MemoryChange, MemoryGet, StopCommand

__all__ = [
    "add_memory",
    "correct_memory",
    "execute",
    "forget_memory",
    "run_check",
    "search_memory",
    "show_memory",
    "stop",
]

MEMORY_SECONDS = 60.0
CHECK_SECONDS = 1_800.0
MAX_COMMAND_SECONDS = 3_600.0
_GRACE_SECONDS = 60.0
"""For making the sandbox and the tree ready around a command."""


async def execute(context: Context, caller: Caller, command: c.Execute) -> CommandResult:  # noqa: ARG001  # a handler's shape
    """Run a command in the sandbox."""
    if not command.argv:
        raise UsageError("There is no command to run.", "Give one after `--`.")
    if not 0 < command.seconds <= MAX_COMMAND_SECONDS:
        raise UsageError(
            f"A command cannot run for {command.seconds:g} s.", f"Give more than 0 and at most {MAX_COMMAND_SECONDS:g}."
        )
    if command.run:
        context.run(command.run)
    return await context.control.assign(command, CommandResult, command.seconds + _GRACE_SECONDS)


async def stop(context: Context, caller: Caller, command: c.StopExecute) -> c.Done:  # noqa: ARG001  # a handler's shape
    """Stop a command; one that has ended is no error."""
    context.control.broadcast(StopCommand(command.command))
    return c.Done()


async def run_check(context: Context, caller: Caller, command: c.RunCheck) -> CheckResult:  # noqa: ARG001  # a handler's shape
    """Run one check again."""
    context.run(command.run)
    return await context.control.assign(command, CheckResult, CHECK_SECONDS)


async def search_memory(context: Context, caller: Caller, command: c.SearchMemory) -> c.Memories:  # noqa: ARG001  # a handler's shape
    """Search memory."""
    return await context.control.assign(command, c.Memories, MEMORY_SECONDS)


async def add_memory(context: Context, caller: Caller, command: c.AddMemory) -> MemoryItem:
    """Remember a fact."""
    _need_text(command.text)
    change = MemoryChange("", command.text, command.tags, caller.name)
    return await context.control.assign(change, MemoryItem, MEMORY_SECONDS)


async def correct_memory(context: Context, caller: Caller, command: c.CorrectMemory) -> MemoryItem:
    """Replace an item's text."""
    _need_text(command.text)
    change = MemoryChange(command.item, command.text, (), caller.name)
    return await context.control.assign(change, MemoryItem, MEMORY_SECONDS)


async def forget_memory(context: Context, caller: Caller, command: c.ForgetMemory) -> c.Done:
    """Forget an item."""
    answer: Any = Any
    await context.control.assign(MemoryChange(command.item, "", (), caller.name), answer, MEMORY_SECONDS)
    return c.Done()


async def show_memory(context: Context, caller: Caller, command: c.ShowMemory) -> MemoryItem:  # noqa: ARG001  # a handler's shape
    """Return one item."""
    return await context.control.assign(MemoryGet(command.item), MemoryItem, MEMORY_SECONDS)


def _need_text(text: str) -> None:
    if not text.strip():
        raise UsageError("There is nothing to remember.", "Give a text.")
