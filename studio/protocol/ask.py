"""The types of `ask`: which command answers with what. `RESULTS` says the same at run time; a test compares the two."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, overload

from studio.domain.changes import ChangeSet
from studio.domain.checks import CheckResult, SubsetVerdict
from studio.domain.memory import MemoryItem
from studio.domain.sandbox import CommandResult
from studio.domain.state import RunState
from studio.protocol import commands as c

__all__ = ["Asks"]


class Asks(ABC):
    """Something that answers commands."""

    @abstractmethod
    async def _ask(self, command: c.Command) -> Any: ...

    @overload
    async def ask(self, command: c.StartRun | c.ForkRun | c.ReviseRun) -> c.RunStarting: ...
    @overload
    async def ask(
        self,
        command: c.CancelRun
        | c.ResumeRun
        | c.TellRun
        | c.AnswerGate
        | c.Decide
        | c.MakeRemark
        | c.WaiveCheck
        | c.StopExecute
        | c.ForgetMemory
        | c.EraseRecords
        | c.Shutdown,
    ) -> c.Done: ...
    @overload
    async def ask(self, command: c.GetRun) -> RunState: ...
    @overload
    async def ask(self, command: c.ReadEvents) -> c.Records: ...
    @overload
    async def ask(self, command: c.GetChangeSet) -> ChangeSet: ...
    @overload
    async def ask(self, command: c.GetArtifact | c.GetPatch | c.ReadFile) -> c.Blob: ...
    @overload
    async def ask(self, command: c.CheckSubset) -> SubsetVerdict: ...
    @overload
    async def ask(self, command: c.Land | c.Undo) -> c.Landed: ...
    @overload
    async def ask(self, command: c.PreviewUndo | c.CollectGarbage) -> c.Text: ...
    @overload
    async def ask(self, command: c.Why) -> c.Origin: ...
    @overload
    async def ask(self, command: c.Execute) -> CommandResult: ...
    @overload
    async def ask(self, command: c.RunCheck) -> CheckResult: ...
    @overload
    async def ask(self, command: c.SaveBrief) -> c.BriefFile: ...
    @overload
    async def ask(self, command: c.ListBriefs) -> c.BriefFiles: ...
    @overload
    async def ask(self, command: c.ListFiles) -> c.FileEntries: ...
    @overload
    async def ask(self, command: c.SearchMemory) -> c.Memories: ...
    @overload
    async def ask(self, command: c.AddMemory | c.CorrectMemory | c.ShowMemory) -> MemoryItem: ...
    @overload
    async def ask(self, command: c.GetStatus) -> c.HostStatus: ...

    async def ask(self, command: c.Command) -> Any:
        """Send a command and return its answer.

        Raises:
            StudioError: the host's refusal, of the class it was raised as there.
            ConnectionLost: the connection ended before the answer came; the command may have been carried out.

        """
        return await self._ask(command)
