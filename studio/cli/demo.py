"""`studio demo`: the main job on a bundled brief, in a scratch repository that stays behind to be looked at."""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from studio.cli.common import note, plain
from studio.cli.following import Progress, follow_run, print_summary
from studio.cli.review import note_verdict
from studio.cli.runs import absolute_spec
from studio.domain.changes import Decision, LandingTarget, TargetKind, Verdict
from studio.domain.errors import ChecksFailed, UsageError
from studio.domain.ids import RunId
from studio.domain.places import Places
from studio.domain.runs import OnGate, RunOptions, RunStatus
from studio.protocol.client import HostClient, Identity, run_with_host
from studio.protocol.commands import CheckSubset, Decide, GetChangeSet, GetPatch, Land, StartRun
from studio.protocol.locate import git_environment, locate

__all__ = ["configure", "run"]

_DATA = Path(__file__).parent / "demodata"
_REPLAY = _DATA / "shortener.replay.jsonl"
BRIEF = "shortener"


def configure(name: str, parser: argparse.ArgumentParser) -> None:  # noqa: ARG001 -- the one signature of all groups
    """Add the command's arguments."""
    parser.add_argument("--model", metavar="SPEC", default="", help="ask a model instead of the bundled replay")
    parser.add_argument("--api-base", metavar="URL", default="", help="where the model is served")
    parser.add_argument("--record", metavar="FILE", type=Path, help="record the run into a replay")
    parser.add_argument("--dir", metavar="DIR", type=Path, help="where the scratch repository is made; must not exist")
    parser.add_argument("--plain", action="store_true", help="plain progress also on a terminal")


def run(name: str, args: argparse.Namespace) -> int:  # noqa: ARG001 -- the one signature of all groups
    """Run the command and return its exit code."""
    places = _scratch(args.dir)
    note(f"scratch repository: {places.worktree}")
    record = str(args.record.absolute()) if args.record else ""
    model = absolute_spec(args.model) or f"replay:{_REPLAY}"
    if not args.model:
        note("model: a replay, recorded from a real run; no model is asked and nothing is paid (MODEL=SPEC asks one)")
    on_terminal = sys.stdin.isatty() and sys.stdout.isatty() and not args.plain
    gate = OnGate.WAIT if on_terminal else OnGate.DEFAULT
    options = RunOptions(model, record=record, on_gate=gate, api_base=args.api_base)
    if on_terminal:
        return _in_the_studio(places, options)
    return run_with_host(places, Identity("cli", "Demo"), lambda client: _in_plain(client, places, options))


def _scratch(directory: Path | None) -> Places:
    """Make the scratch repository: a small program with some code in it, and the brief."""
    root = directory.absolute() if directory else Path(tempfile.mkdtemp(prefix="studio-demo-")) / "linkbox"
    if root.exists():
        raise UsageError(f"{root} exists already.", "Name a directory that does not.")
    shutil.copytree(_DATA / "linkbox", root, ignore=shutil.ignore_patterns("__pycache__"))
    (root / "gitignore").rename(root / ".gitignore")
    briefs = root / ".studio" / "briefs"
    briefs.mkdir(parents=True)
    shutil.copyfile(_DATA / f"{BRIEF}.md", briefs / f"{BRIEF}.md")
    for command in (
        ["init", "-q", "-b", "main"],
        ["config", "user.name", "Demo"],
        ["config", "user.email", "demo@example.org"],
        ["config", "commit.gpgsign", "false"],
        ["add", "-A"],
        ["commit", "-q", "--no-verify", "-m", "Keep links in SQLite and list them"],
    ):
        subprocess.run(["git", *command], cwd=root, check=True, env=git_environment(os.environ), capture_output=True)
    return locate(root)


def _in_the_studio(places: Places, options: RunOptions) -> int:
    """Start the run and open the studio on it; leaving the studio leaves the repository."""
    from studio.cli.open import open_studio

    async def start(client: HostClient) -> RunId:
        return (await client.ask(StartRun(BRIEF, (places.briefs / f"{BRIEF}.md").read_text(), options))).run

    open_studio(places, run_with_host(places, Identity("cli", "Demo"), start))
    note(f"the repository is still there: {places.worktree}")
    return 0


async def _in_plain(client: HostClient, places: Places, options: RunOptions) -> int:
    began = time.monotonic()
    started = await client.ask(StartRun(BRIEF, (places.briefs / f"{BRIEF}.md").read_text(), options))
    state = await follow_run(client, started.run, Progress())
    seconds = time.monotonic() - began
    if state.status is not RunStatus.READY:
        print_summary(state)
        return state.exit_code
    patch = await client.ask(GetPatch(started.run))
    print(plain(patch.data.decode("utf-8", "replace")))
    print_summary(state)
    await _land_all(client, started.run)
    log = await asyncio.to_thread(
        subprocess.run,
        ["git", "log", "-1", "--stat", "--format=commit %H%n%n%B"],
        cwd=places.worktree, check=True, env=git_environment(os.environ), capture_output=True, text=True,
    )  # fmt: skip
    print(log.stdout)
    note(f"the run took {seconds:.1f} s; the repository is {places.worktree}")
    return 0


async def _land_all(client: HostClient, run_id: RunId) -> None:
    """Accept everything, check exactly that, and land it as a commit: what a person would decide for themselves."""
    changes = await client.ask(GetChangeSet(run_id))
    hunks = [hunk for change in changes.files for hunk in change.hunks]
    await client.ask(Decide(run_id, tuple(Decision(hunk.id, Verdict.ACCEPTED) for hunk in hunks)))
    note("checking exactly what would land")
    verdict = await client.ask(CheckSubset(run_id))
    note_verdict(verdict)
    if verdict.problem:
        raise ChecksFailed(verdict.problem, "Look at it in the studio.")
    await client.ask(Land(run_id, LandingTarget(TargetKind.COMMIT)))
