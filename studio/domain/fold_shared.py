"""How events of people and of what they share change the state."""

from __future__ import annotations

from studio.domain import events as ev
from studio.domain.fold_rows import Handlers, put_note
from studio.domain.state import BriefState, DecisionState, Participant, RunState, StudioState, WorkerState

__all__ = ["on_run", "on_studio"]

on_run: Handlers[RunState] = Handlers()
on_studio: Handlers[StudioState] = Handlers()


@on_studio(ev.ParticipantJoined)
def _joined(state: StudioState, event: ev.ParticipantJoined, record: ev.Record) -> None:
    state.participants[event.participant] = Participant(event.participant, event.name, event.role, record.at)


@on_studio(ev.ParticipantLeft)
def _left(state: StudioState, event: ev.ParticipantLeft, record: ev.Record) -> None:  # noqa: ARG001
    state.participants.pop(event.participant, None)


@on_studio(ev.BriefSaved)
def _saved(state: StudioState, event: ev.BriefSaved, record: ev.Record) -> None:
    brief = state.briefs.setdefault(event.brief, BriefState(event.brief))
    brief.title = event.title
    if not brief.revisions or brief.revisions[-1][0] != event.revision:
        brief.revisions.append((event.revision, event.text, record.actor, record.at))


@on_studio(ev.WorkerStarted)
def _worker_started(state: StudioState, event: ev.WorkerStarted, record: ev.Record) -> None:  # noqa: ARG001
    known = state.workers.get(event.worker)
    restarts = known.restarts + 1 if known else 0
    state.workers[event.worker] = WorkerState(event.worker, event.pid, alive=True, restarts=restarts)


@on_studio(ev.WorkerStopped)
def _worker_stopped(state: StudioState, event: ev.WorkerStopped, record: ev.Record) -> None:  # noqa: ARG001
    worker = state.workers.setdefault(event.worker, WorkerState(event.worker))
    worker.alive, worker.exit_code, worker.restart_in_s = False, event.exit_code, event.restart_in_s


@on_run(ev.HunkDecided)
def _decided(run: RunState, event: ev.HunkDecided, record: ev.Record) -> None:
    run.decisions[event.decision.hunk] = DecisionState(event.decision, record.actor, record.at)


@on_run(ev.SubsetChecked)
def _subset(run: RunState, event: ev.SubsetChecked, record: ev.Record) -> None:  # noqa: ARG001
    run.subset = event.verdict


@on_run(ev.ChangesLanded)
def _landed(run: RunState, event: ev.ChangesLanded, record: ev.Record) -> None:
    run.landings.append(event.landing)
    verb = "undone" if event.landing.undoes else "landed"
    put_note(run, record, f"{record.actor} {verb} {len(event.landing.files)} files", event.landing.id)


@on_run(ev.LandingFailed)
def _landing_failed(run: RunState, event: ev.LandingFailed, record: ev.Record) -> None:
    put_note(run, record, "nothing landed", event.what)
