from __future__ import annotations

import asyncio
import os
import socket
import stat
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pycrdt import Doc, Text

from studio.domain.errors import InternalError, UsageError
from studio.domain.events import Draft, RunTold
from studio.journal import open_store
from studio.protocol import commands as c
from studio.protocol import messages as msg
from studio.protocol.client import HostClient, Identity
from studio.protocol.frames import Channel, pack
from studio.protocol.sockets import HostLock, prepare_directory
from studio.protocol.start import connect, connect_or_start


async def refusal(site: Any, *frames: bytes) -> msg.Refused:
    reader, writer = await connect(site.places)
    channel: Channel[msg.ToClient] = Channel(reader, writer, msg.ToClient)
    for frame in frames:
        await channel.send_packed(frame)
    while not isinstance(reply := await channel.receive(), msg.Refused):
        assert reply is not None
    await channel.close()
    return reply


async def test_two_hosts_started_at_once_become_one(site: Any) -> None:
    clients = await asyncio.gather(*(site.client(f"p{number}") for number in range(4)))
    assert len({one.welcome.pid for one in clients}) == 1
    for one in clients:
        await one.close()


async def test_a_second_host_is_refused_and_a_client_without_start_too(site: Any) -> None:
    with pytest.raises(UsageError, match="No studio host runs"):
        await HostClient.open(site.places, Identity("cli", "Ada"), start=False)
    async with await site.client() as ada:
        process = await asyncio.create_subprocess_exec(*site.command(), stderr=asyncio.subprocess.PIPE)
        _, said = await process.communicate()
        assert process.returncode == 2
        assert f"Another host (process {ada.welcome.pid})" in said.decode()


async def test_a_left_over_socket_is_replaced_and_its_modes_are_private(site: Any) -> None:
    address: Any = site.places.socket()
    prepare_directory(address.parent)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(address))
    async with await site.client() as ada:
        assert (await ada.ask(c.GetStatus())).clients == 1
        assert stat.S_IMODE(address.stat().st_mode) == 0o600
        assert stat.S_IMODE(address.parent.stat().st_mode) == 0o700


async def test_what_another_user_owns_is_refused(site: Any) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    address: Path = site.places.socket()
    async with await site.client():
        os.chown(address, 12345, 12345)
        with pytest.raises(UsageError, match="another user"):
            await site.client()
        os.chown(address, 0, 0)
        os.chown(address.parent, 12345, 12345)
        with pytest.raises(UsageError, match="another user"):
            await site.client()
        os.chown(address.parent, 0, 0)


async def test_a_linked_socket_directory_is_refused(site: Any, tmp_path: Path) -> None:
    site.places.socket().parent.symlink_to(tmp_path)
    with pytest.raises(UsageError, match="link"):
        await site.client()


async def test_a_host_that_cannot_start_says_why(site: Any) -> None:
    command = [sys.executable, "-c", "import sys; print('one'); sys.exit('the reason')"]
    with pytest.raises(InternalError, match=r"exit code 1: the reason"):
        await connect_or_start(site.places, command)


async def test_another_version_is_refused_clearly(site: Any) -> None:
    async with await site.client():
        reply = await refusal(site, pack(msg.Hello(99, "tui", "Ada", 1)))
        assert reply.id == 0
        assert "version 1 of the protocol, the tui version 99" in reply.problem.what


