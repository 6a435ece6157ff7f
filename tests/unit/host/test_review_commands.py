from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from studio.domain.changes import ChangeSet, Decision, LandingTarget, Remark, TargetKind, Verdict
from studio.domain.checks import CheckResult, Outcome, worst
from studio.domain.errors import ChecksFailed, LandingConflict, UsageError
from studio.domain.events import ChangeSetProposed, CheckFinished, Draft, GateOpened, RunFinished
from studio.domain.ids import GateId, HunkId, LandingId, RunId, new_landing_id
from studio.domain.runs import Gate, RunOptions, RunStatus
from studio.domain.stages import Stage
from studio.domain.value import encode
from studio.host.pending import Pending, note, read
from studio.journal import open_store
from studio.protocol import commands as c
from studio.protocol.client import HostClient
from studio.workspace import GitWorkspace

WORKERS = ("--workers", "1")
FILES = {"a.txt": "one\n2\n", "broken.txt": "b\n", "needed.txt": "n\n"}


async def proposed(site: Any, client: HostClient, files: dict[str, str] = FILES) -> tuple[RunId, dict[str, HunkId]]:
    """Have a run propose `files`; return it and the hunk of each path."""
    text = "---\nprotect: [secret.txt]\n---\nChange it."
    run = (await client.ask(c.StartRun("shop", text, RunOptions("replay:none")))).run
    state = await client.ask(c.GetRun(run))
    workspace = GitWorkspace(site.places)
    tree = workspace.checkout(run, "main", state.base)
    for name, content in files.items():
        (tree / name).write_text(content)
    head = workspace.commit(run, workspace.write_tree(run, "main"), [state.base], "Result")
    changes: ChangeSet = workspace.change_set(run, state.base, head, [])
    hunks = {file.path: file.hunks[0].id for file in changes.files}
    with open_store(site.places) as store:
        artifact = store.artifacts.put(encode(changes))
        event = ChangeSetProposed(artifact, len(files), len(hunks), 1, 1, changes.head_tree, state.base, head)
        check = CheckFinished(CheckResult("lint", Outcome.FAILED, changes.head_tree), 0)
        last = RunFinished(RunStatus.READY)
        records = store.journal.append([Draft(event, run), Draft(check, run), Draft(last, run)])
    async for _ in client.subscribe(records[-1].seq - 1):
        break
    return run, hunks


def accept(*hunks: HunkId, lines: tuple[int, ...] = ()) -> tuple[Decision, ...]:
    return tuple(Decision(hunk, Verdict.ACCEPTED, lines) for hunk in hunks)


async def test_what_is_accepted_is_checked_landed_explained_and_undone(site: Any) -> None:
    async with await site.client("Ada", more=WORKERS) as ada:
        run, hunks = await proposed(site, ada)
        await ada.ask(c.Decide(run, accept(hunks["a.txt"])))
        with pytest.raises(ChecksFailed, match="not been checked"):
            await ada.ask(c.Land(run))
        verdict = await ada.ask(c.CheckSubset(run))
        assert worst(verdict.results) is Outcome.PASSED
        landed = await ada.ask(c.Land(run))
        assert (site.path / "a.txt").read_text() == "one\n2\n"
        assert landed.verdict == verdict
        assert not (site.path / "broken.txt").exists()
        origin = await ada.ask(c.Why("a.txt", 2))
        assert (origin.found, origin.run, origin.accepted_by) == (True, run, "Ada")
        assert not (await ada.ask(c.Why("a.txt", 1))).found
        with pytest.raises(UsageError, match="no line 9"):
            await ada.ask(c.Why("a.txt", 9))
        assert "+two" in (await ada.ask(c.PreviewUndo())).text
        undone = await ada.ask(c.Undo())
        assert (site.path / "a.txt").read_text() == "one\ntwo\n"
        with pytest.raises(UsageError, match="no landing to undo"):
            await ada.ask(c.Undo())
        with pytest.raises(UsageError, match="undone already"):
            await ada.ask(c.Undo(landed.landing.id))
        await ada.ask(c.Undo(undone.landing.id))
        assert (site.path / "a.txt").read_text() == "one\n2\n"


