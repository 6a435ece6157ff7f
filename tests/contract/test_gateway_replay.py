"""Recording a run and replaying it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from studio.domain.config import ModelConfig
from studio.domain.errors import GateWaiting, UsageError
from studio.domain.ids import RunId
from studio.domain.models import ReplySource
from studio.journal import JournalStore
from studio.models import Pacing, open_gateway
from studio.ports.models import ModelGateway
from tests.fakes.calls import EDIT_TOOL, Context, a_request, a_store
from tests.fakes.openai_server import FakeOpenAI, Scripted, Tool


@pytest.fixture
def store(tmp_path: Path) -> Iterator[JournalStore]:
    with a_store(tmp_path / "state") as opened:
        yield opened


def gateway(
    store: JournalStore, spec: str, *, server: FakeOpenAI | None = None, record: Path | None = None
) -> ModelGateway:
    return open_gateway(
        spec, ModelConfig(timeout_seconds=5), replies=store.replies, ledger=store.ledger, artifacts=store.artifacts,
        environ={}, api_base=server.url if server else "", record=str(record or ""), title="A shortener",
        pacing=Pacing(first_seconds=0.01),
    )  # fmt: skip


async def recorded(
    store: JournalStore, tape: Path, run: str = "r-00000001", script: tuple[str | Scripted, ...] = ()
) -> None:
    replies = script or ("hello " * 30, Scripted("", (Tool("edit", '{"path": "a.py"}'),)))
    with FakeOpenAI(replies) as server:
        models = gateway(store, "openai/gpt-4o", server=server, record=tape)
        for number in range(1, len(replies) + 1):
            await models.complete(
                a_request(f"{run} {number}", number=number, tools=(EDIT_TOOL,)), Context(run=RunId(run))
            )
        await models.close()


async def test_what_is_recorded_is_replayed(store: JournalStore, tmp_path: Path) -> None:
    tape = tmp_path / "tape.jsonl"
    await recorded(store, tape)
    models = gateway(store, f"replay:{tape}")
    context = Context()
    first = await models.complete(a_request("r-00000001 1", tools=(EDIT_TOOL,)), context)
    second = await models.complete(a_request("r-00000001 2", number=2, tools=(EDIT_TOOL,)), Context())
    assert models.name == first.model == "replay:tape.jsonl"
    assert models.calls_tools("t1")
    assert (first.message.content, first.source, first.cost_usd) == ("hello " * 30, ReplySource.REPLAY, 0.0)
    assert (first.mismatch, second.mismatch) == (False, False)
    assert "".join(context.deltas) == first.message.content
    assert len(context.deltas) > 1
    assert context.kinds == ["ModelCalled", "ModelReplied"]
    assert (second.message.calls[0].arguments, second.finish) == ('{"path": "a.py"}', "tool_calls")


async def test_the_file_is_lines_of_json_with_a_header(store: JournalStore, tmp_path: Path) -> None:
    tape = tmp_path / "tape.jsonl"
    await recorded(store, tape)
    header, *entries = [json.loads(line) for line in tape.read_text().splitlines()]
    assert (header["studio_replay"], header["title"], header["run"]) == (1, "A shortener", "r-00000001")
    assert header["model"].startswith("openai/gpt-4o")
    assert [entry["address"].get("number", 1) for entry in entries] == [1, 2]
    assert entries[0]["cost_usd"] > 0
    assert list(tmp_path.glob(".tape*")) == []  # noqa: ASYNC240 - a test may wait for its disk


async def test_a_repeat_replaces_its_entry_and_another_run_begins_anew(store: JournalStore, tmp_path: Path) -> None:
    tape = tmp_path / "tape.jsonl"
    await recorded(store, tape)
    await recorded(store, tape, script=("again",))
    assert len(tape.read_text().splitlines()) == 3
    assert "again" in tape.read_text()
    await recorded(store, tape, run="r-00000002", script=("other",))
    assert len(tape.read_text().splitlines()) == 2


async def test_calls_at_once_are_all_recorded(store: JournalStore, tmp_path: Path) -> None:
    tape = tmp_path / "tape.jsonl"
    with FakeOpenAI("same") as server:
        models = gateway(store, "openai/gpt-4o", server=server, record=tape)
        await asyncio.gather(*(models.complete(a_request(f"{n}", number=n), Context()) for n in range(1, 9)))
        await models.close()
    assert len(tape.read_text().splitlines()) == 9


async def test_a_reply_recorded_for_another_input_is_marked(store: JournalStore, tmp_path: Path) -> None:
    tape = tmp_path / "tape.jsonl"
    await recorded(store, tape)
    context = Context()
    reply = await gateway(store, f"replay:{tape}").complete(a_request("something else"), context)
    assert reply.mismatch
    assert context.replied.mismatch


async def test_a_missing_reply_waits_for_a_person(store: JournalStore, tmp_path: Path) -> None:
    tape = tmp_path / "tape.jsonl"
    await recorded(store, tape)
    context = Context()
    with pytest.raises(GateWaiting, match="holds no reply for build/T1/1/9"):
        await gateway(store, f"replay:{tape}").complete(a_request(number=9), context)
    assert context.events == []


async def test_secrets_are_not_recorded(store: JournalStore, tmp_path: Path) -> None:
    tape = tmp_path / "tape.jsonl"
    await recorded(store, tape, script=("the key is AKIAIOSFODNN7EXAMPLE",))
    assert "AKIAIOSFODNN7EXAMPLE" not in tape.read_text()


async def test_the_identity_is_the_recorded_replies(store: JournalStore, tmp_path: Path) -> None:
    await recorded(store, tmp_path / "a", script=("one",))
    await recorded(store, tmp_path / "b", script=("two",))
    (tmp_path / "c").write_bytes((tmp_path / "a").read_bytes())
    a, b, c = (gateway(store, f"replay:{tmp_path / name}").identity for name in "abc")
    assert a == c != b


@pytest.mark.parametrize(
    "content",
    [
        b'{"studio_replay":1,"recorded":"","model":"","more":' + b"[" * 100_000,
        b"",
        b"hello",
        b'{"studio_replay": 1}',
        b"\xff\n",
        b'{"studio_replay":99,"recorded":"","model":""}',
    ],
)
def test_what_is_not_a_replay_is_refused(store: JournalStore, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(UsageError, match="replay"):
        gateway(store, f"replay:{tmp_path / 'file'}")


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/stdin", "/"])
def test_what_may_be_read_for_ever_is_refused(store: JournalStore, path: str) -> None:
    with pytest.raises(UsageError):
        gateway(store, f"replay:{path}")


def test_a_missing_file_is_refused(store: JournalStore, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Cannot read the replay"):
        gateway(store, f"replay:{tmp_path / 'none'}")


def test_recording_over_something_else_is_refused(store: JournalStore, tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("mine")
    with pytest.raises(UsageError, match="not a replay"):
        gateway(store, "manual:" + str(tmp_path / "chat"), record=tmp_path / "notes.md")
    with pytest.raises(UsageError, match="Cannot open"):
        gateway(store, "manual:" + str(tmp_path / "chat"), record=tmp_path / "none" / "tape")
