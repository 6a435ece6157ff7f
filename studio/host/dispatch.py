"""Which function carries out which command, and who may give it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from studio.domain.errors import UsageError
from studio.domain.value import Value
from studio.host import briefs, files, landing, machines, maintenance, review, runs
from studio.host.context import Caller, Context
from studio.protocol import commands as c

__all__ = ["HANDLERS", "ROLES", "Handler", "carry_out"]

Handler: TypeAlias = Callable[[Context, Caller, Any], Awaitable[object]]

HANDLERS: dict[type[Value], Handler] = {
    c.StartRun: runs.start,
    c.CancelRun: runs.cancel,
    c.ResumeRun: runs.resume,
    c.ForkRun: runs.fork,
    c.ReviseRun: runs.revise,
    c.TellRun: runs.tell,
    c.AnswerGate: runs.answer_gate,
    c.GetRun: runs.get_run,
    c.ReadEvents: maintenance.read_events,
    c.GetChangeSet: review.get_changes,
    c.GetPatch: review.get_patch,
    c.GetArtifact: review.get_artifact,
    c.Decide: review.decide,
    c.MakeRemark: review.remark,
    c.CheckSubset: review.check_subset,
    c.Land: landing.land,
    c.PreviewUndo: landing.preview_undo,
    c.Undo: landing.undo,
    c.Why: landing.why,
    c.WaiveCheck: review.waive,
    c.Execute: machines.execute,
    c.StopExecute: machines.stop,
    c.RunCheck: machines.run_check,
    c.SaveBrief: briefs.save,
    c.ListBriefs: briefs.list_all,
    c.ListFiles: files.list_files,
    c.ReadFile: files.read_file,
    c.SearchMemory: machines.search_memory,
    c.AddMemory: machines.add_memory,
    c.CorrectMemory: machines.correct_memory,
    c.ForgetMemory: machines.forget_memory,
    c.ShowMemory: machines.show_memory,
    c.EraseRecords: maintenance.erase,
    c.CollectGarbage: maintenance.collect,
    c.GetStatus: maintenance.status,
    c.Shutdown: maintenance.shutdown,
}

_WATCHER = frozenset(
    {
        c.GetRun, c.ReadEvents, c.GetChangeSet, c.GetPatch, c.GetArtifact, c.PreviewUndo, c.Why, c.ListBriefs, c.ListFiles,
        c.ReadFile, c.SearchMemory, c.ShowMemory, c.GetStatus,
    }
)  # fmt: skip
_REVIEWER = _WATCHER | {c.Decide, c.MakeRemark, c.CheckSubset, c.WaiveCheck}
ROLES: dict[str, frozenset[type[Value]]] = {
    "watcher": _WATCHER,
    "reviewer": _REVIEWER,
    "driver": frozenset(HANDLERS),
}
"""What each role may do: a watcher looks, a reviewer decides, a driver starts and lands."""


async def carry_out(context: Context, caller: Caller, command: Value) -> object:
    """Carry out a command and return its result.

    Raises:
        UsageError: the caller's role does not allow it.
        StudioError: as the command's own failure.

    """
    kind = type(command)
    if kind not in ROLES[caller.role]:
        raise UsageError(
            f"A {caller.role} may not do that ({kind.__name__}).", "Attach as a driver, or ask one who is."
        )
    return await HANDLERS[kind](context, caller, command)
