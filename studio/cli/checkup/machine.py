"""The machine: Python, git, the terminal, bytecode, disk, the directory of sockets."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
import stat
import struct
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from studio.cli.checkup.finding import Finding, State
from studio.domain.places import Places, runtime_dir
from studio.protocol.locate import git_environment
from studio.tui.terminal import is_remote, terminal_problem

__all__ = ["bytecode", "disk", "git", "python", "sockets", "terminal"]

_PYTHON = (3, 11)
_GIT = (2, 38)
"""The first with `git merge-tree --write-tree`."""
_PACKAGES = (
    "studio",
    "widgets",
    "themes",
    "textual",
    "rich",
    "litellm",
    "chromadb",
    "dbos",
    "sqlalchemy",
    "git",
    "docker",
)
_LOW_DISK = 1 << 30
_NO_DISK = 50 << 20
_SMALLEST = (80, 24)


def python() -> list[Finding]:
    """Look at the interpreter this runs in."""
    found = f"Python {platform.python_version()} at {sys.executable}"
    if sys.version_info[:2] >= _PYTHON:
        return [Finding("python", State.OK, found)]
    return [Finding("python", State.BROKEN, found, "Python 3.11 or newer is needed.", "make setup PYTHON=python3.12")]


def git() -> list[Finding]:
    """Ask git for its version."""
    try:
        done = subprocess.run(["git", "--version"], capture_output=True, text=True, check=False, env=git_environment())
    except OSError:
        return [
            Finding(
                "git", State.BROKEN, "git is not on PATH", "Nothing works without it.", "Install git 2.38 or later."
            )
        ]
    version = re.search(r"(\d+)\.(\d+)", done.stdout)
    if version is None or tuple(map(int, version.groups())) < _GIT:
        means = "Change sets are made with `git merge-tree --write-tree`, which 2.38 brought."
        return [Finding("git", State.BROKEN, done.stdout.strip(), means, "Install git 2.38 or later.")]
    return [Finding("git", State.OK, done.stdout.strip())]


def terminal(environ: Mapping[str, str] = os.environ) -> list[Finding]:
    """Look at what the terminal says of itself; nothing is painted."""
    problem = terminal_problem(environ)
    size = shutil.get_terminal_size((0, 0))
    said = [f"TERM={environ.get('TERM', '')}"]
    said += [f"COLORTERM={environ['COLORTERM']}"] if environ.get("COLORTERM") else []
    said += ["NO_COLOR"] if environ.get("NO_COLOR") else []
    said += [f"{size.columns}x{size.lines}"] if sys.stdout.isatty() else ["output is no terminal"]
    said += ["over ssh: animations are off"] if is_remote(environ) else []
    said += [f"encoding {sys.stdout.encoding}"]
    found = " · ".join(said)
    if problem is not None:
        return [Finding("terminal", State.ADVICE, found, problem.what, problem.do)]
    if sys.stdout.isatty() and (size.columns < _SMALLEST[0] or size.lines < _SMALLEST[1]):
        return [Finding("terminal", State.ADVICE, found, "The studio needs 80x24.", "Make the window larger.")]
    if sys.stdout.encoding.lower().replace("-", "") != "utf8":
        return [
            Finding("terminal", State.ADVICE, found, "Marks and borders show as `?`.", "Set LANG to a UTF-8 locale.")
        ]
    return [Finding("terminal", State.OK, found)]


def bytecode() -> list[Finding]:
    """Look whether the studio's modules and the heavy ones have bytecode that fits their source."""
    total = 0
    missing: dict[str, int] = {}
    for package in _PACKAGES:
        for source in _sources(package):
            total += 1
            if not _compiled(source):
                missing[package] = missing.get(package, 0) + 1
    if not missing:
        return [Finding("bytecode", State.OK, f"all {total} modules of {len(_PACKAGES)} packages are compiled")]
    listed = ", ".join(f"{package} ({count})" for package, count in missing.items())
    return [
        Finding(
            "bytecode",
            State.ADVICE,
            f"{sum(missing.values())} of {total} modules are not compiled: {listed}",
            "Each start compiles them anew where it may not write them: two to three times slower.",
            f"`make setup` in a checkout, else `{sys.executable} -m compileall` on those packages.",
        )
    ]


def _sources(package: str) -> Iterator[Path]:
    spec = importlib.util.find_spec(package)
    for place in (spec.submodule_search_locations or []) if spec is not None else []:
        yield from Path(place).rglob("*.py")


def _compiled(source: Path) -> bool:
    """Tell whether the bytecode beside `source` is what the interpreter would take: it names the source's time and size."""
    try:
        with Path(importlib.util.cache_from_source(str(source))).open("rb") as file:
            magic, flags, when, size = struct.unpack("<4sLLL", file.read(16))
        at = source.stat()
    except (OSError, struct.error):
        return False
    by_hash = bool(flags & 1)
    fits = (when, size) == (int(at.st_mtime) & 0xFFFFFFFF, at.st_size & 0xFFFFFFFF)
    return magic == importlib.util.MAGIC_NUMBER and (by_hash or fits)


def disk(places: Places) -> list[Finding]:
    """Look at the space left where the journal and the store are."""
    free = shutil.disk_usage(places.common).free
    found = f"{free / 2**30:.1f} GiB free at {places.common}"
    if free < _NO_DISK:
        return [
            Finding(
                "disk", State.BROKEN, found, "The journal may not be able to grow.", "Make room; `studio gc` helps."
            )
        ]
    if free < _LOW_DISK:
        means = "Worktrees of large repositories may not fit."
        return [Finding("disk", State.ADVICE, found, means, "Make room; `studio gc` drops what is old.")]
    return [Finding("disk", State.OK, found)]


def sockets(environ: Mapping[str, str] = os.environ) -> list[Finding]:
    """Look at the directory of sockets; it is not made if it is not there."""
    directory = runtime_dir(environ)
    do = f"Remove {directory}, or point XDG_RUNTIME_DIR at a directory of your own."
    try:
        at = directory.lstat()
    except FileNotFoundError:
        parent = next(path for path in directory.parents if path.exists())
        if os.access(parent, os.W_OK | os.X_OK):
            return [Finding("sockets", State.OK, f"{directory} will be made by the first host")]
        return [Finding("sockets", State.BROKEN, f"{directory} cannot be made", "No host can be reached.", do)]
    if not stat.S_ISDIR(at.st_mode) or at.st_uid != os.geteuid():
        found = f"{directory} is not a directory of yours"
        return [Finding("sockets", State.BROKEN, found, "The studio does not talk through it.", do)]
    if stat.S_IMODE(at.st_mode) & 0o077:
        found = f"{directory} is open to others (mode {stat.S_IMODE(at.st_mode):o})"
        return [Finding("sockets", State.ADVICE, found, "The next host closes it to them.", f"chmod 700 {directory}")]
    return [Finding("sockets", State.OK, f"{directory}, yours alone")]
