"""`studio tell`, `answer` and `cancel`: a word to a run that is under way."""

from __future__ import annotations

import argparse

from studio.cli.common import with_host
from studio.domain.ids import GateId, RunId
from studio.protocol.client import HostClient
from studio.protocol.commands import AnswerGate, CancelRun, TellRun

__all__ = ["configure", "run"]


def configure(name: str, parser: argparse.ArgumentParser) -> None:
    """Add a command's arguments."""
    parser.add_argument("id", metavar="RUN", help="a run's id, from `studio runs`")
    if name == "tell":
        parser.add_argument("text", metavar="TEXT", help="what the agents read before their next turn")
    elif name == "answer":
        parser.add_argument("gate", metavar="GATE", help="the gate's id, from `studio events`")
        parser.add_argument("text", metavar="ANSWER", help="one of the gate's answers")


def run(name: str, args: argparse.Namespace) -> int:
    """Run a command and return its exit code. It prints nothing: a run says itself what came of it."""
    run_id = RunId(args.id)

    async def body(client: HostClient) -> int:
        match name:
            case "tell":
                await client.ask(TellRun(run_id, args.text))
            case "answer":
                await client.ask(AnswerGate(run_id, GateId(args.gate), args.text))
            case _:
                await client.ask(CancelRun(run_id))
        return 0

    return with_host(args, body)
