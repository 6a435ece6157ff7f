"""`studio runs`, `show` and `events`: what was run and how it went."""

from __future__ import annotations

import argparse

from studio.cli.common import add_json, note, plain, print_json, with_host
from studio.cli.following import print_summary
from studio.cli.summary import listed_run
from studio.domain.ids import RunId
from studio.domain.state import StudioState
from studio.protocol.client import HostClient, state_of
from studio.protocol.commands import GetRun, ReadEvents
from studio.protocol.messages import Happened, Snapshot, WireRecord, wire

__all__ = ["configure", "run"]

_SHOWN = 400
"""Characters of a payload on a line for people; `--json` gives all of it."""


def configure(name: str, parser: argparse.ArgumentParser) -> None:
    """Add a command's arguments."""
    if name != "runs":
        parser.add_argument("id", metavar="RUN", help="a run's id, from `studio runs`")
    if name == "events":
        parser.add_argument("--follow", action="store_true", help="go on until the run ends")
    add_json(parser)


def run(name: str, args: argparse.Namespace) -> int:
    """Run a command and return its exit code."""
    body = {"runs": _runs, "show": _show, "events": _events}[name]
    return with_host(args, lambda client: body(client, args))


async def _runs(client: HostClient, args: argparse.Namespace) -> int:
    state = await _snapshot(client)
    runs = sorted(state.runs.values(), key=lambda item: item.requested)
    if args.json:
        print_json([listed_run(item) for item in runs])
        return 0
    for item in runs:
        spent = f"US$ {item.spend.cost_usd:.4f}"
        print(f"{item.id}  {item.status:<16} {item.hunks:>4} hunks  {spent:>12}  {plain(item.title or item.brief)}")
    if not runs:
        note("No run yet. Start one: studio run BRIEF")
    return 0


async def _snapshot(client: HostClient) -> StudioState:
    async for event in client.subscribe(streams=False):
        if isinstance(event, Snapshot):
            return state_of(event)
    return StudioState()


async def _show(client: HostClient, args: argparse.Namespace) -> int:
    state = await client.ask(GetRun(RunId(args.id)))
    if args.json:
        print_json(state)
    else:
        print_summary(state, rows=True)
    return 0


async def _events(client: HostClient, args: argparse.Namespace) -> int:
    state = await client.ask(GetRun(RunId(args.id)))  # refuses an unknown run
    after, ended = 0, False
    while records := (await client.ask(ReadEvents(state.id, after))).records:
        for record in records:
            ended = _print_record(wire(record), json=args.json)
        after = records[-1].seq
    if args.follow and not (ended or state.status.final):
        await _follow(client, args, after)
    return 0


async def _follow(client: HostClient, args: argparse.Namespace, after: int) -> None:
    async for event in client.follow(after, streams=False):
        records = event.records if isinstance(event, Happened) else ()
        # A list, not a generator: every record of the batch is printed.
        if any([_print_record(item, json=args.json) for item in records if item.run == args.id]):  # noqa: C419
            return


def _print_record(record: WireRecord, *, json: bool) -> bool:
    """Print a record; return whether it ended its run."""
    if json:
        print_json(record)
    else:
        payload = bytes(record.payload).decode("utf-8", "replace")
        shown = "(erased)" if payload == "null" else payload[:_SHOWN]
        print(plain(f"{record.seq:>6}  {record.kind:<22} {record.step:<28} {shown}"), flush=True)
    return record.kind == "run.finished"
