"""The command line."""

from __future__ import annotations

import argparse
from pathlib import Path

from linkbox.store import LinkStore


def main() -> None:
    """Run a command."""
    parser = argparse.ArgumentParser(prog="linkbox", description="A box for links.")
    parser.add_argument("--file", type=Path, default=Path("links.sqlite"), help="the SQLite file")
    commands = parser.add_subparsers(dest="command", required=True)
    add = commands.add_parser("add", help="store a link")
    add.add_argument("url")
    commands.add_parser("list", help="list all links")
    args = parser.parse_args()
    store = LinkStore(args.file)
    if args.command == "add":
        link = store.add(args.url)
        print(f"{link.id} {link.url}")
    else:
        for link in store.all():
            print(f"{link.id} {link.url}")
    store.close()


if __name__ == "__main__":
    main()
