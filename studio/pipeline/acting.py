"""Doing what an agent asks: reading, searching, editing and running in the task's worktree, from one tree to the next.

A worktree is brought to the tree a step starts from before anything is done in it, so a step that runs again after a crash
starts from the same bytes.
"""

from __future__ import annotations

import asyncio
import glob
from dataclasses import dataclass, field, replace
from pathlib import Path

from studio.agents.actions import (
    Action,
    CheckArguments,
    EditsResult,
    OutlineArguments,
    ReadArguments,
    Result,
    RunArguments,
    SearchArguments,
    ToolResult,
    UseTool,
    WriteEdits,
)
from studio.agents.edits.apply import EditOutcome, apply_edits
from studio.agents.edits.globs import matches as glob_matches
from studio.agents.edits.write import WorktreeFiles, write_outcome
from studio.checks.failures import describe
from studio.domain.brief import Brief
from studio.domain.changes import Provenance
from studio.domain.checks import Outcome
from studio.domain.edits import Edit, RenameFile
from studio.domain.errors import SandboxUnavailable
from studio.domain.events import CommandFinished, CommandStarted, EditsApplied, EditsRefused, Event, ToolCalled
from studio.domain.ids import ArtifactId, RunId, TaskId, short_digest
from studio.domain.sandbox import Command, CommandResult, Limits
from studio.domain.value import Value, encode
from studio.pipeline.environment import Prepared, prepare
from studio.pipeline.hidden import Hidden, checkout_shown
from studio.pipeline.output import OutputStream
from studio.pipeline.provenance import Transition, loosest
from studio.pipeline.scope import brief_of
from studio.pipeline.serial import register
from studio.pipeline.services import Services, current
from studio.pipeline.steady import steady
from studio.pipeline.steps import RunSpec
from studio.pipeline.trees import changed_paths
from studio.ports.engine import CheckJob
from studio.ports.sandbox import Sandbox

__all__ = ["Acted", "Worksite", "act", "forget_worktrees"]

_READ_LINES = 600
_SEARCH_SECONDS = 10.0
_TOOL_SECONDS = 120.0
_TOOL_TEXT = 16_000

_clean: dict[tuple[RunId, str], str] = {}
"""The tree each of this process's worktrees is known to be at."""


class Worksite(Value, frozen=True):
    """Where an agent works, and on whose account."""

    name: str
    """Of the worktree."""
    task: TaskId
    address: str
    """Step address of this turn."""
    provenance: Provenance


class Acted(Value, frozen=True):
    """One turn's doing."""

    tree: str
    results: ArtifactId
    """A tuple of `Result`s, as `Done`."""
    transitions: tuple[Transition, ...] = ()
    read: tuple[str, ...] = ()
    """Paths whose content or absence mattered."""


class Results(Value, frozen=True):
    """What an agent is told back."""

    results: tuple[Result, ...]


@dataclass(slots=True)
class _Turn:
    services: Services
    spec: RunSpec
    site: Worksite
    brief: Brief
    hidden: Hidden
    root: Path
    tree: str
    transitions: list[Transition] = field(default_factory=list[Transition])
    read: list[str] = field(default_factory=list[str])
    events: int = 0
    dirty: bool = False
    """Whether something may have written into the worktree beside the edits."""

    async def log(self, *events: Event) -> None:
        await self.services.log(self.spec.run, self.spec.at(self.site.address), *events, n=self.events)
        self.events += len(events)


def forget_worktrees(run: RunId) -> None:
    """Know nothing of a run's worktrees any more: they are gone."""
    for known in [each for each in _clean if each[0] == run]:
        del _clean[known]


async def act(spec: RunSpec, site: Worksite, tree: str, actions: tuple[Action, ...]) -> Acted:
    """Do a turn's actions in order: a step's work."""
    services = current()
    brief = await brief_of(spec)
    root = services.worktree(spec.run, site.name)
    if _clean.pop((spec.run, site.name), "") != tree or not root.is_dir():
        root = await asyncio.to_thread(services.workspace.checkout, spec.run, site.name, tree)
    turn = _Turn(services, spec, site, brief, Hidden(brief.front.private), root, tree)
    results: list[Result] = [
        await (_edit(turn, action) if isinstance(action, WriteEdits) else _tool(turn, action)) for action in actions
    ]
    if not turn.dirty:
        _clean[spec.run, site.name] = turn.tree
    artifact = await services.keep(encode(Results(tuple(results))))
    return Acted(turn.tree, artifact, tuple(turn.transitions), tuple(dict.fromkeys(turn.read)))


