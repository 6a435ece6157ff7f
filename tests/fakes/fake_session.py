"""A host in memory for the studio's tests: commands become events, events are folded and sent on. No clock, no ids of chance."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec

from studio.domain import events as ev
from studio.domain.changes import ChangeSet, Landing
from studio.domain.checks import CheckResult, Outcome, SubsetVerdict
from studio.domain.errors import UsageError
from studio.domain.fold import apply
from studio.domain.ids import ArtifactId, BriefName, HunkId, LandingId, RunId
from studio.domain.runs import RunOptions
from studio.domain.sandbox import CommandResult, Ending
from studio.domain.state import STATE_VERSION, RunState, StudioState
from studio.protocol import commands as c
from studio.protocol.digest import decisions_digest
from studio.protocol.messages import Happened, Snapshot, Streamed, wire

START = 1_700_000_000.0


class FakeSession:
    """Answers commands as the host does, by appending events."""

    def __init__(self, name: str = "ada") -> None:
        self.name = name
        self.state = StudioState()
        self.asked: list[Any] = []
        self.briefs: dict[str, str] = {}
        self.files: list[c.FileEntry] = []
        self.contents: dict[str, bytes] = {}
        self.artifacts: dict[str, bytes] = {}
        self.changes: dict[str, ChangeSet] = {}
        self.connections = 0
        self.leaves_rows_out = False
        self._queue: asyncio.Queue[Happened | Streamed | None] = asyncio.Queue()
        self._live = False

    async def open(self) -> FakeSession:
        self.connections += 1
        return self

    async def reconnect(self) -> None:
        self.connections += 1
        self._queue = asyncio.Queue()

    async def close(self) -> None:
        self.drop()

    def drop(self) -> None:
        """End the connection."""
        self._queue.put_nowait(None)

    async def subscribe(
        self, after: int = -1, *, streams: bool = True
    ) -> AsyncIterator[Snapshot | Happened | Streamed]:
        del after, streams
        sent = msgspec.json.decode(msgspec.json.encode(self.state), type=StudioState)
        for run in sent.runs.values():
            if run.status.final and self.leaves_rows_out:
                run.rows, run.row_index = [], {}
        yield Snapshot(self.state.seq, STATE_VERSION, msgspec.Raw(msgspec.json.encode(sent)))
        self._live = True
        while (message := await self._queue.get()) is not None:
            yield message
        self._live = False

    def emit(self, *events: ev.Event, run: str = "", step: str = "", actor: str = "") -> None:
        """Append events and send them on."""
        records: list[ev.Record] = []
        for event in events:
            seq = self.state.seq + 1
            record = ev.Record(seq, START + seq, event, RunId(run), step, 0, actor or self.name)
            apply(self.state, record)
            records.append(record)
        if self._live:
            self._queue.put_nowait(Happened(tuple(wire(record) for record in records)))

    def stream(self, stream: str, data: bytes, run: str = "") -> None:
        """Send bytes of a live stream."""
        self._queue.put_nowait(Streamed(stream, 0, data, RunId(run)))

    async def ask(self, command: Any, /) -> Any:
        self.asked.append(command)
        handler: Callable[[Any], Any] | None = getattr(self, f"_on_{_snake(type(command).__name__)}", None)
        if handler is None:
            raise UsageError(f"{type(command).__name__} is not answered here.", "Script it.")
        return handler(command)

    def asked_of(self, kind: type[Any]) -> list[Any]:
        """Return the commands of a kind."""
        return [command for command in self.asked if isinstance(command, kind)]

    def subset(
        self, run: RunId, *results: CheckResult, tier: str = "fast", needs: tuple[str, ...] = ()
    ) -> SubsetVerdict:
        """Return a verdict on what is accepted now."""
        decisions = [at.decision for at in self.state.runs[run].decisions.values()]
        taken = tuple(one.hunk for one in decisions if one.verdict in {"accepted", "edited"})
        digest = decisions_digest(decisions)
        return SubsetVerdict("t", results, taken, tuple(HunkId(hunk) for hunk in needs), tier, digest)

    # Answers.

    def _on_list_briefs(self, _: c.ListBriefs) -> c.BriefFiles:
        return c.BriefFiles(tuple(c.BriefFile(name, text, "r1") for name, text in sorted(self.briefs.items())))

    def _on_save_brief(self, command: c.SaveBrief) -> c.BriefFile:
        self.briefs[command.brief] = command.text
        revision = f"rev{len(self.asked)}"
        self.emit(ev.BriefSaved(BriefName(command.brief), revision, ArtifactId("b1")))
        return c.BriefFile(command.brief, command.text, revision)

    def _on_start_run(self, command: c.StartRun) -> c.RunStarting:
        run = RunId(f"r-{len(self.state.runs) + 1:08}")
        self.emit(
            ev.RunRequested(BriefName(command.brief), "r1", ArtifactId("b1"), command.options, "A title"), run=run
        )
        return c.RunStarting(run)

    def _on_revise_run(self, command: c.ReviseRun) -> c.RunStarting:
        return self._on_start_run(c.StartRun("again", "text", RunOptions("m", revise=command.note)))

    def _on_fork_run(self, command: c.ForkRun) -> c.RunStarting:
        options = RunOptions("m", fork_of=command.run, fork_from=command.stage)
        return self._on_start_run(c.StartRun("fork", "text", options))

    def _on_cancel_run(self, command: c.CancelRun) -> c.Done:
        self.emit(ev.RunCancelRequested(), run=command.run)
        return c.Done()

    def _on_tell_run(self, command: c.TellRun) -> c.Done:
        self.emit(ev.RunTold(command.text), run=command.run)
        return c.Done()

    def _on_answer_gate(self, command: c.AnswerGate) -> c.Done:
        self.emit(ev.GateAnswered(command.gate, command.answer, self.name), run=command.run)
        return c.Done()

    def _on_get_run(self, command: c.GetRun) -> RunState:
        return self.state.runs[command.run]

    def _on_get_change_set(self, command: c.GetChangeSet) -> ChangeSet:
        return self.changes[command.run]

    def _on_get_artifact(self, command: c.GetArtifact) -> c.Blob:
        data = self.artifacts.get(command.artifact, b"")
        return c.Blob(data, len(data))

    def _on_decide(self, command: c.Decide) -> c.Done:
        self.emit(*(ev.HunkDecided(decision) for decision in command.decisions), run=command.run)
        verdict = self.subset(command.run, CheckResult("syntax", Outcome.PASSED, "t"))
        self.emit(ev.SubsetChecked(verdict), run=command.run)
        return c.Done()

    def _on_make_remark(self, command: c.MakeRemark) -> c.Done:
        self.emit(ev.RemarkMade(command.remark), run=command.run)
        return c.Done()

    def _on_land(self, command: c.Land) -> c.Landed:
        landing = Landing(LandingId("l-00000001"), command.run, command.target, ())
        self.emit(ev.ChangesLanded(landing), run=command.run)
        return c.Landed(landing)

    def _on_preview_undo(self, _: c.PreviewUndo) -> c.Text:
        return c.Text("-def added():\n+")

    def _on_undo(self, command: c.Undo) -> c.Landed:
        run = next(iter(self.state.runs))
        landing = Landing(
            LandingId("l-00000002"), run, self.state.runs[run].landings[-1].target, (), undoes=command.landing
        )
        self.emit(ev.ChangesLanded(landing), run=run)
        return c.Landed(landing)

    def _on_waive_check(self, command: c.WaiveCheck) -> c.Done:
        self.emit(ev.CheckWaived(command.check, command.reason), run=command.run)
        return c.Done()

    def _on_execute(self, command: c.Execute) -> CommandResult:
        output = f"ran {' '.join(command.argv)}\n".encode()
        return CommandResult(0, Ending.EXITED, output, 0, 12, "bubblewrap")

    def _on_list_files(self, _: c.ListFiles) -> c.FileEntries:
        return c.FileEntries(tuple(self.files))

    def _on_read_file(self, command: c.ReadFile) -> c.Blob:
        data = self.contents.get(command.path, b"hello\n")
        return c.Blob(data, len(data))

    def _on_run_check(self, command: c.RunCheck) -> CheckResult:
        return CheckResult(command.check, Outcome.PASSED, "t", summary="again")

    def _on_check_subset(self, command: c.CheckSubset) -> SubsetVerdict:
        verdict = self.subset(command.run, CheckResult("tests", Outcome.PASSED, "t"), tier="tests")
        self.emit(ev.SubsetChecked(verdict), run=command.run)
        return verdict


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


__all__ = ["START", "FakeSession"]
