"""What holds for a command in every backend: its well-formedness, its environment, and how toolchains are tried."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from studio.domain.errors import SandboxUnavailable
from studio.domain.sandbox import Command, Ending, Limits
from studio.ports.sandbox import Sandbox
from studio.sandbox.toolchains import LANGUAGES

__all__ = ["check", "environment", "probe_toolchains"]

_MAX_WORD = 128 * 1024
"""Bytes of one argument with its end, as Linux takes them (MAX_ARG_STRLEN)."""
_MAX_WORDS = 1024 * 1024
"""Bytes of arguments and environment: half of what Linux takes with a stack of 8 MiB."""


def check(tree: Path, command: Command) -> str:
    """Return why `command` cannot be run in `tree`, or nothing."""
    texts = [*command.argv, command.cwd, *(text for pair in (*command.env, *command.mounts) for text in pair)]
    if not command.argv or not command.argv[0]:
        return "the command is empty"
    if problem := _unsayable(texts):
        return problem
    if any(not name or "=" in name for name, _ in command.env):
        return "the name of an environment variable is empty or contains ="
    if not all(map(_stays_inside, [command.cwd, *(path for _, path in command.mounts)])):
        return "a path of the command leads out of the tree"
    if not tree.is_dir():
        return f"{tree}: no such directory"
    return ""


def _unsayable(texts: list[str]) -> str:
    """Return why the kernel does not take these words, or nothing."""
    if any("\0" in text for text in texts):
        return "the command contains a NUL character"
    try:
        sizes = [len(os.fsencode(text)) for text in texts]
    except UnicodeEncodeError:
        return "the command contains half a surrogate pair"
    if max(sizes) >= _MAX_WORD or sum(sizes) > _MAX_WORDS:
        return f"the command is too long: a word has at most {_MAX_WORD - 1:,} bytes, all together {_MAX_WORDS:,}"
    return ""


def _stays_inside(path: str) -> bool:
    return not path.startswith("/") and os.path.normpath(path).split("/")[0] != ".."


def environment(command: Command, path: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return the whole environment of a command: nothing of the host's, then the command's own on top."""
    base = {
        "PATH": ":".join(path),
        "HOME": "/tmp",  # noqa: S108 - inside; bounded, and gone with the command
        "TMPDIR": "/tmp",  # noqa: S108 - as above
        "LANG": "C.UTF-8",
        "USER": "studio",
        "TERM": "dumb",
        "CI": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return list((base | dict(command.env)).items())


async def probe_toolchains(sandbox: Sandbox, need: tuple[str, ...]) -> tuple[str, ...]:
    """Return the languages whose toolchain ran in `sandbox`: of `need`, or of all where that is empty.

    Raises:
        SandboxUnavailable: not even `true` ran.

    """
    limits = Limits(seconds=30)
    found: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        tree = Path(name)
        first = await sandbox.run(tree, Command(("true",), limits=limits, writable=False))
        if first.ending is not Ending.EXITED or first.exit_code != 0:
            raise SandboxUnavailable(f"`true` did not run: {first.output.decode(errors='replace').strip()[:200]}")
        for language in need or LANGUAGES:
            argv = LANGUAGES.get(language)
            if argv is not None:
                result = await sandbox.run(tree, Command(argv, limits=limits, writable=False))
                if result.ending is Ending.EXITED and result.exit_code == 0:
                    found.append(language)
    return tuple(found)