async def _edit(turn: _Turn, action: WriteEdits) -> EditsResult:
    services, spec = turn.services, turn.spec
    turn.read += [edit.path for edit in action.edits]
    files = WorktreeFiles(turn.root)

    def apply() -> EditOutcome:
        # What is refused is quoted to the model, and a renamed file could be read: private files are not edited at all.
        policy = files.policy(turn.brief.front.protect, services.syntax)
        shown = tuple(path for path in policy.paths if path not in turn.hidden)
        unseen = {folder for path in set(policy.paths).difference(shown) for folder in (path, *_folders(path))}
        unseen.difference_update(folder for path in shown for folder in _folders(path))
        wanted = [path for edit in action.edits for path in _paths_of(edit)]
        private = [glob.escape(path) for path in wanted if path in unseen or turn.hidden.private(path)]
        return apply_edits(action.edits, files.read, replace(policy, paths=shown, protect=(*policy.protect, *private)))

    outcome = await asyncio.to_thread(apply)
    report = outcome.report
    if report.refused:
        await turn.log(EditsRefused(turn.site.task, turn.site.provenance.call, report.refused))
        return EditsResult(action.call, report)
    await asyncio.to_thread(write_outcome, turn.root, outcome)
    before = turn.tree
    turn.tree = await asyncio.to_thread(services.workspace.write_tree, spec.run, turn.site.name)
    if turn.tree != before:
        matches = {
            path: loosest([edit.match for edit in report.applied if edit.path == path])
            for path in dict.fromkeys(edit.path for edit in report.applied)
        }
        turn.transitions.append(Transition(before, turn.tree, tuple(matches.items()), turn.site.provenance))
    await turn.log(EditsApplied(turn.site.task, turn.site.provenance.call, report.applied))
    return EditsResult(action.call, report)


def _paths_of(edit: Edit) -> tuple[str, ...]:
    return (edit.path, edit.to) if isinstance(edit, RenameFile) else (edit.path,)