async def test_a_failing_subset_names_what_it_needs_and_does_not_land(site: Any) -> None:
    async with await site.client("Ada", more=WORKERS) as ada:
        run, hunks = await proposed(site, ada)
        rejected = Decision(hunks["needed.txt"], Verdict.REJECTED, comment="why?")
        await ada.ask(c.Decide(run, (*accept(hunks["broken.txt"]), rejected)))
        verdict = await ada.ask(c.CheckSubset(run))
        assert verdict.needs == (hunks["needed.txt"],)
        with pytest.raises(ChecksFailed, match=hunks["needed.txt"]):
            await ada.ask(c.Land(run))
        assert not (site.path / "broken.txt").exists()
        revised = await ada.ask(c.ReviseRun(run, "Try again."))
        told = (await ada.ask(c.GetRun(revised.run))).options.revise
        assert "needed.txt" in told
        assert "why?" in told
        assert told.startswith("Try again.")
        await ada.ask(c.Land(run, unchecked=True))
        assert (site.path / "broken.txt").exists()


async def test_a_save_makes_the_verdict_stale_and_a_conflict_lands_nothing(site: Any) -> None:
    async with await site.client("Ada", more=WORKERS) as ada:
        run, hunks = await proposed(site, ada)
        await ada.ask(c.Decide(run, accept(hunks["a.txt"])))
        await ada.ask(c.CheckSubset(run))
        (site.path / "other.txt").write_text("mine\n")
        with pytest.raises(ChecksFailed, match="working tree changed"):
            await ada.ask(c.Land(run))
        (site.path / "a.txt").write_text("one\nthree\n")
        with pytest.raises(LandingConflict):
            await ada.ask(c.Land(run))
        with pytest.raises(LandingConflict):
            await ada.ask(c.Land(run, unchecked=True))
        assert (site.path / "a.txt").read_text() == "one\nthree\n"
        assert (await ada.ask(c.CheckSubset(run))).problem


async def test_a_commit_credits_who_decided(site: Any) -> None:
    async with await site.client("Ada", more=WORKERS) as ada, await site.client("Bob B.", "reviewer") as bob:
        run, hunks = await proposed(site, ada)
        await bob.ask(c.Decide(run, accept(hunks["needed.txt"])))
        await ada.ask(c.Decide(run, accept(hunks["a.txt"])))
        await bob.ask(c.CheckSubset(run))
        with pytest.raises(UsageError, match="reviewer"):
            await bob.ask(c.Land(run))
        landed = await ada.ask(c.Land(run, LandingTarget(TargetKind.COMMIT), message="Change a"))
        body = site.git("log", "-1", "--format=%B")
        assert landed.landing.commit == site.git("rev-parse", "HEAD")
        assert f"Studio-Run: {run}" in body
        assert "Co-authored-by: Bob B. <bob.b@studio.invalid>" in body
        assert "Ada <" not in body


async def test_unknown_runs_hunks_and_lines_are_named(site: Any) -> None:
    async with await site.client("Ada") as ada:
        with pytest.raises(UsageError, match="no run r-nothing"):
            await ada.ask(c.GetRun(RunId("r-nothing")))
        run, hunks = await proposed(site, ada)
        a = hunks["a.txt"]
        wrong: list[tuple[Any, str]] = [
            (c.Decide(run, accept(HunkId("h-none"))), "no hunk h-none"),
            (c.Decide(run, accept(a, lines=(99,))), "no line 100"),
            (c.Decide(run, (Decision(a, Verdict.REJECTED, (0,)),)), "only be accepted|Lines"),
            (c.MakeRemark(run, Remark("x", "y", HunkId("h-none"))), "no hunk"),
            (c.AnswerGate(run, GateId("g-none"), "yes"), "no open gate"),
            (c.CancelRun(run), "is over"),
            (c.TellRun(run, "x"), "is over"),
            (c.WaiveCheck(run, "none", "x"), "no check none"),
            (c.WaiveCheck(run, "lint", " "), "reason"),
            (c.Land(run), "is accepted"),
            (c.Land(run, LandingTarget(TargetKind.BRANCH)), "branch"),
            (c.Undo(LandingId("l-none")), "no landing l-none"),
            (c.StartRun("shop", "Build.", RunOptions("")), "No model"),
            (c.StartRun("shop", "", RunOptions("auto")), "empty"),
            (c.StartRun("..", "Build.", RunOptions("auto")), "cannot name"),
            (c.SaveBrief("../evil", "x"), "cannot name"),
            (c.ReviseRun(run), "Nothing of run"),
            (c.ReadFile("../outside"), "outside"),
            (c.ReadFile(".git/config"), "outside"),
            (c.ReadFile("none.txt"), "no file"),
            (c.ReadFile("none.txt", run), "no file"),
            (c.Execute((), "x"), "no command"),
            (c.EraseRecords((999,), "x"), "no record 999"),
        ]
        for command, words in wrong:
            with pytest.raises(UsageError, match=words):
                await ada.ask(command)
        assert not (await ada.ask(c.GetRun(run))).decisions


