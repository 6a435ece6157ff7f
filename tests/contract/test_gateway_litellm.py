"""The gateway through LiteLLM to a real HTTP server: replies, faults, money, caches, crashes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from studio.domain.config import ModelConfig
from studio.domain.errors import BudgetSpent, ModelUnavailable
from studio.domain.models import Message, ModelReply, ReplySource, ToolCall
from studio.domain.runs import Budget
from studio.journal import JournalStore
from studio.models import Pacing, open_gateway
from studio.ports.models import ModelGateway
from tests.fakes.calls import EDIT_TOOL, Context, a_request, a_store
from tests.fakes.openai_server import FakeOpenAI, Scripted, Tool

FAST = Pacing(first_seconds=0.01, longest_seconds=0.05)
PRICED = "openai/gpt-4o"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[JournalStore]:
    with a_store(tmp_path) as opened:
        yield opened


@asynccontextmanager
async def gateway(
    store: JournalStore,
    server: FakeOpenAI | None,
    model: str = PRICED,
    config: ModelConfig | None = None,
    environ: dict[str, str] | None = None,
    pacing: Pacing = FAST,
) -> AsyncGenerator[ModelGateway]:
    opened = open_gateway(
        model,
        config or ModelConfig(timeout_seconds=5),
        replies=store.replies,
        ledger=store.ledger,
        artifacts=store.artifacts,
        environ=environ or {"OPENAI_API_KEY": "the-key-of-a-person"},
        api_base=server.url if server else "",
        pacing=pacing,
    )
    try:
        yield opened
    finally:
        await opened.close()


async def test_a_reply_streams_in_and_is_told(store: JournalStore) -> None:
    context = Context()
    with FakeOpenAI(Scripted("hello there, " * 9, usage=(1000, 100))) as server:
        async with gateway(store, server) as models:
            reply = await models.complete(a_request(), context)
    assert reply.message == Message("assistant", "hello there, " * 9)
    assert "".join(context.deltas) == reply.message.content
    assert len(context.deltas) > 1
    assert (reply.usage.prompt, reply.usage.completion, reply.usage.estimated) == (1000, 100, False)
    assert reply.cost_usd == pytest.approx(1000 * 2.5e-6 + 100 * 1e-5)
    assert context.kinds == ["ModelCalled", "ModelReplied"]
    assert context.called.reserved_usd > 0
    assert context.replied.cost_usd == reply.cost_usd
    assert store.ledger.spent(context.run) == (pytest.approx(reply.cost_usd), 1100)
    assert b"hello there" in store.artifacts.get(reply.artifact)
    assert b"Do it." in store.artifacts.get(context.called.request)


async def test_tool_calls_are_put_together_from_their_pieces(store: JournalStore) -> None:
    tools = (Tool("edit", '{"path": "a.py", "text": "0123456789012345678901234567890"}'), Tool("edit", "{}"))
    with FakeOpenAI(Scripted("", tools)) as server:
        async with gateway(store, server) as models:
            assert models.calls_tools("t1")
            reply = await models.complete(a_request(tools=(EDIT_TOOL,)), Context())
            history = a_request()
            answered = (*history.messages, reply.message, Message("tool", "done", call=reply.message.calls[0].id))
            await models.complete(a_request(), Context())
    assert [call.arguments for call in reply.message.calls] == [tool.arguments for tool in tools]
    assert reply.finish == "tool_calls"
    assert answered[-1].call
    assert server.requests[0].body["tools"][0]["function"]["name"] == "edit"


async def test_malformed_tool_arguments_are_passed_on_and_can_be_sent_back(store: JournalStore) -> None:
    script = [Scripted("", (Tool("edit", '{"path": "a.py"}'),), fault="bad-tool-json"), Scripted("sorry")]
    with FakeOpenAI(script) as server:
        async with gateway(store, server) as models:
            reply = await models.complete(a_request(tools=(EDIT_TOOL,)), Context())
            (call,) = reply.message.calls
            again = a_request(number=2, tools=(EDIT_TOOL,))
            messages = (*again.messages, reply.message, Message("tool", "not JSON", call=call.id))
            second = await models.complete(type(again)(messages, again.address, "builder"), Context())
    assert call.arguments == '{"path":'
    assert second.message.content == "sorry"
    sent = server.requests[1].body["messages"][2]["tool_calls"][0]["function"]["arguments"]
    assert sent == '{"malformed":"{\\"path\\":"}'


@pytest.mark.parametrize("fault", ["rate-limit", "rate-limit-body", "server-error", "overloaded", "cut", "empty", "garbage",
                                   "garbage-stream", "stream-error", "refuse"])  # fmt: skip
async def test_a_fault_is_tried_again_with_one_request_an_attempt(store: JournalStore, fault: str) -> None:
    context = Context()
    with FakeOpenAI([Scripted("x" * 99, fault=fault, retry_after=0.01), "well"]) as server:
        async with gateway(store, server) as models:
            reply = await models.complete(a_request(), context)
    assert reply.message.content == "well"
    assert reply.attempts == len(server.requests) == 2
    assert context.kinds == ["ModelCalled", "ModelFailed", "ModelReplied"]
    assert context.failures[0].retry_in_s >= 0
    assert store.ledger.spent(context.run)[0] == pytest.approx(reply.cost_usd + context.failures[0].cost_usd)


async def test_a_cut_stream_is_paid_for_and_started_again(store: JournalStore) -> None:
    context = Context()
    with FakeOpenAI([Scripted("first " * 50, fault="cut"), "second"]) as server:
        async with gateway(store, server) as models:
            reply = await models.complete(a_request(), context)
    assert reply.message.content == "second"
    assert "".join(context.deltas).partition("\x00")[2] == "second"
    assert context.deltas[0] == "first " * 4
    assert context.failures[0].error.startswith("cut: ")
    assert context.failures[0].cost_usd > 0


async def test_a_stream_that_ends_quietly_is_cut(store: JournalStore) -> None:
    with FakeOpenAI([Scripted("first " * 50, fault="stop-early"), "second"]) as server:
        async with gateway(store, server) as models:
            reply = await models.complete(a_request(), Context())
    assert reply.message.content == "second"


@pytest.mark.parametrize("fault", ["slow-start", "slow-bytes"])
async def test_silence_is_a_timeout(store: JournalStore, fault: str) -> None:
    context = Context()
    config = ModelConfig(timeout_seconds=0.3)
    with FakeOpenAI([Scripted("x" * 99, fault=fault, delay=60), "well"]) as server:
        async with gateway(store, server, config=config) as models:
            reply = await models.complete(a_request(), context)
        assert server.requests[0].left.wait(10)
    assert reply.message.content == "well"
    assert context.failures[0].error.startswith("timeout: ")


@pytest.mark.parametrize(
    ("fault", "kind", "advice"),
    [
        ("unauthorized", "unauthorized", "OPENAI_API_KEY"),
        ("quota", "quota", "credit"),
        ("not-found", "request", "name"),
        ("context", "context", "context size"),
    ],
)
async def test_what_cannot_get_better_is_not_tried_again(
    store: JournalStore, fault: str, kind: str, advice: str
) -> None:
    context = Context()
    with FakeOpenAI(Scripted(fault=fault)) as server:
        async with gateway(store, server) as models:
            with pytest.raises(ModelUnavailable) as raised:
                await models.complete(a_request(), context)
    assert len(server.requests) == 1
    assert f": {kind}: " in raised.value.what
    assert advice in raised.value.do
    assert context.kinds == ["ModelCalled", "ModelFailed"]
    assert context.failures[0].retry_in_s < 0
    assert store.ledger.spent(context.run) == (0, 0)


async def test_fallbacks_are_asked_in_order(store: JournalStore) -> None:
    def reply(body: dict[str, object], _n: int) -> Scripted:
        faults = {"gpt-4o": "server-error", "gpt-4o-mini": "unauthorized"}
        return Scripted("from the last", fault=faults.get(str(body["model"]), ""))

    config = ModelConfig(fallbacks=("openai/gpt-4o-mini", "openai/gpt-4.1"), attempts=2)
    with FakeOpenAI(reply) as server:
        async with gateway(store, server, config=config) as models:
            answer = await models.complete(a_request(), Context())
    assert [request.body["model"] for request in server.requests] == ["gpt-4o", "gpt-4o", "gpt-4o-mini", "gpt-4.1"]
    assert answer.model == f"openai/gpt-4.1@{server.url}"
    assert answer.attempts == 4


async def test_attempts_end(store: JournalStore) -> None:
    with FakeOpenAI(Scripted(fault="server-error")) as server:
        async with gateway(store, server, config=ModelConfig(attempts=3)) as models:
            with pytest.raises(ModelUnavailable, match="No model answered"):
                await models.complete(a_request(), Context())
    assert len(server.requests) == 3


async def test_a_longer_pause_than_our_patience_passes_the_model_over(store: JournalStore) -> None:
    with FakeOpenAI(Scripted(fault="rate-limit", retry_after=3600)) as server:
        async with gateway(store, server) as models:
            with pytest.raises(ModelUnavailable, match="rate limit"):
                await models.complete(a_request(), Context())
    assert len(server.requests) == 1


async def test_budget_0_sends_nothing(store: JournalStore) -> None:
    context = Context(budget=Budget(usd=0))
    with FakeOpenAI() as server:
        async with gateway(store, server) as models:
            with pytest.raises(BudgetSpent):
                await models.complete(a_request(), context)
    assert server.requests == []
    assert context.events == []


async def test_an_unpriced_model_is_bounded_by_tokens(store: JournalStore) -> None:
    with FakeOpenAI(Scripted("yes", usage=(30, 60))) as server:
        async with gateway(store, server, model="openai/my-own-model") as models:
            assert not models.calls_tools("t1")
            reply = await models.complete(a_request(), Context(budget=Budget(usd=0, tokens=150)))
            assert (reply.cost_usd, reply.priced) == (0.0, False)
            with pytest.raises(BudgetSpent):
                await models.complete(a_request("And then?", number=2), Context(budget=Budget(usd=0, tokens=150)))
    assert len(server.requests) == 1


def test_two_gateways_at_once_share_a_budget(tmp_path: Path) -> None:
    """Each call may cost a little over 0.1 cent; the budget holds three of eight, whoever asks."""
    outcomes: list[type[object]] = []

    async def ask(worker: int, server: FakeOpenAI) -> None:
        with a_store(tmp_path) as store:
            async with gateway(store, server) as models:
                for number in range(4):
                    context = Context(budget=Budget(usd=0.0036))
                    try:
                        reply = await models.complete(a_request(f"{worker}/{number}"), context)
                        outcomes.append(type(reply))
                    except BudgetSpent as spent:
                        outcomes.append(type(spent))

    a_store(tmp_path).close()
    with FakeOpenAI(Scripted("x", usage=(40, 100))) as server:
        threads = [threading.Thread(target=asyncio.run, args=(ask(worker, server),)) for worker in (1, 2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert outcomes.count(BudgetSpent) == 8 - len(server.requests)
    assert outcomes.count(ModelReply) == len(server.requests)
    assert 2 <= len(server.requests) <= 3
    with a_store(tmp_path) as store:
        assert store.ledger.spent(Context().run)[0] <= 0.0036


async def test_cancel_closes_the_connection_and_settles(store: JournalStore) -> None:
    begun = asyncio.Event()
    context = Context(on_delta=lambda _text: begun.set())
    with FakeOpenAI(Scripted("word " * 1000, fault="slow-bytes", delay=0.05)) as server:
        async with gateway(store, server) as models:
            call = asyncio.create_task(models.complete(a_request(), context))
            await begun.wait()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            assert await asyncio.to_thread(server.requests[0].left.wait, 10)
    assert context.failures[0].error.startswith("cancelled")
    assert store.ledger.spent(context.run)[0] == pytest.approx(context.failures[0].cost_usd)
    assert store.replies.find(context.run, context.call) is None


async def test_a_committed_reply_is_not_asked_for_again(store: JournalStore) -> None:
    context = Context()
    with FakeOpenAI(["one", "two"]) as server:
        async with gateway(store, server) as models:
            first = await models.complete(a_request(), context)
            again = Context(call=context.call)
            second = await models.complete(a_request(), again)
    assert len(server.requests) == 1
    assert (second.source, second.message, second.artifact) == (ReplySource.RECORDED, first.message, first.artifact)
    assert again.kinds == ["ModelReplied"]
    assert again.replied == context.replied
    assert store.ledger.spent(context.run)[0] == pytest.approx(first.cost_usd)


async def test_a_call_in_flight_when_its_process_died_is_told_as_repeated(store: JournalStore) -> None:
    context = Context()
    store.replies.begin(context.run, context.call)
    with FakeOpenAI("one") as server:
        async with gateway(store, server) as models:
            await models.complete(a_request(), context)
    assert context.called.repeated


async def test_the_same_request_is_answered_from_the_cache(store: JournalStore) -> None:
    with FakeOpenAI(["one", "two", "three"]) as server:
        async with gateway(store, server) as models:
            await models.complete(a_request(), Context())
            context = Context()
            cached = await models.complete(a_request(number=2), context)
            warm = await models.complete(a_request(temperature=0.7), Context())
        async with gateway(store, server, config=ModelConfig(cache=False)) as models:
            uncached = await models.complete(a_request(), Context())
    assert (cached.message.content, cached.source, cached.cost_usd) == ("one", ReplySource.CACHE, 0.0)
    assert context.kinds == ["ModelCalled", "ModelReplied"]
    assert (warm.message.content, uncached.message.content) == ("two", "three")


async def test_secrets_are_neither_sent_nor_logged(store: JournalStore) -> None:
    context = Context()
    said = "AKIAIOSFODNN7EXAMPLE and the-key-of-a-person"
    with FakeOpenAI(f"I saw {said}") as server:
        async with gateway(store, server) as models:
            request = a_request(f"Use {said}.")
            calls = (ToolCall("1", "edit", f'{{"text": "{said}"}}'),)
            messages = (*request.messages, Message("assistant", "", calls), Message("tool", said, call="1"))
            reply = await models.complete(type(request)(messages, request.address, "builder"), context)
    sent = str(server.requests[0].body)
    for secret in ("AKIAIOSFODNN7EXAMPLE", "the-key-of-a-person"):
        assert secret not in sent
        assert secret.encode() not in store.artifacts.get(context.called.request)
        assert secret.encode() not in store.artifacts.get(reply.artifact)


async def test_the_persons_key_is_sent(store: JournalStore) -> None:
    with FakeOpenAI() as server:
        async with gateway(store, server) as models:
            await models.complete(a_request(), Context())
    assert server.requests[0].authorization == "Bearer the-key-of-a-person"


async def test_a_free_model_is_bounded_by_tokens_and_no_tokenizer_is_fetched(store: JournalStore) -> None:
    with FakeOpenAI() as server:
        async with gateway(store, server, model="openai/llama-3-8b-instruct") as models:
            with pytest.raises(BudgetSpent):
                await models.complete(a_request(), Context(budget=Budget(tokens=50)))
    assert server.requests == []


async def test_a_usage_the_server_does_not_tell_is_counted_and_marked(store: JournalStore) -> None:
    with FakeOpenAI(Scripted("some words", no_usage=True)) as server:
        async with gateway(store, server) as models:
            reply = await models.complete(a_request(), Context())
    assert reply.usage.estimated
    assert reply.usage.prompt > 0
    assert reply.cost_usd > 0


async def test_tiers_pick_their_own_models(store: JournalStore) -> None:
    config = ModelConfig(tiers={"t0": ("openai/gpt-4o-mini",)}, text_only=("gpt-4o-mini",))
    with FakeOpenAI() as server:
        async with gateway(store, server, config=config) as models:
            await models.complete(a_request(tier="t0"), Context())
            await models.complete(a_request(tier="t2"), Context())
            await models.complete(a_request(model="openai/gpt-4.1"), Context())
            assert not models.calls_tools("t0")
            assert models.calls_tools("t3")
    assert [request.body["model"] for request in server.requests] == ["gpt-4o-mini", "gpt-4o", "gpt-4.1"]
