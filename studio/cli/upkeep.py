"""`studio models`, `audit`, `gc` and `forget`."""

from __future__ import annotations

import argparse
import os

from studio.cli.common import add_json, note, places_of, plain, print_json, with_host
from studio.domain.errors import UsageError
from studio.protocol.client import HostClient
from studio.protocol.commands import CollectGarbage, EraseRecords

__all__ = ["configure", "run"]


def configure(name: str, parser: argparse.ArgumentParser) -> None:
    """Add a command's arguments."""
    if name == "gc":
        parser.add_argument(
            "--keep-days", metavar="DAYS", type=float, default=30.0, help="keep finished runs so long (default: 30)"
        )
    elif name == "forget":
        parser.add_argument(
            "records", metavar="SEQ", nargs="+", type=int, help="sequence numbers, from `studio events`"
        )
        parser.add_argument("--reason", metavar="TEXT", required=True, help="kept in the log in their place")
    else:
        add_json(parser)


def run(name: str, args: argparse.Namespace) -> int:
    """Run a command and return its exit code."""
    match name:
        case "models":
            return _models(args)
        case "audit":
            return _audit(args)
        case "gc":
            return with_host(args, lambda client: _collect(client, args))
        case _:
            return with_host(args, lambda client: _forget(client, args))


def _models(args: argparse.Namespace) -> int:
    from studio.models import HOW_TO_CHOOSE, describe_models
    from studio.wiring import load_config

    infos = describe_models(load_config(places_of(args)).models, os.environ)
    if args.json:
        print_json(infos)
        return 0
    for info in infos:
        tools = {True: "tools", False: "text", None: ""}[info.tools]
        context = f"{info.context // 1000}k" if info.context else ""
        said = " · ".join(
            part for part in (info.found, context, tools, info.detail, "auto" if info.auto else "") if part
        )
        print(plain(f"{info.name:<44} {said}"))
    if not infos:
        note("No model was found.")
    note(HOW_TO_CHOOSE)
    return 0


def _audit(args: argparse.Namespace) -> int:
    from studio.wiring import open_log

    with open_log(places_of(args)) as store:
        audit = store.journal.audit()
    if args.json:
        print_json(audit)
    elif audit.ok:
        erased = f"; {len(audit.erased)} payloads erased on request" if audit.erased else ""
        print(f"{audit.records} records, the chain holds{erased}.")
    else:
        print(plain(f"The chain is broken at record {audit.first_broken}: {audit.detail}"))
    return 0 if audit.ok else 1


async def _collect(client: HostClient, args: argparse.Namespace) -> int:
    if args.keep_days < 0:
        raise UsageError("Days cannot be negative.", "Give --keep-days 0 to keep finished runs no longer.")
    print(plain((await client.ask(CollectGarbage(args.keep_days))).text))
    return 0


async def _forget(client: HostClient, args: argparse.Namespace) -> int:
    await client.ask(EraseRecords(tuple(args.records), args.reason))
    print(f"erased the payloads of {len(args.records)} records; the chain still verifies and says so")
    return 0
