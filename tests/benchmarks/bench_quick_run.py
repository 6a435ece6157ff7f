"""A quick run with an instant model, host warm: from the command to the change set. Bar: at most 2 s on two quiet cores.

Each stage is printed beside its own floor: what git, the sandbox, the checks, HTTP or DBOS alone take for the same work,
measured between the runs, so that a machine that gets slower meanwhile slows both alike. The sandbox is whichever `auto`
finds. Run it: `python tests/benchmarks/bench_quick_run.py [PAIRS]`.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dbos import DBOS, DBOSConfig

sys.path.insert(0, str(Path(__file__).parents[2]))

from studio.checks.runner import CheckRunner
from studio.context.syntax import TreeSitterSyntax
from studio.domain.config import Config
from studio.domain.sandbox import Command
from studio.pipeline.serial import StudioSerializer
from studio.ports.engine import CheckJob
from studio.ports.sandbox import Sandbox
from studio.sandbox.choose import choose
from tests.fakes.openai_server import Body, Scripted
from tests.fakes.studio_lab import Lab, git, write_reply

BAR_SECONDS = 2.0
CODE = "def mul_{0}(a: int, b: int) -> int:\n    return a * b + {0}\n"
TEST = "from calc import add\n\n\ndef test_add() -> None:\n    assert add(1, 2) == 3\n"
FILES = {"calc.py": "def add(a: int, b: int) -> int:\n    return a + b\n", "test_calc.py": TEST}


@DBOS.step()
async def empty_step(number: int) -> int:
    """Do nothing."""
    return number


@DBOS.workflow()
async def empty_workflow(steps: int) -> None:
    """Do nothing so many times."""
    for number in range(steps):
        await empty_step(number)


@dataclass
class Measured:
    """Milliseconds of every pair, by what was measured."""

    shares: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    floors: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    steps: int = 0


def milliseconds(work: Callable[[], object]) -> float:
    """Return how long some work takes."""
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1e3


def one_run(lab: Lab, number: int, measured: Measured) -> None:
    """Run a brief of its own by the command line and note what each part took."""
    brief = lab.brief(f"# Multiply {number}\n\nAdd mul_{number} to mul_{number}.py.")
    began = time.time()
    run = lab.studio("run", brief, *lab.model(), "--depth", "quick").stdout.split()[0]
    ended = time.time()
    records = lab.log(run)
    at = {(each["kind"], each["payload"].get("stage", "")): each["at"] / 1e3 for each in records}
    proposed = at["changeset.proposed", ""]
    shares = measured.shares
    shares["command to change set"].append(proposed - began * 1e3)
    shares["command to its end"].append((ended - began) * 1e3)
    shares["to the request"].append(at["run.requested", ""] - began * 1e3)
    shares["taking it up"].append(at["stage.started", "intake"] - at["run.requested", ""])
    for stage in ("intake", "recall", "build", "check", "review"):
        shares[stage].append(at["stage.finished", stage] - at["stage.started", stage])
    spent = sum(shares[name][-1] for name in ("to the request", "taking it up", "intake", "recall", "build", "check"))
    shares["between stages"].append(max(proposed - began * 1e3 - spent - shares["review"][-1], 0.0))
    measured.steps = steps_of(lab, run)


def steps_of(lab: Lab, run: str) -> int:
    """Return how many steps the engine recorded for a run."""
    connection = sqlite3.connect(f"file:{lab.state / 'engine.sqlite'}?mode=ro", uri=True)
    try:
        query = "SELECT count(*) FROM operation_outputs WHERE workflow_uuid = ?"
        return int(connection.execute(query, (run,)).fetchone()[0])
    finally:
        connection.close()


class Floors:
    """What the parts alone take. One event loop, warm."""

    def __init__(self, lab: Lab, sandbox: Sandbox, folder: Path) -> None:
        self._lab = lab
        self._sandbox = sandbox
        self._folder = folder
        self._runner = CheckRunner(TreeSitterSyntax())
        self._environ = {**os.environ, "GIT_INDEX_FILE": str(folder / "index")}

    def _git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=self._lab.repo, env=self._environ, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def snapshot(self) -> str:
        """Write the working tree's tree, as git alone does it."""
        self._git("add", "-A")
        return self._git("write-tree")

    def checkout(self) -> Path:
        """Check the tree out into an empty directory."""
        tree = self._folder / "tree"
        shutil.rmtree(tree, ignore_errors=True)
        self._git("checkout-index", "-a", f"--prefix={tree}/")
        return tree

    def diff(self) -> None:
        """Commit the tree and show its difference."""
        commit = self._git("commit-tree", self._git("write-tree"), "-p", "HEAD", "-m", "x")
        self._git("diff-tree", "-p", "HEAD", commit)

    def ask(self) -> None:
        """Ask the model once, over HTTP alone."""
        body = {"model": "instant", "messages": [{"role": "user", "content": "mul_0.py"}], "stream": True}
        request = urllib.request.Request(  # noqa: S310 -- our own server
            f"{self._lab.server.url}/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            answer.read()

    async def measure(self, number: int, measured: Measured) -> None:
        """Note what each floor takes."""
        floors = measured.floors
        floors["python starts"].append(milliseconds(lambda: subprocess.run([sys.executable, "-c", ""], check=True)))
        (self._lab.repo / "floor.py").write_text(CODE.format(number))
        floors["git: a snapshot"].append(milliseconds(self.snapshot))
        floors["git: a checkout"].append(milliseconds(self.checkout))
        floors["git: a commit and its diff"].append(milliseconds(self.diff))
        (self._lab.repo / "floor.py").unlink()
        floors["HTTP: one request"].append(milliseconds(self.ask))
        began = time.perf_counter()
        job = CheckJob(self._folder / "tree", "", ("floor.py",))
        await self._runner.run(job, self._sandbox)
        floors["the checks alone"].append((time.perf_counter() - began) * 1e3)
        began = time.perf_counter()
        await self._sandbox.run(self._folder / "tree", Command(("true",), writable=False))
        floors["sandbox: one command"].append((time.perf_counter() - began) * 1e3)
        began = time.perf_counter()
        await empty_workflow(measured.steps)
        floors["DBOS: as many empty steps"].append((time.perf_counter() - began) * 1e3)


def launch_engine(folder: Path) -> None:
    """Start DBOS on a file in WAL mode, with the studio's serializer."""
    path = folder / "engine.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.close()
    config: DBOSConfig = {
        "name": "bench", "system_database_url": f"sqlite:///{path}", "log_level": "ERROR",
        "console_log_level": "ERROR", "serializer": StudioSerializer(),
    }  # fmt: skip
    DBOS(config=config)
    DBOS.launch()


def builder(prompt: str, _body: Body) -> Scripted:
    """Write the file the brief names."""
    found = re.search(r"mul_(\d+)\.py", prompt)
    number = found.group(1) if found else "0"
    return write_reply(f"mul_{number}.py", CODE.format(number))


async def bench(pairs: int) -> Measured:
    """Measure pairs of a run and its floors, the order turned round each time; the first of each is not counted."""
    measured, dropped = Measured(), Measured()
    sandbox, probes = await choose("", Config())
    if sandbox is None:
        raise SystemExit("no sandbox works here: " + "; ".join(probe.detail for probe in probes))
    with tempfile.TemporaryDirectory() as name, Lab(Path(name) / "lab", files=FILES) as lab:
        lab.on("mul_", reply=builder)
        folder = Path(name) / "floors"
        folder.mkdir()
        git(lab.repo, "status")
        launch_engine(folder)
        floors = Floors(lab, sandbox, folder)
        try:
            for warm in range(2):
                one_run(lab, 10_000 + warm, dropped)
                await floors.measure(0, dropped)
            measured.steps = dropped.steps
            for pair in range(pairs):
                if pair % 2:
                    one_run(lab, pair, measured)
                await floors.measure(pair, measured)
                if not pair % 2:
                    one_run(lab, pair, measured)
        finally:
            DBOS.destroy()
            await sandbox.close()
    return measured


STAGE_FLOORS: dict[str, tuple[str, ...]] = {
    "to the request": ("python starts", "git: a snapshot"),
    "intake": (),
    "recall": ("git: a checkout",),
    "build": ("HTTP: one request", "git: a checkout", "git: a snapshot"),
    "check": ("git: a checkout", "the checks alone"),
    "review": ("git: a commit and its diff",),
    "between stages": ("DBOS: as many empty steps",),
}


def report(measured: Measured) -> float:
    """Print medians, each stage beside its floor, and return the median of the whole in seconds."""
    whole = statistics.median(measured.shares["command to change set"])
    print(f"{'':26}{'median ms':>10}{'share':>8}   floor of the same run (median ms)                 ratio")
    for name, times in measured.shares.items():
        middle = statistics.median(times)
        line = f"{name:26}{middle:10.1f}{middle / whole:8.0%}"
        parts = STAGE_FLOORS.get(name, ())
        if parts:
            sums = [sum(measured.floors[part][at] for part in parts) for at in range(len(times))]
            ratio = statistics.median(time_ / floor for time_, floor in zip(times, sums, strict=True))
            line += f"   {' + '.join(parts) + f' {statistics.median(sums):.1f}':52}{ratio:5.2f}"
        print(line)
    print()
    for name, times in measured.floors.items():
        print(f"{name:30}{statistics.median(times):8.1f} ms")
    return whole / 1e3


def main() -> int:
    """Print the table; 1 when the bar is not met."""
    pairs = max(int(sys.argv[1]) if len(sys.argv) > 1 else 20, 20)
    measured: Any = asyncio.run(bench(pairs))
    print(f"{pairs} pairs, quick depth, instant model, host warm, {os.cpu_count()} cores")
    seconds = report(measured)
    print(f"\ncommand to change set: {seconds:.2f} s     (bar: at most {BAR_SECONDS:.0f} s)")
    return 0 if seconds <= BAR_SECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
