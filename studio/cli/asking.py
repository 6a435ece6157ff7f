"""Asking the person at a plain terminal what gates ask."""

from __future__ import annotations

import asyncio
import sys

from studio.cli.common import note, plain
from studio.domain.errors import StudioError
from studio.domain.events import Event, GateAnswered, GateOpened
from studio.domain.ids import GateId, RunId
from studio.domain.runs import Gate
from studio.protocol.client import HostClient
from studio.protocol.commands import AnswerGate

__all__ = ["GateDesk"]


class GateDesk:
    """Asks one open gate after the other, on standard input; gives up a question that somebody else has answered.

    Nothing is asked before `open`: gates of the past are only counted.
    """

    def __init__(self, client: HostClient, run: RunId) -> None:
        self._client = client
        self._run = run
        self._gates: dict[GateId, Gate] = {}
        self._asked: GateId | None = None
        self._asking: asyncio.Task[None] | None = None
        self._is_open = False

    def note(self, event: Event) -> None:
        """Take note of an event of the run."""
        if isinstance(event, GateOpened):
            self._gates[event.gate.id] = event.gate
        elif isinstance(event, GateAnswered):
            self._gates.pop(event.gate, None)
            if self._asked == event.gate:
                self.close()
                self._is_open = True
        else:
            return
        self._ask_next()

    def open(self) -> None:
        """Ask from now on."""
        self._is_open = True
        self._ask_next()

    def close(self) -> None:
        """Ask no more."""
        self._is_open = False
        self._asked = None
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None

    def _ask_next(self) -> None:
        if self._is_open and self._asked is None and self._gates:
            gate = next(iter(self._gates.values()))
            self._asked = gate.id
            self._asking = asyncio.create_task(self._ask(gate))

    async def _ask(self, gate: Gate) -> None:
        while True:
            answer = (await _line(f"  answer{f' [{gate.default}]' if gate.default else ''}: ")).strip() or gate.default
            try:
                await self._client.ask(AnswerGate(self._run, gate.id, answer))
            except StudioError as error:
                note(f"  {error.what} {error.do}")
            else:
                return


async def _line(prompt: str) -> str:
    """Return a line of standard input, which is a terminal: reading blocks only until it is complete."""
    sys.stderr.write(plain(prompt))
    sys.stderr.flush()
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_reader(sys.stdin.fileno(), lambda: None if ready.done() else ready.set_result(None))
    try:
        await ready
    finally:
        loop.remove_reader(sys.stdin.fileno())
    line = sys.stdin.readline()
    if not line:
        # The terminal's end of file: nobody will answer here.
        await asyncio.Event().wait()
    return line