async def test_gates_remarks_forks_and_files(site: Any, eventually: Callable[..., Any]) -> None:
    async with await site.client("Ada") as ada:
        run, hunks = await proposed(site, ada)
        await ada.ask(c.MakeRemark(run, Remark("somebody else", "Hm.", hunks["a.txt"])))
        await ada.ask(c.WaiveCheck(run, "lint", "noise"))
        state = await ada.ask(c.GetRun(run))
        assert [(one.author, one.text) for one in state.remarks] == [("Ada", "Hm.")]
        assert state.waived == {"lint": "Ada: noise"}
        entries = (await ada.ask(c.ListFiles(run))).files
        assert {one.path: one.mark for one in entries} == {"a.txt": "M", "broken.txt": "A", "needed.txt": "A"}
        assert (await ada.ask(c.ReadFile("a.txt", run))).data == b"one\n2\n"
        (site.path / "new.txt").write_text("x")
        (site.path / "link").symlink_to("/etc/passwd")
        with pytest.raises(UsageError, match="outside"):
            await ada.ask(c.ReadFile("link"))
        mine = {one.path: one.mark for one in (await ada.ask(c.ListFiles())).files}
        assert (mine["a.txt"], mine["new.txt"]) == ("", "?")
        fork = await ada.ask(c.ForkRun(run, Stage.BUILD))
        forked = await ada.ask(c.GetRun(fork.run))
        assert (forked.options.fork_of, forked.options.fork_from, forked.base) == (run, Stage.BUILD, state.base)
        gate = Gate(GateId("g-1"), "plan", "Go on?", ("yes", "no"))
        with open_store(site.places) as store:
            seq = store.journal.append([Draft(GateOpened(gate), fork.run)])[0].seq
        async for _ in ada.subscribe(seq - 1):
            break
        with pytest.raises(UsageError, match="no answer"):
            await ada.ask(c.AnswerGate(fork.run, gate.id, "perhaps"))
        await ada.ask(c.AnswerGate(fork.run, gate.id, "yes"))
        await ada.ask(c.CancelRun(fork.run))
        assert (await ada.ask(c.GetRun(fork.run))).cancel_requested
        await ada.ask(c.ResumeRun(run))
        assert (await ada.ask(c.GetRun(run))).status is RunStatus.QUEUED


async def test_a_landing_whose_host_died_before_recording_it_is_recorded_by_the_next(
    site: Any, eventually: Callable[..., Any]
) -> None:
    ada = await site.client("Ada")
    run, hunks = await proposed(site, ada)
    changes = await ada.ask(c.GetChangeSet(run))
    os.kill(ada.welcome.pid, signal.SIGKILL)
    await ada.close()
    decisions = {str(hunks["a.txt"]): Decision(hunks["a.txt"], Verdict.ACCEPTED)}
    landing = new_landing_id()
    note(site.places, Pending(landing, run, "Ada"))
    GitWorkspace(site.places).land(changes, decisions, LandingTarget(), landing, "x", [], [], elsewhere=False)
    async with await site.client("Bob") as bob:
        state = await bob.ask(c.GetRun(run))
        assert [one.id for one in state.landings] == [landing]
        await bob.ask(c.Undo())
        assert (site.path / "a.txt").read_text() == "one\ntwo\n"
    assert read(site.places) is None
