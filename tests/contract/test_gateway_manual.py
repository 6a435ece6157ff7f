"""`manual:DIR`: requests become files, and replies put there are taken, also after a restart."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from studio.domain.config import ModelConfig
from studio.domain.errors import UsageError
from studio.domain.models import Message, ModelReply, ReplySource, ToolCall
from studio.journal import JournalStore
from studio.models import open_gateway
from studio.ports.models import ModelGateway
from tests.fakes.calls import EDIT_TOOL, Context, a_request, a_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[JournalStore]:
    with a_store(tmp_path / "state") as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "chat"


def gateway(store: JournalStore, folder: Path) -> ModelGateway:
    return open_gateway(
        f"manual:{folder}",
        ModelConfig(),
        replies=store.replies,
        ledger=store.ledger,
        artifacts=store.artifacts,
        environ={},
    )


def put(folder: Path, name: str, data: str | bytes) -> None:
    draft = folder / f"{name}.draft"
    draft.write_bytes(data.encode() if isinstance(data, str) else data)
    draft.replace(folder / name)


async def appears(path: Path) -> None:
    async with asyncio.timeout(20):
        while not await asyncio.to_thread(path.exists):  # noqa: ASYNC110 - files send no events
            await asyncio.sleep(0.01)


async def answered(
    models: ModelGateway, folder: Path, name: str, data: str, context: Context, **fields: Any
) -> ModelReply:
    call = asyncio.create_task(models.complete(a_request(**fields), context))
    await appears(folder / f"{name}.request.json")
    put(folder, f"{name}.reply.{'json' if data.startswith('{') else 'md'}", data)
    return await asyncio.wait_for(call, 20)


async def test_a_text_reply(store: JournalStore, folder: Path) -> None:
    context = Context()
    models = gateway(store, folder)
    reply = await answered(models, folder, "0001-build-T1-1-1", "Use `a.py`.\n", context)
    assert reply.message == Message("assistant", "Use `a.py`.\n")
    assert (reply.source, reply.cost_usd, reply.model) == (ReplySource.MANUAL, 0.0, "manual:chat")
    assert context.kinds == ["ModelCalled", "ModelReplied"]
    assert context.deltas == ["Use `a.py`.\n"]
    page = (folder / "0001-build-T1-1-1.request.md").read_text()
    assert "role: builder · stage: build · task: T1" in page
    assert "Do it." in page
    assert "0001-build-T1-1-1.reply.md" in page


async def test_a_message_with_tool_calls(store: JournalStore, folder: Path) -> None:
    message = {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "edit", "arguments": '{"path": "a.py"}'}},
            {"function": {"name": "edit", "arguments": {"path": "b.py"}}},
        ],
    }
    models = gateway(store, folder)
    assert models.calls_tools("t1")
    reply = await answered(models, folder, "0001-build-T1-1-1", json.dumps(message), Context(), tools=(EDIT_TOOL,))
    assert reply.message.calls == (
        ToolCall("a", "edit", '{"path": "a.py"}'),
        ToolCall("call_1", "edit", '{"path":"b.py"}'),
    )
    request = json.loads((folder / "0001-build-T1-1-1.request.json").read_text())
    assert request["tools"][0]["function"]["name"] == "edit"
    assert request["messages"][1] == {"role": "user", "content": "Do it."}


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("reply.json", b"{not json"),
        ("reply.json", b'{"tool_calls": [{"function": {}}]}'),
        ("reply.json", b'{"content": " "}'),
        ("reply.json", b"\xff\xfe"),
        ("reply.md", b"\xff\xfe\x00"),
        ("reply.md", b" \n"),
    ],
)
async def test_a_bad_reply_is_told_and_another_one_awaited(
    store: JournalStore, folder: Path, name: str, bad: bytes
) -> None:
    models = gateway(store, folder)
    call = asyncio.create_task(models.complete(a_request(), Context()))
    identity = "0001-build-T1-1-1"
    await appears(folder / f"{identity}.request.json")
    put(folder, f"{identity}.{name}", bad)
    problem = folder / f"{identity}.problem.md"
    await appears(problem)
    assert f"{identity}.{name} cannot be used" in problem.read_text()
    assert not call.done()
    put(folder, f"{identity}.{name}", '{"content": "better"}' if name.endswith("json") else "better")
    reply = await asyncio.wait_for(call, 20)
    assert reply.message.content == "better"
    assert not problem.exists()


async def test_a_restart_keeps_the_id_and_takes_up_the_reply(store: JournalStore, folder: Path) -> None:
    context = Context()
    first = asyncio.create_task(gateway(store, folder).complete(a_request(), context))
    await appears(folder / "0001-build-T1-1-1.request.json")
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    put(folder, "0001-build-T1-1-1.reply.md", "while nobody listened")
    again = Context(call=context.call)
    reply = await asyncio.wait_for(gateway(store, folder).complete(a_request(), again), 20)
    assert reply.message.content == "while nobody listened"
    assert again.called.repeated
    assert [path.name for path in folder.glob("*.request.json")] == ["0001-build-T1-1-1.request.json"]  # noqa: ASYNC240 - a test may wait for its disk


async def test_ids_sort_in_the_order_of_asking_and_are_safe_names(store: JournalStore, folder: Path) -> None:
    models = gateway(store, folder)
    await answered(models, folder, "0001-build-T1-1-1", "a", Context())
    await answered(models, folder, "0002-build-T1-1-1", "b", Context(), text="Another question at the same place.")
    await answered(models, folder, "0003-build-T1-1-2", "c", Context(), number=2)
    names = sorted(path.name for path in folder.iterdir())  # noqa: ASYNC240 - a test may wait for its disk
    assert [name for name in names if name.endswith("request.md")] == [
        "0001-build-T1-1-1.request.md",
        "0002-build-T1-1-1.request.md",
        "0003-build-T1-1-2.request.md",
    ]


async def test_a_committed_reply_is_not_asked_for_again(store: JournalStore, folder: Path) -> None:
    context = Context()
    await answered(gateway(store, folder), folder, "0001-build-T1-1-1", "a", context)
    reply = await gateway(store, folder).complete(a_request("anything"), Context(call=context.call))
    assert (reply.message.content, reply.source) == ("a", ReplySource.RECORDED)


def test_a_place_that_cannot_be_used_is_refused(store: JournalStore, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="Cannot make"):
        gateway(store, tmp_path / "file" / "chat")
    with pytest.raises(UsageError, match="names no place"):
        open_gateway(
            "manual:", ModelConfig(), replies=store.replies, ledger=store.ledger, artifacts=store.artifacts, environ={}
        )


def test_a_place_that_cannot_be_written_to_is_refused(
    store: JournalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody_may(path: str, mode: int) -> bool:
        return False

    monkeypatch.setattr("os.access", nobody_may)  # root, whom tests may run as, writes anywhere
    with pytest.raises(UsageError, match="Cannot write"):
        gateway(store, tmp_path / "sealed")
