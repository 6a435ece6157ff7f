"""The fake model server speaks the protocol it claims to, and misbehaves only as told."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.fakes import openai_server
from tests.fakes.openai_server import FAULTS, FakeOpenAI, Rules, Scripted, Tool

ASK: dict[str, Any] = {"model": "fake", "messages": [{"role": "user", "content": "hi"}]}
STREAM = {**ASK, "stream": True, "stream_options": {"include_usage": True}}


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=10) as http:
        yield http


def events(response: httpx.Response) -> list[Any]:
    lines = [line.removeprefix("data: ") for line in response.text.splitlines() if line]
    assert lines.pop() == "[DONE]"
    return [json.loads(line) for line in lines]


def test_plain_reply(client: httpx.Client) -> None:
    with FakeOpenAI(Scripted("hello", usage=(7, 3))) as server:
        answer = client.post(f"{server.url}/chat/completions", json=ASK).json()
    assert answer["choices"][0]["message"]["content"] == "hello"
    assert answer["usage"]["total_tokens"] == 10
    assert server.requests[0].sent


def test_streamed_text_tools_and_usage(client: httpx.Client) -> None:
    script = Scripted("x" * 100, (Tool("edit", '{"path": "a.py", "text": "1234567890"}'),), usage=(5, 6))
    with FakeOpenAI(script) as server:
        chunks = events(client.post(f"{server.url}/chat/completions", json=STREAM))
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]
    assert "".join(delta.get("content", "") for delta in deltas) == "x" * 100
    calls = [delta["tool_calls"][0]["function"] for delta in deltas if "tool_calls" in delta]
    assert json.loads("".join(call["arguments"] for call in calls))["path"] == "a.py"
    assert chunks[-1]["usage"] == {"prompt_tokens": 5, "completion_tokens": 6, "total_tokens": 11}


def test_cut_stream_breaks_the_connection(client: httpx.Client) -> None:
    with FakeOpenAI(Scripted("x" * 1000, fault="cut")) as server, pytest.raises(httpx.RemoteProtocolError):
        client.post(f"{server.url}/chat/completions", json=STREAM)
    assert not server.requests[0].sent


def test_errors_carry_status_code_and_delay(client: httpx.Client) -> None:
    script = [Scripted(fault=fault, retry_after=2) for fault in ("rate-limit", "server-error", "unauthorized", "quota")]
    with FakeOpenAI(script) as server:
        answers = [client.post(f"{server.url}/chat/completions", json=ASK) for _ in script]
    assert [answer.status_code for answer in answers] == [429, 500, 401, 429]
    assert answers[0].headers["Retry-After"] == "2"
    assert answers[3].json()["error"]["code"] == "insufficient_quota"


def test_a_request_repeated_word_for_word_is_told(client: httpx.Client) -> None:
    with FakeOpenAI() as server:
        for text in ("a", "b", "a"):
            client.post(f"{server.url}/chat/completions", json={**ASK, "messages": [{"role": "user", "content": text}]})
        assert [request.n for request in server.asked_twice()] == [2]


def test_the_instant_model_answers_by_rules(client: httpx.Client) -> None:
    rules: dict[str, Any] = {
        "rules": [
            {"name": "once", "contains": ["flaky"], "fault": "server-error", "times": 1},
            {"name": "task", "matches": r"task (T\d)", "reply": "did {1}", "expand": True},
            {"name": "tool", "contains": ["edit"], "after_tool": False, "tool_calls": [{"name": "e", "arguments": {}}]},
        ],
        "default": {"reply": "nothing"},
    }

    def ask(text: str) -> httpx.Response:
        return client.post(
            f"{server.url}/chat/completions", json={**ASK, "messages": [{"role": "user", "content": text}]}
        )

    with FakeOpenAI(Rules(rules)) as server:
        assert ask("flaky task T1").status_code == 500
        assert ask("flaky task T1").json()["choices"][0]["message"]["content"] == "did T1"
        assert ask("edit").json()["choices"][0]["finish_reason"] == "tool_calls"
        assert ask("what").json()["choices"][0]["message"]["content"] == "nothing"
    assert [request.scripted.rule for request in server.requests] == ["once", "task", "tool", "default"]


def test_without_a_default_the_unmatched_prompt_is_told(client: httpx.Client) -> None:
    with FakeOpenAI(Rules({"rules": []})) as server:
        answer = client.post(f"{server.url}/chat/completions", json=ASK)
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, "no rule matches: hi")


def test_an_unknown_fault_is_refused() -> None:
    with pytest.raises(ValueError, match="no fault 'typo'"):
        Scripted(fault="typo")
    assert "" in FAULTS


def test_as_a_process_it_logs_requests(client: httpx.Client, tmp_path: Path) -> None:
    script, log = tmp_path / "script.json", tmp_path / "log.jsonl"
    (tmp_path / "reply.md").write_text("from a file")
    script.write_text(json.dumps({"rules": [{"name": "file", "reply_file": "reply.md"}]}))
    command = [sys.executable, openai_server.__file__, "--script", str(script), "--log", str(log)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        answer = client.post(f"{url}/chat/completions", json=ASK)
        assert answer.json()["choices"][0]["message"]["content"] == "from a file"
        root = url.removesuffix("/v1")
        assert [line["rule"] for line in client.get(f"{root}/__requests").json()] == ["file"]
        process.communicate()
    assert process.returncode == 0
    assert [json.loads(line)["sent"] for line in log.read_text().splitlines()] == [True]
