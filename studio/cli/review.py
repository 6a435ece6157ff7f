"""`studio changes`, `accept`, `reject`, `undo` and `why`."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence

from studio.cli.common import OUTCOME_MARKS, Output, add_json, note, path_in, plain, print_json, with_host
from studio.domain.changes import ChangeSet, Decision, FileChange, Hunk, LandingTarget, TargetKind, Verdict
from studio.domain.checks import SubsetVerdict
from studio.domain.errors import UsageError
from studio.domain.ids import HunkId, LandingId, RunId
from studio.domain.state import RunState
from studio.protocol.client import HostClient
from studio.protocol.commands import (
    CheckSubset,
    Decide,
    GetChangeSet,
    GetPatch,
    GetRun,
    Land,
    Landed,
    Origin,
    PreviewUndo,
    Undo,
    Why,
)

__all__ = ["configure", "note_verdict", "run"]

_LINES = re.compile(r"^(?P<hunk>[^:]+):(?P<ranges>\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*)$")
_MOST_LINES = 1_000_000
"""More than any hunk has; bounds what a mistyped range costs."""
_MOST_TESTS = 5
"""Of those that run a line, as many are named to people; `--json` names all."""
_WHERE = re.compile(r"^(?P<path>.+):(?P<line>\d+)$")


def configure(name: str, parser: argparse.ArgumentParser) -> None:
    """Add a command's arguments."""
    if name == "undo":
        parser.add_argument("landing", metavar="LANDING", nargs="?", default="", help="the latest if not given")
        parser.add_argument("--preview", action="store_true", help="print the diff it would write and write nothing")
    elif name == "why":
        parser.add_argument("where", metavar="FILE:LINE", help="a line of the working tree, counted from 1")
    else:
        parser.add_argument("id", metavar="RUN", help="a run's id, from `studio runs`")
    if name == "changes":
        parser.add_argument("--patch", action="store_true", help="print a patch that git apply takes")
    if name in {"accept", "reject"}:
        _add_choice(parser, lines=name == "accept")
        parser.add_argument("--comment", metavar="TEXT", default="", help="kept with the decision; a revision is told")
    if name == "accept":
        parser.add_argument("--to", default="worktree", metavar="TARGET", help="worktree, index, commit or branch:NAME")
        parser.add_argument("-m", "--message", metavar="MSG", default="", help="the commit's message")
        parser.add_argument("--unchecked", action="store_true", help="land although the checks failed or did not run")
        parser.add_argument("--elsewhere", action="store_true", help="land on another branch than the run's base")
    add_json(parser)


def _add_choice(parser: argparse.ArgumentParser, *, lines: bool) -> None:
    choice = parser.add_argument_group("which", "at least one")
    choice.add_argument("--all", action="store_true", help="every hunk that is not decided yet")
    choice.add_argument("--hunk", action="extend", nargs="+", default=[], metavar="ID", help="hunks, whole")
    if lines:
        choice.add_argument(
            "--lines",
            action="extend",
            nargs="+",
            default=[],
            metavar="ID:RANGE",
            help="lines of a hunk, numbered as `studio changes` shows them: h-1a2b:1-3,7",
        )
    else:
        parser.set_defaults(lines=[])
    choice.add_argument("--file", action="extend", nargs="+", default=[], metavar="PATH", help="all hunks of files")


def run(name: str, args: argparse.Namespace) -> int:
    """Run a command and return its exit code."""
    body = {
        "changes": _changes,
        "accept": _accept,
        "reject": _reject,
        "undo": _undo,
        "why": _why,
    }[name]
    return with_host(args, lambda client: body(client, args))


async def _changes(client: HostClient, args: argparse.Namespace) -> int:
    run_id = RunId(args.id)
    if args.patch:
        patch = await client.ask(GetPatch(run_id))
        Output().write(patch.data)
        return 0
    changes = await client.ask(GetChangeSet(run_id))
    state = await client.ask(GetRun(run_id))
    if args.json:
        decided = {key: value.decision for key, value in state.decisions.items()}
        print_json({"changeset": changes, "decisions": decided, "remarks": state.remarks, "subset": state.subset})
        return 0
    for change in changes.files:
        print(plain(f"{change.kind:<9} {change.path}"))
        for hunk in change.hunks:
            _print_hunk(hunk, state)
    return 0


def _print_hunk(hunk: Hunk, state: RunState) -> None:
    decision = state.decisions.get(hunk.id)
    verdict = decision.decision.verdict if decision else Verdict.UNDECIDED
    why = ", ".join(hunk.provenance.requirements)
    print(plain(f"  {hunk.id}  {verdict:<9} {hunk.match:<14} {hunk.provenance.task or '-'} {why}"))
    print(f"  @@ -{hunk.old_start},{hunk.old_count} +{hunk.new_start},{hunk.new_count} @@")
    for number, line in enumerate(hunk.lines, 1):
        print(plain(f"  {number:>4} {line.op}{line.text}"))
    for remark in state.remarks:
        if remark.hunk == hunk.id:
            print(plain(f"       {remark.severity}: {remark.author}: {remark.text}"))


async def _choose(client: HostClient, args: argparse.Namespace, verdict: Verdict) -> tuple[Decision, ...]:
    run_id = RunId(args.id)
    changes = await client.ask(GetChangeSet(run_id))
    state = await client.ask(GetRun(run_id))
    if not (args.all or args.hunk or args.lines or args.file):
        lines = "--lines ID:RANGE, " if verdict is Verdict.ACCEPTED else ""
        raise UsageError("Nothing is chosen.", f"Give --all, --hunk ID, {lines}or --file PATH.")
    hunks = [hunk.id for hunk in _hunks(changes) if hunk.id not in state.decisions] if args.all else []
    for path in args.file:
        hunks += [hunk.id for hunk in _file(changes, path, path_in(client.places, args, path)).hunks]
    hunks += map(HunkId, args.hunk)
    chosen = {hunk: Decision(hunk, verdict, comment=args.comment) for hunk in hunks}
    for hunk, lines in _line_choices(args.lines).items():
        chosen[hunk] = Decision(hunk, verdict, lines, comment=args.comment)
    return tuple(chosen.values())


