"""The tables that say the same thing in two places say the same thing."""

from __future__ import annotations

from typing import get_args, get_overloads, get_type_hints

from studio.host.dispatch import HANDLERS, ROLES
from studio.protocol import ask, commands
from studio.protocol.ask import Asks
from studio.protocol.commands import RESULTS, Command

COMMANDS = set(get_args(Command))


def test_every_command_has_a_result_a_handler_and_a_role() -> None:
    assert set(RESULTS) == COMMANDS
    assert set(HANDLERS) == COMMANDS
    assert set().union(*ROLES.values()) == COMMANDS


def test_each_role_may_do_more_than_the_one_before() -> None:
    assert ROLES["watcher"] < ROLES["reviewer"] < ROLES["driver"]
    assert commands.Decide in ROLES["reviewer"] - ROLES["watcher"]
    assert {commands.StartRun, commands.Land, commands.Shutdown} <= ROLES["driver"] - ROLES["reviewer"]


def test_the_static_types_of_ask_are_the_result_table() -> None:
    found: dict[object, object] = {}
    for overload in get_overloads(Asks.ask):
        hints = get_type_hints(overload, dict(vars(ask)))
        for kind in get_args(hints["command"]) or (hints["command"],):
            found[kind] = hints["return"]
    assert found == RESULTS


def test_handlers_return_what_the_table_promises() -> None:
    for kind, handler in HANDLERS.items():
        assert get_type_hints(handler)["return"] is RESULTS[kind], kind
