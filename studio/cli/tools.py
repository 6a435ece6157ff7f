"""`studio exec`, `check` and `map`: the engine's tools on a directory, without a host."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from studio.cli.common import OUTCOME_MARKS, Output, add_json, add_sandbox, note, path_in, places_of, plain, print_json
from studio.domain.checks import CheckResult, Outcome, worst
from studio.domain.errors import SandboxUnavailable, UsageError
from studio.domain.sandbox import Command, CommandResult, Ending, Limits

__all__ = ["configure", "run"]

_INTERPRETERS = {
    "python": ("python3", "-c"),
    "javascript": ("node", "-e"),
    "ruby": ("ruby", "-e"),
    "php": ("php", "-r"),
    "sh": ("sh", "-c"),
}
_MEBI = 1024 * 1024


def configure(name: str, parser: argparse.ArgumentParser) -> None:
    """Add a command's arguments."""
    if name == "exec":
        parser.add_argument("--lang", choices=sorted(_INTERPRETERS), help="run ARGV as one program in this language")
        parser.add_argument("--timeout", metavar="S", type=float, default=120.0, help="seconds (default: 120)")
        parser.add_argument("--memory", metavar="MB", type=int, default=2048, help="megabytes (default: 2048)")
        parser.add_argument("--network", action="store_true", help="grant the network")
        add_sandbox(parser)
        parser.add_argument("argv", metavar="ARGV", nargs=argparse.REMAINDER, help="after --")
        add_json(parser)
    elif name == "check":
        parser.add_argument("path", metavar="PATH", nargs="?", default="", help="a directory (default: the repository)")
        parser.add_argument("--format", choices=["text", "json", "sarif"], default="text", help="how they are printed")
        add_sandbox(parser)
    else:
        parser.add_argument("path", metavar="PATH", nargs="?", default="", help="a directory (default: the repository)")
        parser.add_argument("--tokens", metavar="N", type=int, default=4096, help="its budget (default: 4096)")
        parser.add_argument("--focus", metavar="FILE", nargs="+", default=[], help="what the work is about: ranked up")


def run(name: str, args: argparse.Namespace) -> int:
    """Run a command and return its exit code."""
    match name:
        case "exec":
            return asyncio.run(_execute(args))
        case "check":
            return _check(args)
        case _:
            return _map(args)


async def _execute(args: argparse.Namespace) -> int:
    from studio.wiring import require_sandbox, tree_of_worktree

    argv = tuple(args.argv[1:] if args.argv[:1] == ["--"] else args.argv)
    if not argv:
        raise UsageError("There is no command.", "Write it after --, as in `studio exec -- python3 -V`.")
    if args.timeout <= 0 or args.memory <= 0:
        raise UsageError("Time and memory have to be more than nothing.", "Give --timeout in seconds, --memory in MB.")
    if args.lang:
        argv = (*_INTERPRETERS[args.lang], " ".join(argv))
    places = places_of(args)
    sandbox = await require_sandbox(places, args.sandbox or "")
    limits = Limits(seconds=args.timeout, memory_bytes=args.memory * _MEBI)
    command = Command(argv, limits=limits, network=args.network, writable=False)
    try:
        with tree_of_worktree(places) as tree:
            result = await sandbox.run(tree, command, None if args.json else Output().write)
    finally:
        await sandbox.close()
    return _executed(result, args)


def _executed(result: CommandResult, args: argparse.Namespace) -> int:
    if result.ending is Ending.REFUSED:
        raise SandboxUnavailable(
            f"The sandbox did not run it: {result.output.decode('utf-8', 'replace').strip()}", "See `studio doctor`."
        )
    if args.json:
        print_json(result)
    elif result.ending is not Ending.EXITED:
        note(f"studio: {result.ending} after {result.duration_ms / 1000:.1f} s ({result.level})")
    if result.dropped_bytes:
        note(f"studio: {result.dropped_bytes} bytes of output were dropped")
    return result.exit_code


def _check(args: argparse.Namespace) -> int:
    from studio.wiring import check_directory

    directory = _directory(args.path)
    results = asyncio.run(check_directory(places_of(args), directory, args.sandbox or ""))
    if args.format == "json":
        print_json(results)
    elif args.format == "sarif":
        from studio.checks.sarif import to_sarif

        print_json(to_sarif(results))
    else:
        for result in results:
            _print_result(result)
    return 3 if worst(tuple(results)) is Outcome.FAILED else 0


def _print_result(result: CheckResult) -> None:
    print(plain(f"{OUTCOME_MARKS[result.outcome]} {result.check}: {result.reason or result.summary or result.outcome}"))
    for finding in result.findings:
        where = f"{finding.path}:{finding.start_line}: " if finding.path else ""
        print(plain(f"    {where}{finding.level} {finding.rule} {finding.message}"))
    for test in result.tests:
        if test.outcome is Outcome.FAILED:
            print(plain(f"    ✗ {test.id}\n      " + test.output[-2000:].replace("\n", "\n      ")))


def _map(args: argparse.Namespace) -> int:
    from studio.wiring import map_of

    if args.tokens <= 0:
        raise UsageError("The budget has to be more than nothing.", "Give --tokens N.")
    places = places_of(args)
    focus = [path_in(places, args, path) for path in args.focus]
    print(plain(map_of(places, _directory(args.path), args.tokens, focus)))
    return 0


def _directory(path: str) -> Path | None:
    if not path:
        return None
    directory = Path(path).resolve()
    if not directory.is_dir():
        raise UsageError(f"{path} is not a directory.", "Give a directory, or nothing for the whole repository.")
    return directory