def _hunks(changes: ChangeSet) -> list[Hunk]:
    return [hunk for change in changes.files for hunk in change.hunks]


def _file(changes: ChangeSet, path: str, resolved: str) -> FileChange:
    for change in changes.files:
        if {path, resolved} & {change.path, change.old_path}:
            return change
    paths = ", ".join(change.path for change in changes.files)
    raise UsageError(f"The change set does not touch {path}.", f"It touches {paths}.")


def _line_choices(texts: Sequence[str]) -> dict[HunkId, tuple[int, ...]]:
    """Return the lines chosen of each hunk, 0-based and sorted; several ranges of one hunk add up."""
    chosen: dict[HunkId, set[int]] = {}
    for text in texts:
        match = _LINES.match(text)
        if match is None:
            raise UsageError(f"{text} is not ID:RANGE.", "Write it as h-1a2b:1-3,7 with numbers of `studio changes`.")
        lines = chosen.setdefault(HunkId(match["hunk"]), set())
        for part in match["ranges"].split(","):
            first, _, last = part.partition("-")
            begin, end = int(first), int(last or first)
            if not 1 <= begin <= end <= _MOST_LINES:
                raise UsageError(
                    f"{text} names no line.", "Lines count from 1; a range ends no earlier than it begins."
                )
            lines.update(range(begin - 1, end))
    return {hunk: tuple(sorted(lines)) for hunk, lines in chosen.items()}


def _target(text: str) -> LandingTarget:
    kind, _, branch = text.partition(":")
    if kind == "branch" and branch:
        return LandingTarget(TargetKind.BRANCH, branch)
    if text in {"worktree", "index", "commit"}:
        return LandingTarget(TargetKind(text))
    raise UsageError(f"{text} is no landing target.", "Give worktree, index, commit or branch:NAME.")


async def _accept(client: HostClient, args: argparse.Namespace) -> int:
    target = _target(args.to)
    decisions = await _choose(client, args, Verdict.ACCEPTED)
    if decisions:
        await client.ask(Decide(RunId(args.id), decisions))
    if not args.unchecked:
        note("checking exactly what would land")
        note_verdict(await client.ask(CheckSubset(RunId(args.id))))
    landed = await client.ask(Land(RunId(args.id), target, args.message, args.unchecked, args.elsewhere))
    return _print_landed(landed, args)


def note_verdict(verdict: SubsetVerdict) -> None:
    """Tell how the checks on exactly what would land ended."""
    for result in verdict.results:
        note(f"  {OUTCOME_MARKS[result.outcome]} {result.check}: {result.reason or result.summary or result.outcome}")
    if verdict.problem:
        note(f"  {verdict.problem}")
    if verdict.needs:
        note(f"  it needs {', '.join(verdict.needs)}, which is not accepted")


def _print_landed(landed: Landed, args: argparse.Namespace) -> int:
    if args.json:
        print_json(landed)
        return 0
    landing = landed.landing
    verb = "undone" if landing.undoes else "landed"
    print(f"{landing.id}  {verb} {len(landing.hunks)} hunks in {len(landing.files)} files on {landing.target.kind}")
    if landing.commit:
        print(f"  commit {landing.commit}")
    for file in landing.files:
        print(plain(f"  {file.path}"))
    return 0


async def _reject(client: HostClient, args: argparse.Namespace) -> int:
    decisions = await _choose(client, args, Verdict.REJECTED)
    await client.ask(Decide(RunId(args.id), decisions))
    if args.json:
        print_json(decisions)
    else:
        print(f"rejected {len(decisions)} hunks")
    return 0


async def _undo(client: HostClient, args: argparse.Namespace) -> int:
    landing = LandingId(args.landing)
    if args.preview:
        preview = await client.ask(PreviewUndo(landing))
        Output().write(preview.text.encode())
        return 0
    return _print_landed(await client.ask(Undo(landing)), args)


async def _why(client: HostClient, args: argparse.Namespace) -> int:
    match = _WHERE.match(args.where)
    if match is None:
        raise UsageError(f"{args.where} is not FILE:LINE.", "Write it as src/app.py:12.")
    origin = await client.ask(Why(path_in(client.places, args, match["path"]), int(match["line"])))
    if args.json:
        print_json(origin)
    else:
        _print_origin(origin)
    return 0


def _print_origin(origin: Origin) -> None:
    print(plain(origin.text))
    if not origin.found:
        print(plain(f"  not the studio's: {origin.detail}"))
        return
    print(plain(f"  brief    {origin.title or origin.brief} ({origin.run}, {origin.landing})"))
    for requirement in origin.requirements:
        print(plain(f"  because  {requirement}"))
    print(
        plain(
            f"  task     {origin.task} by {origin.role}, {origin.model}, call {origin.call}, US$ {origin.cost_usd:.4f}"
        )
    )
    print(plain(f"  matched  {origin.match}"))
    more = f", and {len(origin.tests) - _MOST_TESTS} more" if len(origin.tests) > _MOST_TESTS else ""
    print(plain(f"  tests    {', '.join(origin.tests[:_MOST_TESTS]) or 'none runs it'}{more}"))
    print(plain(f"  accepted by {origin.accepted_by}"))
