"""`studio run`, `resume`, `fork` and `revise`: what starts a run and follows it to its end."""

from __future__ import annotations

import argparse
import asyncio
import math
import sys
from pathlib import Path

import msgspec

from studio.cli.common import add_json, add_sandbox, note, places_of, print_json, with_host
from studio.cli.following import Progress, follow_run, print_summary
from studio.cli.summary import finished_line
from studio.domain.brief import MAX_BRIEF_BYTES, parse_brief, read_brief_bytes
from studio.domain.errors import BriefError, Cancelled, UsageError
from studio.domain.ids import RunId
from studio.domain.places import Places
from studio.domain.runs import OnGate, RunOptions
from studio.domain.stages import Depth, Stage
from studio.protocol.client import HostClient
from studio.protocol.commands import CancelRun, ForkRun, GetRun, ResumeRun, ReviseRun, RunStarting, StartRun

__all__ = ["configure", "read_brief", "run"]

_SHOWN = 80
"""Characters of a name that cannot be one."""


def configure(name: str, parser: argparse.ArgumentParser) -> None:
    """Add a command's arguments."""
    if name == "run":
        parser.add_argument(
            "brief", metavar="BRIEF", help="a Markdown file, the name of a brief in .studio/briefs, or -"
        )
        parser.add_argument("--detach", action="store_true", help="print the run's id and leave it running")
    else:
        parser.add_argument("id", metavar="RUN", help="a run's id, from `studio runs`")
    if name in {"run", "fork"}:
        _add_options(parser)
    if name == "fork":
        stages = [stage.value for stage in Stage][:-1]
        parser.add_argument("--from", dest="stage", required=True, choices=stages, help="this stage and later run anew")
    if name == "revise":
        parser.add_argument("--note", metavar="TEXT", default="", help="what to do differently")
    add_json(parser)


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", metavar="SPEC", help="a LiteLLM name, auto, replay:FILE or manual:DIR")
    parser.add_argument("--depth", choices=[one.value for one in Depth], help="how much is done (default: auto)")
    parser.add_argument("--budget", metavar="USD", type=float, help="US dollars; 0 allows nothing that costs")
    parser.add_argument(
        "--on-gate",
        choices=[one.value for one in OnGate],
        help="a question nobody answered (default: wait on a terminal, else fail)",
    )
    parser.add_argument("--record", metavar="FILE", type=Path, help="record the run into a replay")
    parser.add_argument("--api-base", metavar="URL", help="where the model is served")
    add_sandbox(parser)


def run(name: str, args: argparse.Namespace) -> int:
    """Run a command and return its exit code."""
    if name == "run":
        return _run(args)
    body = {"fork": _fork, "resume": _resume, "revise": _revise}[name]
    return with_host(args, lambda client: body(client, args))


def read_brief(places: Places, name: str) -> tuple[str, str]:
    """Return a brief's name and text.

    Raises:
        BriefError: there is no such file, or it cannot be read as a brief.

    """
    if name == "-":
        return "stdin", read_brief_bytes("standard input", sys.stdin.buffer.read(MAX_BRIEF_BYTES + 1))
    path = Path(name)
    try:
        if not path.is_file():
            path = places.briefs / (name if name.endswith(".md") else f"{name}.md")
        data = path.read_bytes()
    except FileNotFoundError:
        raise BriefError(f"There is no brief {name}.", "Give a file, or a name from .studio/briefs.") from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise BriefError(f"The brief {name[:_SHOWN]} cannot be read: {why}.", "Give a readable file.") from None
    text = read_brief_bytes(path.name, data)
    parse_brief(path.stem, text)  # what is wrong with it is told before a host is started
    return path.stem, text


def options_of(args: argparse.Namespace, base: RunOptions | None = None) -> RunOptions:
    """Return the run options of the command line, over those of `base`; the host fills in what brief and configuration say.

    Raises:
        UsageError: the budget is no amount.

    """
    if args.budget is not None and not (args.budget >= 0 and math.isfinite(args.budget)):
        raise UsageError(f"A budget of {args.budget:g} is no amount.", "Give US dollars, 0 or more.")
    base = base or RunOptions("")
    attended = sys.stdin.isatty() and sys.stderr.isatty()
    given = {
        "model": absolute_spec(args.model) if args.model else None,
        "depth": Depth(args.depth) if args.depth else None,
        "budget": msgspec.structs.replace(base.budget, usd=args.budget) if args.budget is not None else None,
        "on_gate": OnGate(args.on_gate) if args.on_gate else OnGate.WAIT if attended else OnGate.FAIL,
        "record": str(args.record.absolute()) if args.record else "",
        "api_base": args.api_base,
        "sandbox": args.sandbox,
    }
    return msgspec.structs.replace(base, **{name: value for name, value in given.items() if value is not None})


def absolute_spec(spec: str) -> str:
    """Return a model spec whose file or directory is absolute: the worker's directory is not this one."""
    kind, separator, path = spec.partition(":")
    return f"{kind}:{Path(path).absolute()}" if separator and kind in {"replay", "manual"} else spec


def _run(args: argparse.Namespace) -> int:
    name, text = read_brief(places_of(args), args.brief)
    options = options_of(args)

    async def body(client: HostClient) -> int:
        started = await client.ask(StartRun(name, text, options))
        return await _started(client, args, started)

    return with_host(args, body)


async def _started(client: HostClient, args: argparse.Namespace, started: RunStarting) -> int:
    for left in started.left_out:
        note(f"left out: {left}")
    if not getattr(args, "detach", False):
        return await _followed(client, started.run, json=args.json)
    if args.json:
        print_json({"run": started.run})
    else:
        print(started.run)
    return 0


async def _followed(client: HostClient, run_id: RunId, *, json: bool, after: int = 0) -> int:
    try:
        state = await follow_run(client, run_id, Progress(json=json), after=after)
    except asyncio.CancelledError:
        # The person interrupted; the run is theirs, so it ends too.
        note(f"cancelling {run_id}")
        await client.ask(CancelRun(run_id))
        raise Cancelled(f"Run {run_id} is cancelled.", f"`studio resume {run_id}` lets it go on.") from None
    if json:
        print_json(finished_line(state))
    else:
        print_summary(state)
    return state.exit_code


async def _fork(client: HostClient, args: argparse.Namespace) -> int:
    old = await client.ask(GetRun(RunId(args.id)))
    options = options_of(args, old.options)
    return await _started(client, args, await client.ask(ForkRun(RunId(args.id), Stage(args.stage), options)))


async def _resume(client: HostClient, args: argparse.Namespace) -> int:
    seen = client.welcome.seq
    await client.ask(ResumeRun(RunId(args.id)))
    return await _followed(client, RunId(args.id), json=args.json, after=seen)


async def _revise(client: HostClient, args: argparse.Namespace) -> int:
    return await _started(client, args, await client.ask(ReviseRun(RunId(args.id), args.note)))
