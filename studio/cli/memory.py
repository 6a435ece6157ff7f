"""`studio memory`."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from studio.cli.common import add_json, note, plain, print_json, with_host
from studio.domain.errors import UsageError
from studio.domain.memory import Collection, MemoryItem
from studio.protocol.client import HostClient
from studio.protocol.commands import AddMemory, CorrectMemory, ForgetMemory, SearchMemory, ShowMemory

__all__ = ["configure", "run"]


def configure(name: str, parser: argparse.ArgumentParser) -> None:  # noqa: ARG001 -- the one signature of all groups
    """Add the command's arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="search|show|add|correct|forget")
    search = actions.add_parser("search", help="what is remembered about TEXT, best first")
    search.add_argument("text", metavar="TEXT", help="words")
    search.add_argument("--collection", choices=[one.value for one in Collection], help="this collection only")
    search.add_argument("--limit", metavar="N", type=int, default=20, help="at most so many (default: 20)")
    show = actions.add_parser("show", help="one item with its provenance")
    add = actions.add_parser("add", help="remember a fact")
    add.add_argument("text", metavar="TEXT", help="the fact")
    add.add_argument("--tag", metavar="TAG", action="append", default=[], help="a tag; may be repeated")
    correct = actions.add_parser("correct", help="replace an item's text")
    forget = actions.add_parser("forget", help="forget an item")
    for item in (show, correct, forget):
        item.add_argument("item", metavar="ID", help="an item's id, from `search`")
    correct.add_argument("text", metavar="TEXT", help="what it says from now on")
    for item in (search, show, add, correct):
        add_json(item)
    for item in (search, show, add, correct, forget):
        # Where it is not given here, what was given before the action stays.
        item.add_argument("--repo", metavar="DIR", type=Path, default=argparse.SUPPRESS, help="the repository")


def run(name: str, args: argparse.Namespace) -> int:  # noqa: ARG001
    """Run the command and return its exit code."""
    return with_host(args, lambda client: _act(client, args))


async def _act(client: HostClient, args: argparse.Namespace) -> int:
    match args.action:
        case "search":
            return await _search(client, args)
        case "forget":
            await client.ask(ForgetMemory(args.item))
            return 0
        case "show":
            item = await client.ask(ShowMemory(args.item))
        case "add":
            item = await client.ask(AddMemory(args.text, tuple(args.tag)))
        case _:
            item = await client.ask(CorrectMemory(args.item, args.text))
    if args.json:
        print_json(item)
    else:
        _print(item)
    return 0


async def _search(client: HostClient, args: argparse.Namespace) -> int:
    if args.limit <= 0:
        raise UsageError("The limit has to be more than nothing.", "Give --limit N.")
    collection = Collection(args.collection) if args.collection else None
    memories = await client.ask(SearchMemory(args.text, collection, args.limit))
    if args.json:
        print_json(memories)
        return 0
    for found in memories.found:
        first = found.item.text.strip().splitlines()[0][:100] if found.item.text.strip() else ""
        print(plain(f"{found.item.id}  {found.item.collection:<9} {first}\n    {found.why}"))
    note(f"ranking: {memories.ranking}" if memories.found else "nothing is remembered about that")
    return 0


def _print(item: MemoryItem) -> None:
    made = time.strftime("%Y-%m-%d %H:%M", time.localtime(item.created)) if item.created else "?"
    print(plain(f"{item.id}  {item.collection} · {item.state} · {item.source} · {made}\n{item.text}"))