def _folders(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


async def _tool(turn: _Turn, action: UseTool) -> ToolResult:
    match action.arguments:
        case ReadArguments() as arguments:
            ok, text = await asyncio.to_thread(_read, turn, arguments)
            shown = arguments.path
        case OutlineArguments(path):
            ok, text = await asyncio.to_thread(_outline, turn, path)
            shown = path
        case SearchArguments() as arguments:
            ok, text = await _search(turn, arguments)
            shown = f"{arguments.pattern} {arguments.glob}".strip()
        case RunArguments(command):
            ok, text = await _run(turn, command)
            shown = command
        case CheckArguments(only):
            ok, text = await _check(turn, only)
            shown = " ".join(only)
    artifact = await turn.services.keep(text.encode("utf-8", "replace"))
    first = text.strip().splitlines()[0][:160] if text.strip() else ""
    await turn.log(ToolCalled(action.name, shown[:400], ok, first, turn.site.task, artifact))
    return ToolResult(action.call, text[:_TOOL_TEXT], ok)


def _bytes(turn: _Turn, path: str) -> tuple[bytes | None, str]:
    """Return a file's bytes, or None and why not. A private path is as good as absent."""
    turn.read.append(path)
    if path in turn.hidden:
        return None, f"{path} is private and is not shown to models."
    data = WorktreeFiles(turn.root).read(path)
    if data is None:
        return None, f"There is no file {path}."
    return data, ""


def _read(turn: _Turn, arguments: ReadArguments) -> tuple[bool, str]:
    data, why = _bytes(turn, arguments.path)
    if data is None:
        return False, why
    if b"\0" in data[:8192]:
        return False, f"{arguments.path} is binary ({len(data)} bytes)."
    lines = data.decode("utf-8", "replace").splitlines()
    start = max(arguments.start, 1)
    end = min(arguments.end or len(lines), len(lines), start + _READ_LINES - 1)
    shown = [f"{number:>5} {lines[number - 1]}" for number in range(start, end + 1)]
    return True, f"{arguments.path}, lines {start} to {end} of {len(lines)}:\n" + "\n".join(shown)


def _outline(turn: _Turn, path: str) -> tuple[bool, str]:
    data, why = _bytes(turn, path)
    if data is None:
        return False, why
    symbols = turn.services.index.outline(path, data)
    if not symbols:
        return True, f"{path} defines nothing that is known here."
    return True, "\n".join(f"{s.start_line}-{s.end_line} {s.kind} {s.signature or s.name}" for s in symbols)


async def _shown(turn: _Turn) -> Path:
    """Return a directory that holds the turn's tree without private files: the worktree itself where there are none."""
    if not turn.hidden.patterns:
        return turn.root
    root, _ = await checkout_shown(turn.services, turn.spec.run, f"{turn.site.name}-shown", turn.tree, turn.hidden)
    return root


async def _sandbox(turn: _Turn) -> Sandbox:
    ready = await _prepared(turn)
    if ready.sandbox is None:
        raise SandboxUnavailable(f"No sandbox works here: {ready.detail}.")
    return ready.sandbox


async def _prepared(turn: _Turn) -> Prepared:
    spec = turn.spec
    return await prepare(turn.services, spec.run, spec.options.sandbox, spec.environment, spec.base_tree, turn.hidden)


async def _search(turn: _Turn, arguments: SearchArguments) -> tuple[bool, str]:
    """Search by grep in the sandbox: a model's regular expression may take for ever."""
    try:
        sandbox = await _sandbox(turn)
    except SandboxUnavailable as error:
        return False, error.what
    argv = ("grep", "-rnIE", "--max-count=50", "-e", arguments.pattern, ".")
    command = Command(argv, limits=Limits(seconds=_SEARCH_SECONDS, output_bytes=1 << 20), writable=False)
    result = await sandbox.run(await _shown(turn), command)
    found = [line.removeprefix("./") for line in result.output.decode("utf-8", "replace").splitlines()]
    kept = [line[:300] for line in found if not arguments.glob or glob_matches(line.split(":", 1)[0], arguments.glob)]
    turn.read += dict.fromkeys(line.split(":", 1)[0] for line in kept)
    return bool(kept), "\n".join(kept[:100]) or "Nothing matches."


async def _run(turn: _Turn, line: str) -> tuple[bool, str]:
    """Run a shell command on a copy of the worktree; what it writes is thrown away."""
    try:
        sandbox = await _sandbox(turn)
    except SandboxUnavailable as error:
        return False, f"Not run: {error.what}"
    identity = short_digest("x", turn.spec.run, turn.spec.at(turn.site.address), str(turn.events), length=8)
    argv = ("sh", "-c", line)
    await turn.log(CommandStarted(identity, argv, sandbox.level))
    output = OutputStream(turn.services, turn.spec.run, identity)
    command = Command(argv, limits=Limits(seconds=_TOOL_SECONDS), writable=False)
    result: CommandResult = await sandbox.run(await _shown(turn), command, output.write)
    artifact = await output.finish()
    finished = CommandFinished(
        identity, result.exit_code, result.ending, result.duration_ms, artifact, result.dropped_bytes, result.level
    )
    await turn.log(finished)
    text = steady(result.output.decode("utf-8", "replace"))
    tail = text if len(text) <= _TOOL_TEXT - 200 else text[:4000] + "\n[…]\n" + text[-(_TOOL_TEXT - 4400) :]
    return result.exit_code == 0, f"{result.ending}, exit code {result.exit_code}. Files it wrote are not kept.\n{tail}"


async def _check(turn: _Turn, only: tuple[str, ...]) -> tuple[bool, str]:
    services, spec = turn.services, turn.spec
    ready = await _prepared(turn)
    changed = await asyncio.to_thread(changed_paths, services.workspace, spec.base_tree, turn.tree)
    environment = spec.environment
    root = await _shown(turn)
    job = CheckJob(
        root, turn.tree, changed, (), turn.brief.front.accept, "all", only, environment.test, environment.services
    )
    turn.dirty = root == turn.root
    results = await services.checks.run(job, ready.sandbox)
    lines = [f"{result.check}: {result.outcome}. {result.reason or result.summary}" for result in results]
    failing = [result for result in results if result.outcome is Outcome.FAILED]
    return not failing, "\n".join(lines) + ("\n\n" + describe(failing, _TOOL_TEXT // 2) if failing else "")


register(Worksite, Acted)