async def test_another_repositorys_worktree_is_refused(site: Any, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    process = await asyncio.create_subprocess_exec("git", "init", "-q", str(other))
    await process.wait()
    async with await site.client():
        hello = msg.Hello(msg.PROTOCOL_VERSION, "tui", "Ada", 1, "driver", str(other))
        assert "another repository" in (await refusal(site, pack(hello))).problem.what


async def test_a_linked_worktree_shares_the_host_and_keeps_its_own_tree(site: Any, tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    site.git("worktree", "add", "-q", str(linked))
    (linked / "only-here.txt").write_text("x")
    async with await site.client() as ada:
        there = type(site)(linked)
        async with await there.client("Bob") as bob:
            assert bob.welcome.pid == ada.welcome.pid
            assert "only-here.txt" in {one.path for one in (await bob.ask(c.ListFiles())).files}
            assert "only-here.txt" not in {one.path for one in (await ada.ask(c.ListFiles())).files}
            await bob.ask(c.SaveBrief("there", "Hello."))
            assert (linked / ".studio/briefs/there.md").exists()


HELLO = pack(msg.Hello(msg.PROTOCOL_VERSION, "cli", "Mallory", 1))
GARBAGE = st.lists(
    st.binary(max_size=64)
    | st.binary(max_size=64).map(lambda body: len(body).to_bytes(4, "big") + body)
    | st.just(pack(msg.BriefUpdate("b", b"\0\1garbage")))
    | st.just(HELLO),
    max_size=4,
)


async def test_garbage_never_kills_the_host(site: Any) -> None:
    async with await site.client() as ada:

        async def throw(first: bytes, parts: list[bytes]) -> None:
            _, writer = await connect(site.places)
            writer.write(first + b"".join(parts))
            writer.close()

        loop = asyncio.get_running_loop()

        @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(st.sampled_from([b"", HELLO]), GARBAGE)
        def run(first: bytes, parts: list[bytes]) -> None:
            asyncio.run_coroutine_threadsafe(throw(first, parts), loop).result(20)

        await asyncio.to_thread(run)
        assert (await ada.ask(c.GetStatus())).pid == ada.welcome.pid


async def test_a_slow_client_is_resynchronised(site: Any) -> None:
    async with await site.client() as ada:
        reader, writer = await connect(site.places)
        slow: Channel[msg.ToClient] = Channel(reader, writer, msg.ToClient)
        await slow.send(msg.Hello(msg.PROTOCOL_VERSION, "cli", "Slow", 1))
        assert isinstance(await slow.receive(), msg.Welcome)
        await slow.send(msg.Subscribe())
        assert isinstance(await slow.receive(), msg.Snapshot)
        transport: Any = writer.transport
        transport.pause_reading()
        head = 0
        with open_store(site.places) as store:
            for _ in range(60):
                head = store.journal.append([Draft(RunTold("x" * 4000)) for _ in range(100)])[-1].seq
        async for event in ada.subscribe(head - 1):
            assert isinstance(event, msg.Happened)
            break
        transport.resume_reading()
        resynced, seq = False, 0
        while seq < head:
            message = await slow.receive()
            if isinstance(message, msg.Snapshot):
                resynced, seq = message.resync, message.seq
            elif isinstance(message, msg.Happened):
                assert seq == 0 or message.records[0].seq == seq + 1
                seq = message.records[-1].seq
        assert resynced
        await slow.close()


async def test_a_shared_brief_is_one_document_and_is_saved(site: Any, eventually: Any) -> None:
    async with await site.client("Ada") as ada, await site.client("Bob") as bob:
        await ada.ask(c.SaveBrief("shop", "Build a shop."))
        docs: dict[str, Doc[Text]] = {"Ada": Doc(), "Bob": Doc()}

        async def follow(client: HostClient, doc: Doc[Text]) -> None:
            async for event in client.subscribe():
                if isinstance(event, msg.BriefUpdate):
                    doc.apply_update(event.update)

        tasks = [asyncio.create_task(follow(ada, docs["Ada"])), asyncio.create_task(follow(bob, docs["Bob"]))]
        for client in (ada, bob):
            await asyncio.sleep(0)
            await client.open_brief("shop")
        texts = {name: doc.get("text", type=Text) for name, doc in docs.items()}
        await eventually(lambda: all(str(text) == "Build a shop." for text in texts.values()))
        before = docs["Ada"].get_state()
        texts["Ada"].insert(0, "Please. ")
        await ada.update_brief("shop", docs["Ada"].get_update(before))
        await eventually(lambda: str(texts["Bob"]) == "Please. Build a shop.")
        path = site.path / ".studio/briefs/shop.md"
        await eventually(lambda: path.read_text() == "Please. Build a shop.")
        await ada.ask(c.SaveBrief("shop", "Anew."))
        await eventually(lambda: str(texts["Bob"]) == "Anew.")
        await bob.open_brief("../evil")
        await bob.update_brief("shop", b"\1\2\3")
        assert (await bob.ask(c.GetStatus())).clients == 2
        for task in tasks:
            task.cancel()


async def test_erased_text_is_in_no_clients_state(site: Any) -> None:
    async with await site.client() as ada:
        await ada.ask(c.SaveBrief("shop", "---\ntitle: hunter2\n---\nBuild."))
        record = next(
            one for one in (await ada.ask(c.ReadEvents())).records if type(one.event).__name__ == "BriefSaved"
        )
        events = ada.subscribe()
        first = await anext(events)
        assert isinstance(first, msg.Snapshot)
        assert b"hunter2" in bytes(first.state)
        await ada.ask(c.EraseRecords((record.seq,), "leaked"))
        async for event in events:
            if isinstance(event, msg.Snapshot):
                assert event.resync
                assert b"hunter2" not in bytes(event.state)
                break
        for one in (await ada.ask(c.ReadEvents())).records:
            assert b"hunter2" not in msgspec.json.encode(one)


async def test_shutdown_ends_the_host_and_the_next_command_starts_one(site: Any, eventually: Any) -> None:
    ada = await site.client()
    await ada.ask(c.Shutdown())
    async with await site.client() as again:
        assert again.welcome.pid != ada.welcome.pid
    await ada.close()
    assert HostLock(site.places).held()


async def test_a_session_with_another_runtime_directory_finds_the_host(
    site: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with await site.client() as ada:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
        async with await site.client("Bob") as bob:
            assert bob.welcome.pid == ada.welcome.pid


async def test_only_those_in_the_studio_are_participants_and_roles_are_known_ones(site: Any) -> None:
    async with await site.client("Ada") as ada, await site.client("Script", client="cli"):
        joined = [one.event for one in (await ada.ask(c.ReadEvents())).records]
        assert [getattr(one, "name", "") for one in joined] == ["Ada"]
        with pytest.raises(UsageError, match="no role 'owner'"):
            await site.client("Eve", "owner")
