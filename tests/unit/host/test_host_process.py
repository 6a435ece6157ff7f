from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from typing import Any, cast

import pytest

from studio.domain.errors import UsageError
from studio.domain.events import BriefSaved, UnknownEvent
from studio.domain.fold import apply
from studio.domain.state import StudioState
from studio.domain.value import Value
from studio.protocol import commands as c
from studio.protocol import messages as msg
from studio.protocol.client import Event, HostClient, state_of
from studio.protocol.sockets import HostLock


class Hologram(Value, frozen=True, tag="hologram.projected", tag_field="kind"):
    """An event of a version to come."""

    size: int = 3


class View:
    """What a client has seen."""

    def __init__(self) -> None:
        self.state = StudioState()
        self.seqs: list[int] = []
        self.snapshots = 0
        self.streams: list[msg.Streamed] = []

    def take(self, event: Event) -> None:
        if isinstance(event, msg.Snapshot):
            self.state, self.snapshots = state_of(event), self.snapshots + 1
        elif isinstance(event, msg.Happened):
            for wired in event.records:
                self.seqs.append(wired.seq)
                apply(self.state, wired.record())
        elif isinstance(event, msg.Streamed):
            self.streams.append(event)


async def watch(client: HostClient, view: View, after: int = -1) -> None:
    async for event in client.follow(after):
        view.take(event)


async def test_two_clients_see_the_same(site: Any, eventually: Callable[..., Any]) -> None:
    async with await site.client("Ada") as ada, await site.client("Bob", "reviewer") as bob:
        views = [View(), View()]
        tasks = [asyncio.create_task(watch(one, view)) for one, view in zip((ada, bob), views, strict=True)]
        await ada.ask(c.SaveBrief("shop", "Build a shop."))
        head = (await bob.ask(c.GetStatus())).head
        await eventually(lambda: all(view.state.seq >= head for view in views))
        assert views[0].state == views[1].state
        assert {one.name for one in views[0].state.participants.values()} == {"Ada", "Bob"}
        assert (site.path / ".studio/briefs/shop.md").read_text() == "Build a shop."
        await bob.close()
        await eventually(lambda: len(views[0].state.participants) == 1)
        async with await site.client("Eve", client="cli") as again:
            seen: list[int] = []
            async for event in again.subscribe(0):
                seen += [record.seq for record in event.records] if isinstance(event, msg.Happened) else []
                if seen and seen[-1] >= views[0].state.seq:
                    break
            assert seen == list(range(1, len(seen) + 1))
        for task in tasks:
            task.cancel()


async def test_a_watcher_is_refused_and_the_reason_says_so(site: Any) -> None:
    async with await site.client("Eve", "watcher") as eve:
        with pytest.raises(UsageError, match="watcher"):
            await eve.ask(c.SaveBrief("shop", "x"))
        assert (await eve.ask(c.GetStatus())).clients == 1


async def test_clients_resume_after_kill_9_without_gap_or_double(site: Any, eventually: Callable[..., Any]) -> None:
    async with await site.client() as ada:
        view = View()
        task = asyncio.create_task(watch(ada, view, 0))
        for number in range(20):
            await ada.ask(c.SaveBrief("shop", f"Build {number}."))
        os.kill(ada.welcome.pid, signal.SIGKILL)
        first = ada.welcome.pid
        await eventually(lambda: ada.connected and ada.welcome.pid != first)
        await ada.ask(c.SaveBrief("shop", "Build more."))
        head = (await ada.ask(c.GetStatus())).head
        await eventually(lambda: view.state.seq >= head)
        assert view.seqs == list(range(1, view.seqs[-1] + 1))
        assert len(view.state.participants) == 1, "who was attached to the killed host has left"
        assert len(view.state.briefs[next(iter(view.state.briefs))].revisions) == 21
        await ada.close()
        await task


async def test_the_host_ends_when_idle_and_leaves_nothing(site: Any, eventually: Callable[..., Any]) -> None:
    async with await site.client(more=("--idle", "0.3")) as ada:
        await asyncio.sleep(0.6)
        assert (await ada.ask(c.GetStatus())).pid == ada.welcome.pid
    await eventually(lambda: not HostLock(site.places).held())
    assert not site.places.socket().exists()


async def test_a_worker_is_attached_and_does_jobs(site: Any) -> None:
    async with await site.client(more=("--workers", "1")) as ada:
        stream: list[bytes] = []

        async def listen() -> None:
            async for event in ada.subscribe():
                stream.extend([event.data] if isinstance(event, msg.Streamed) else [])

        task = asyncio.create_task(listen())
        result = await ada.ask(c.Execute(("echo", "hi"), "cmd-1"))
        assert result.output == b"echo hi"
        assert (await ada.ask(c.SearchMemory("x"))).ranking == "lexical"
        with pytest.raises(UsageError, match="scripted worker"):
            await ada.ask(c.ShowMemory("m-1"))
        assert stream == [b"live\n"]
        assert [one.split()[0] for one in (await ada.ask(c.GetStatus())).workers] == ["worker-1"]
        task.cancel()


async def test_workers_die_with_a_killed_host_and_come_back_when_killed(
    site: Any, eventually: Callable[..., Any]
) -> None:
    async with await site.client(more=("--workers", "1")) as ada:
        view = View()
        task = asyncio.create_task(watch(ada, view))
        await eventually(lambda: any(worker.alive for worker in view.state.workers.values()))
        pid = view.state.workers["worker-1"].pid
        os.kill(pid, signal.SIGKILL)
        await eventually(lambda: view.state.workers["worker-1"].pid not in {0, pid})
        assert view.state.workers["worker-1"].restarts == 1
        second = view.state.workers["worker-1"].pid
        os.kill(ada.welcome.pid, signal.SIGKILL)

        def gone() -> bool:
            try:
                os.kill(second, 0)
            except ProcessLookupError:
                return True
            return False

        await eventually(gone)
        await ada.close()
        await task


async def test_a_worker_that_keeps_dying_does_not_spin(site: Any, eventually: Callable[..., Any]) -> None:
    async with await site.client(more=("--workers", "1", "--worker-mode", "die")) as ada:
        view = View()
        task = asyncio.create_task(watch(ada, view))
        await eventually(
            lambda: view.state.workers.get("worker-1") and view.state.workers["worker-1"].restart_in_s >= 2
        )
        assert view.state.workers["worker-1"].exit_code == 3
        task.cancel()


async def test_an_event_kind_from_the_future_reaches_clients(site: Any) -> None:
    from studio.domain.events import Draft
    from studio.journal import open_store

    async with await site.client() as ada:
        with open_store(site.places) as store:
            (record,) = store.journal.append([Draft(cast("Any", Hologram()))])
        async for event in ada.subscribe(record.seq - 1):
            assert isinstance(event, msg.Happened)
            assert event.records[0].kind == "hologram.projected"
            assert event.records[0].record().event == UnknownEvent("hologram.projected")
            break
        assert isinstance((await ada.ask(c.ReadEvents(after=record.seq - 1))).records[0].event, UnknownEvent)
        await ada.ask(c.SaveBrief("x", "Still works."))
        kinds: list[type[object]] = [type(one.event) for one in (await ada.ask(c.ReadEvents())).records]
        assert BriefSaved in kinds
