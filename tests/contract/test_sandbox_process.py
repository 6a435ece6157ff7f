"""The sandboxes as seen from another process: the studio is killed, or is an ordinary user's."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
PREAMBLE = """
import asyncio, sys
from pathlib import Path
from studio.domain.sandbox import Command, Ending, Limits
from studio.sandbox.bubblewrap import BubblewrapSandbox
tree = Path(sys.argv[1])
MEBI = 1024 * 1024
"""
ORDINARY = 64001


def interpreter_for_anyone() -> str | None:
    """Return a Python of this version that every user may execute."""
    for candidate in (os.path.realpath(sys.executable), f"/usr/bin/python3.{sys.version_info.minor}"):
        places = [Path(candidate), *Path(candidate).parents]
        if Path(candidate).exists() and all(place.stat().st_mode & 0o005 == 0o005 for place in places):
            return candidate
    return None


@pytest.fixture
def tree() -> Iterator[Path]:
    """Return a tree that any user may enter and that belongs to the ordinary one."""
    place = Path(tempfile.mkdtemp())
    (place / "file.txt").write_text("before\n")
    if os.geteuid() == 0:
        for path in (place, place / "file.txt"):
            os.chown(path, ORDINARY, ORDINARY)
    yield place
    shutil.rmtree(place)


def as_ordinary_user(tree: Path, code: str) -> str:
    """Run `code` as an ordinary user and return what it printed."""
    python = interpreter_for_anyone()
    if shutil.which("bwrap") is None or python is None:
        reason = "needs bubblewrap, and a Python that any user may execute"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    site = str(Path(psutil.__file__).resolve().parents[1])
    drop = ["setpriv", f"--reuid={ORDINARY}", f"--regid={ORDINARY}", "--clear-groups"] if os.geteuid() == 0 else []
    environ = {
        "PATH": "/usr/bin:/bin",
        "HOME": "/nonexistent",
        "PYTHONPATH": f"{ROOT}:{site}",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    script = PREAMBLE + textwrap.dedent(code)
    argv = [*drop, python, "-c", script, str(tree)]
    done = subprocess.run(argv, env=environ, cwd="/", capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.bubblewrap
def test_ordinary_user_has_the_same_sandbox(tree: Path) -> None:
    code = """
    async def main():
        sandbox = BubblewrapSandbox()
        limits = Limits(seconds=20, memory_bytes=128 * MEBI, processes=20, disk_bytes=16 * MEBI, files=100)
        async def sh(text):
            result = await sandbox.run(tree, Command(("sh", "-c", text), limits=limits))
            print(result.ending, result.exit_code, result.stdout.decode().strip())
        await sh("cat /etc/shadow; ls /home /root 2>/dev/null; cat file.txt; echo after > file.txt; id -u")
        await sh("head -c 64m /dev/zero > /tmp/big; stat -c %s /tmp/big")
        await sh("i=0; while [ $i -lt 200 ]; do true > /tmp/$i || break; i=$((i+1)); done 2>/dev/null; [ $i -lt 110 ] && echo held")
        await sh("python3 -c 'x = bytearray(300 << 20)' 2>/dev/null; echo $?")
        await sh("for i in 1 2 3 4 5; do python3 -c 'import time; x = bytearray(60 << 20); time.sleep(9)' & done; wait; echo all")
        fork = "import os, time\\nwhile True:\\n  try: os.fork() or time.sleep(9)\\n  except OSError as e: print(type(e).__name__); break"
        result = await sandbox.run(tree, Command(("python3", "-c", fork), limits=limits))
        print(result.ending, result.stdout.decode())
        await sandbox.close()
    asyncio.run(main())
    """
    lines = as_ordinary_user(tree, code).splitlines()
    assert lines[:2] == ["exited 0 before", "65534"]
    assert 0 < int(lines[2].split()[-1]) <= 16 * 1024 * 1024
    assert lines[3] == "exited 0 held"
    assert lines[4] == "exited 0 1"
    assert lines[5].startswith("memory 137")
    assert lines[6] == "exited BlockingIOError"
    assert (tree / "file.txt").read_text() == "after\n"


@pytest.mark.bubblewrap
def test_nothing_outlives_a_studio_that_is_killed(tree: Path) -> None:
    if shutil.which("bwrap") is None:
        pytest.fail("needs bubblewrap") if os.environ.get("CI") else pytest.skip("needs bubblewrap")
    mark = f"86400.{os.getpid()}"
    code = f"""
    async def main():
        sandbox = BubblewrapSandbox()
        await sandbox.run(tree, Command(("sh", "-c", "echo begun; setsid sleep {mark} & sleep {mark}")),
                          lambda data: print(data.decode(), flush=True))
    asyncio.run(main())
    """
    argv = [sys.executable, "-c", PREAMBLE + textwrap.dedent(code), str(tree)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}) as studio:
        assert studio.stdout is not None
        try:
            assert studio.stdout.readline() == b"begun\n"
            for _ in range(200):  # said before the shell has become the first sleep
                if holders(mark):
                    break
                time.sleep(0.05)
            assert holders(mark)
        finally:
            studio.send_signal(signal.SIGKILL)
    for _ in range(200):
        if not holders(mark):
            return
        time.sleep(0.05)
    pytest.fail(f"still running: {holders(mark)}")


def holders(mark: str) -> list[psutil.Process]:
    """Return the processes that have `mark` on their command line."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        try:
            if "sleep" in process.cmdline() and mark in process.cmdline():
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found
