"""Briefs on disk."""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path

from studio.domain.brief import MAX_BRIEF_BYTES, parse_brief, read_brief_bytes
from studio.domain.errors import BriefError, UsageError
from studio.domain.ids import content_digest
from studio.domain.places import Places
from studio.host.context import Caller, Context
from studio.host.runs import brief_name, save_revision
from studio.protocol import commands as c
from studio.protocol.messages import BriefUpdate

__all__ = ["list_all", "read_brief", "save", "store", "write_brief"]


def brief_path(places: Places, name: str) -> Path:
    """Return the file of a brief.

    Raises:
        UsageError: the name cannot be a brief's, or the directory leads out of the working tree.

    """
    if brief_name(name) != name:
        raise UsageError(f"{name!r} cannot name a brief.", "Give the name alone, without directory and `.md`.")
    if not places.briefs.resolve().is_relative_to(places.worktree):
        raise UsageError(f"{places.briefs} leads out of the working tree.", "Make it a directory.")
    path = places.briefs / f"{name}.md"
    if path.is_symlink():
        raise UsageError(f"{path} is a link.", "Make it a file.")
    return path


def read_brief(places: Places, name: str) -> str:
    """Return a brief's text, empty if there is no file.

    Raises:
        UsageError: it cannot be read as a brief.

    """
    try:
        with brief_path(places, name).open("rb") as file:
            return read_brief_bytes(name, file.read(MAX_BRIEF_BYTES + 1))
    except FileNotFoundError:
        return ""


def write_brief(places: Places, name: str, text: str) -> None:
    """Write a brief's file, whole or not at all.

    Raises:
        UsageError: it cannot be written.

    """
    path = brief_path(places, name)
    data = text.encode()
    if len(data) > MAX_BRIEF_BYTES:
        raise BriefError(f"The brief {name} is larger than {MAX_BRIEF_BYTES} bytes.", "Name large files in `context:`.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(dir=path.parent, prefix=".saving-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(aside).chmod(path.stat().st_mode & 0o777 if path.exists() else 0o644)
            Path(aside).replace(path)
        except BaseException:
            Path(aside).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UsageError(f"The brief {path} cannot be written ({error.strerror}).", "Check its directory.") from None


async def save(context: Context, caller: Caller, command: c.SaveBrief) -> c.BriefFile:
    """Write a brief, also into its shared document if that is open."""
    saved = await store(context, caller, command)
    update = context.briefs.replaced(command.brief, command.text)
    if update is not None:
        context.relay(BriefUpdate(command.brief, update))
    return saved


async def store(context: Context, caller: Caller, command: c.SaveBrief) -> c.BriefFile:
    """Write a brief's file and record the revision; an unfinished brief (empty, broken front matter) is written only."""
    await asyncio.to_thread(write_brief, caller.places, command.brief, command.text)
    try:
        brief = parse_brief(command.brief, command.text)
    except BriefError:
        return c.BriefFile(command.brief, command.text, content_digest(command.text)[:16])
    await save_revision(context, caller, brief)
    return c.BriefFile(command.brief, command.text, brief.revision)


async def list_all(context: Context, caller: Caller, command: c.ListBriefs) -> c.BriefFiles:  # noqa: ARG001  # a handler's shape
    """Return the briefs on disk; files that are none are passed over."""
    return c.BriefFiles(await asyncio.to_thread(_briefs, caller.places))


def _briefs(places: Places) -> tuple[c.BriefFile, ...]:
    found: list[c.BriefFile] = []
    for path in sorted(places.briefs.glob("*.md")):
        try:
            text = read_brief(places, path.stem)
        except (UsageError, OSError):
            continue
        found.append(c.BriefFile(path.stem, text, content_digest(text)[:16]))
    return tuple(found)
