"""What a decision or a landing teaches: a small workflow of its own, so that it is done once whatever dies.

A rejection teaches at once. What a landing wrote teaches its hunks, its definitions, the brief's outcome and the repair that
made a failure go away; undoing it retracts all of that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from difflib import unified_diff

from dbos import DBOS

from studio.domain.brief import Brief, parse_brief
from studio.domain.changes import ChangeSet, Decision, Landing, Verdict
from studio.domain.events import ChangesLanded, HunkDecided, MemoryForgotten, MemoryLearned, Record, StageFinished
from studio.domain.fold import fold
from studio.domain.ids import ArtifactId
from studio.domain.memory import MemoryItem
from studio.domain.stages import Stage
from studio.domain.state import RunState
from studio.domain.value import decode
from studio.memory.lessons import brief_lesson, code_lessons, decision_lessons, failure_lesson, retracted
from studio.pipeline.hidden import Hidden
from studio.pipeline.results import CheckRound, Repaired
from studio.pipeline.services import Services, current
from studio.pipeline.trees import changed_paths
from studio.ports.journal import Journal

__all__ = ["learn", "remembered"]

_MAX_BYTES = 500_000
_PAGE = 2000
_MAX_DIFF = 4_000


def remembered(journal: Journal) -> list[MemoryItem]:
    """Return what the log says is remembered: the truth a lost memory is rebuilt from."""
    items: dict[str, MemoryItem] = {}
    after = 0
    while records := journal.read(after, _PAGE, kinds=("memory.learned", "memory.forgotten")):
        for record in records:
            if isinstance(record.event, MemoryLearned):
                items[record.event.item.id] = record.event.item
            elif isinstance(record.event, MemoryForgotten):
                items.pop(record.event.item, None)
        after = records[-1].seq
    return list(items.values())


@DBOS.workflow(name="learn")
async def learn(seq: int) -> int:
    """Learn from the record `seq`; return how many items were remembered or changed."""
    return await DBOS.run_step_async({"name": "learn"}, _learn, seq)


async def _learn(seq: int) -> int:
    services = current()
    records = await asyncio.to_thread(services.journal.read, seq - 1, 1)
    if not records:
        return 0
    items = await asyncio.to_thread(_items, services, records[0])
    for number, item in enumerate(items):
        await services.log(records[0].run, f"learn/{seq}", MemoryLearned(item), n=number)
    await services.remember(items)
    return len(items)


def _items(services: Services, record: Record) -> list[MemoryItem]:
    records = services.journal.read(0, 1_000_000, record.run)
    run = fold(records).runs.get(record.run)
    if run is None or not run.changeset:
        return []
    changes = decode(services.artifacts.get(run.changeset), ChangeSet)
    brief = parse_brief(run.brief, services.artifacts.get(run.text).decode())
    match record.event:
        case HunkDecided(decision) if decision.verdict is Verdict.REJECTED:
            return decision_lessons(
                changes, {decision.hunk: decision}, services.places.common, record.at, private=_private(brief)
            )
        case ChangesLanded(landing):
            items = _landed(services, record, run, changes, brief, landing, records)
            return [retracted(item) for item in items] if landing.undoes else items
        case _:
            return []


def _private(brief: Brief) -> Callable[[str], bool]:
    return Hidden(brief.front.private).private


def _landed(
    services: Services,
    record: Record,
    run: RunState,
    changes: ChangeSet,
    brief: Brief,
    landing: Landing,
    records: list[Record],
) -> list[MemoryItem]:
    project, private = services.places.common, _private(brief)
    origin = landing.undoes or landing.id
    hunks = set(landing.hunks)
    decided: dict[str, Decision] = {key: value.decision for key, value in run.decisions.items() if key in hunks}
    items = decision_lessons(changes, decided, project, record.at, origin, private)
    for file in landing.files:
        blob = file.before_blob if landing.undoes else file.after_blob
        if blob and not private(file.path):
            items += _definitions(services, file.path, blob, project, record.at, landing)
    if run.plan is not None:
        share = len(hunks) / max(run.hunks, 1)
        items.append(brief_lesson(brief, run.plan, run.status, share, project, record.at, run.id))
    repair = _repair(services, records)
    if repair is not None:
        items.append(failure_lesson(*repair, project, record.at, run.id))
    return items


def _definitions(
    services: Services, path: str, blob: str, project: str, now: float, landing: Landing
) -> list[MemoryItem]:
    data = services.artifacts.get(ArtifactId(blob))
    if len(data) > _MAX_BYTES or b"\0" in data:
        return []
    symbols = services.index.outline(path, data)
    origin = landing.undoes or landing.id
    return code_lessons(path, symbols, data.decode("utf-8", "replace"), project, now, origin)


def _repair(services: Services, records: list[Record]) -> tuple[str, str] | None:
    """Return the failure the run's first check showed and the diff that repaired it, if it was repaired."""
    results = {
        event.stage: event.result
        for event in (record.event for record in records)
        if isinstance(event, StageFinished) and event.result
    }
    if Stage.CHECK not in results or Stage.REPAIR not in results:
        return None
    first = decode(services.artifacts.get(results[Stage.CHECK]), CheckRound)
    repaired = decode(services.artifacts.get(results[Stage.REPAIR]), Repaired)
    if first.clean or not repaired.round.clean:
        return None
    return first.text, _difference(services, first.tree, repaired.tree)


def _difference(services: Services, before: str, after: str) -> str:
    parts: list[str] = []
    for path in changed_paths(services.workspace, before, after):
        old, new = (
            (services.workspace.read_blob(tree, path) or b"").decode("utf-8", "replace").splitlines()
            for tree in (before, after)
        )
        parts += unified_diff(old, new, path, path, lineterm="", n=1)
    return "\n".join(parts)[:_MAX_DIFF]
