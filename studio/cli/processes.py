"""`studio host` and `studio worker`: the processes, in the foreground."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
from collections.abc import Coroutine
from contextlib import suppress
from logging.handlers import RotatingFileHandler
from typing import Any

from studio.cli.common import places_of
from studio.domain.places import Places

__all__ = ["configure", "run"]


def configure(name: str, parser: argparse.ArgumentParser) -> None:
    """Add a command's arguments."""
    if name == "worker":
        parser.add_argument("--name", default=f"worker-{os.uname().nodename}", help="this executor's id, unique")
        parser.add_argument("--lifeline", type=int, default=None, metavar="FD", help="end when this pipe closes")
        parser.add_argument("--adopt", metavar="NAME", help="take over the runs of a worker that is gone for good")


def run(name: str, args: argparse.Namespace) -> int:
    """Run a process until it is told to end."""
    places = places_of(args)
    if name == "host":
        from studio.wiring import run_host

        return _until_told(run_host(places))
    _log_to(places, args.name)
    from studio.wiring import run_worker

    return _until_told(run_worker(places, args.name, lifeline=args.lifeline, adopt=args.adopt))


def _log_to(places: Places, name: str) -> None:
    places.logs.mkdir(parents=True, exist_ok=True)
    handler = RotatingFileHandler(places.logs / f"{name}.log", maxBytes=4_000_000, backupCount=3)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger().addHandler(handler)
    logging.getLogger("studio").setLevel(logging.INFO)


def _until_told(work: Coroutine[Any, Any, None]) -> int:
    async def main() -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 -- inside a coroutine there is one
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, task.cancel)
        with suppress(asyncio.CancelledError):
            await work

    asyncio.run(main())
    return 0
