"""Stage 11: the change set, the critic's remarks by hunk, and how likely it is that the person accepts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from studio.agents.actions import GiveUp
from studio.agents.answers import RemarksAnswer
from studio.agents.structured import Answered, StructuredTask, ask_remarks
from studio.checks.confidence import Decided, confidence, evidence_of
from studio.domain.changes import ChangeSet, FileChange, Hunk, Remark, Verdict
from studio.domain.checks import CheckResult
from studio.domain.events import (
    ChangeSetProposed,
    HunkDecided,
    Record,
    RemarkMade,
    StageFinished,
    StageStarted,
)
from studio.domain.ids import HunkId, RunId
from studio.domain.runs import Confidence
from studio.domain.stages import Depth, Stage
from studio.domain.value import decode, encode
from studio.pipeline.asks import optional_answer_to
from studio.pipeline.provenance import Transition, touched_ranges
from studio.pipeline.results import Integrated, Proposal, Ran, Repaired, Tested, Understanding
from studio.pipeline.services import current
from studio.pipeline.stages.check import load_results, summary
from studio.pipeline.steps import SPENT, RunSpec, Stopped, step

__all__ = ["review"]


async def review(
    spec: RunSpec, understood: Understanding, merged: Integrated, tested: Tested, repaired: Repaired, ran: Ran
) -> Proposal:
    """Propose the repaired tree as a change set."""
    transitions = (*merged.transitions, *tested.transitions, *repaired.transitions)
    drawn = await step(spec, "review/change-set", _draw, spec, repaired, transitions)
    remarks: tuple[Remark, ...] = ()
    if drawn.hunks and spec.depth is not Depth.QUICK:
        changes = decode(await current().load(drawn.changeset), ChangeSet)
        said = f"{summary(repaired.round)}\nprogram: {ran.outcome}: {ran.detail}\n{repaired.round.text}"
        answer = await _remarks(spec, ask_remarks(changes, understood.requirements, said))
        if isinstance(answer, GiveUp):
            remarks = (Remark("critic", f"No remarks: {answer.reason}", severity="note"),)
        else:
            assert isinstance(answer.value, RemarksAnswer)  # noqa: S101 -- the question's own kind of answer
            remarks = answer.value.remarks
    proposal = msgspec.structs.replace(drawn, remarks=remarks)
    return await step(spec, "review/propose", _propose, spec, understood, repaired, proposal)


async def _remarks(spec: RunSpec, question: StructuredTask) -> Answered | GiveUp:
    """Ask the critic. What was built is worth showing without remarks, so a spent budget ends the asking only."""
    try:
        return await optional_answer_to(spec, question)
    except Stopped as stopped:
        if stopped.problem.code not in SPENT:
            raise
        return GiveUp(stopped.problem.what)


async def _draw(spec: RunSpec, repaired: Repaired, transitions: tuple[Transition, ...]) -> Proposal:
    services = current()
    await services.log(spec.run, spec.at("review/change-set"), StageStarted(Stage.REVIEW))
    results = await load_results(repaired.round)

    def draw() -> ChangeSet:
        workspace = services.workspace
        message = f"Proposal of {spec.run}"
        head = workspace.commit(spec.run, repaired.tree, [spec.base], message)
        touched = touched_ranges(transitions, repaired.tree, workspace.read_blob)
        return with_tests(workspace.change_set(spec.run, spec.base, head, touched), results)

    changes = await asyncio.to_thread(draw)
    hunks = sum(len(change.hunks) for change in changes.files)
    return Proposal(await services.keep(encode(changes)), len(changes.files), hunks, repaired.tree)


def with_tests(changes: ChangeSet, results: Sequence[CheckResult]) -> ChangeSet:
    """Return the change set with each hunk told which tests execute its new lines."""
    covering: dict[str, list[tuple[str, frozenset[int]]]] = {}
    for result in results:
        for test in result.tests:
            for path, lines in test.covers:
                covering.setdefault(path, []).append((test.id, frozenset(lines)))

    def tested(hunk: Hunk) -> Hunk:
        added = _added_lines(hunk)
        tests = tuple(name for name, lines in covering.get(hunk.path, ()) if lines & added)
        return msgspec.structs.replace(hunk, provenance=msgspec.structs.replace(hunk.provenance, tests=tests))

    def file(change: FileChange) -> FileChange:
        return msgspec.structs.replace(change, hunks=tuple(tested(hunk) for hunk in change.hunks))

    return msgspec.structs.replace(changes, files=tuple(file(change) for change in changes.files))


def _added_lines(hunk: Hunk) -> frozenset[int]:
    number = hunk.new_start
    added: set[int] = set()
    for line in hunk.lines:
        if line.op == "+":
            added.add(number)
        number += line.op != "-"
    return frozenset(added)


async def _propose(spec: RunSpec, understood: Understanding, repaired: Repaired, proposal: Proposal) -> Proposal:
    services = current()
    at = spec.at("review/propose")
    changes = decode(await services.load(proposal.changeset), ChangeSet)
    results = await load_results(repaired.round)
    hunks = [hunk for change in changes.files for hunk in change.hunks]
    evidence = evidence_of(
        results,
        repairs=repaired.rounds,
        matches=[hunk.match for hunk in hunks],
        remarks=proposal.remarks,
        open_questions=sum(1 for question in understood.questions if question.default),
    )
    history = await asyncio.to_thread(_history)
    sure: Confidence = confidence(evidence, history)
    lines = [line for hunk in hunks for line in hunk.lines]
    proposed = ChangeSetProposed(
        proposal.changeset, proposal.files, proposal.hunks, sum(line.op == "+" for line in lines),
        sum(line.op == "-" for line in lines), changes.head_tree, changes.base, changes.head, sure,
    )  # fmt: skip
    finished = StageFinished(Stage.REVIEW, summary=f"{proposal.hunks} hunks, {len(proposal.remarks)} remarks")
    await services.log(spec.run, at, proposed, *(RemarkMade(remark) for remark in proposal.remarks), finished)
    return msgspec.structs.replace(proposal, confidence=sure)


def _history() -> list[Decided]:
    """Return past change sets people decided on: what was said of them and what share of their hunks was accepted."""
    proposed: dict[RunId, ChangeSetProposed] = {}
    accepted: dict[RunId, dict[HunkId, bool]] = {}
    after = 0
    while records := current().journal.read(after, 5000, None, ("changeset.proposed", "hunk.decided")):
        for record in records:
            _note(record, proposed, accepted)
        after = records[-1].seq
    return [
        Decided(proposal.confidence.value, sum(accepted[run].values()) / proposal.hunks)
        for run, proposal in proposed.items()
        if run in accepted and proposal.confidence is not None and proposal.hunks
    ]


def _note(record: Record, proposed: dict[RunId, ChangeSetProposed], accepted: dict[RunId, dict[HunkId, bool]]) -> None:
    match record.event:
        case ChangeSetProposed() as proposal:
            proposed[record.run] = proposal
        case HunkDecided(decision) if decision.verdict is not Verdict.UNDECIDED:
            taken = decision.verdict in {Verdict.ACCEPTED, Verdict.EDITED}
            accepted.setdefault(record.run, {})[decision.hunk] = taken
        case _:
            pass
