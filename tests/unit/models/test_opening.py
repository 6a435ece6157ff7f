"""Specs become gateways, and what is here is described."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from studio.domain.config import ModelConfig
from studio.domain.errors import ModelUnavailable, UsageError
from studio.models import describe_models, embedder, open_gateway, sdk
from studio.models.discovery import PREFERRED, local_models
from studio.models.sdk import known_tool_caller, price_of
from studio.models.target import Target
from studio.ports.models import ModelGateway
from tests.fakes.calls import a_store
from tests.fakes.openai_server import FakeOpenAI


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


NOBODY = {server: free_port() for server in ("Ollama", "LM Studio", "llama.cpp")}


@contextmanager
def server(answers: dict[str, Any]) -> Generator[int]:
    """Serve JSON by path, whatever the method; a path may depend on the body's `model`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", "0"))) or b"{}")
            answer = answers.get(self.path + (f"#{body['model']}" if "model" in body else ""))
            data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(404 if answer is None else 200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_GET  # noqa: N815 - the base class names it so

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
            """Print nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield int(http.server_address[1])
    finally:
        http.shutdown()
        http.server_close()


def opened(spec: str, folder: Path, environ: dict[str, str], ports: dict[str, int] | None = None) -> ModelGateway:
    with a_store(folder) as store:
        return open_gateway(
            spec, ModelConfig(), replies=store.replies, ledger=store.ledger, artifacts=store.artifacts,
            environ=environ, ports={**NOBODY, **(ports or {})},
        )  # fmt: skip


def test_no_spec_tells_how_to_choose(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No model is chosen") as raised:
        opened("", tmp_path, {"OPENAI_API_KEY": "paid"})
    assert all(way in raised.value.do for way in ("--model", "brief", "configuration", "`auto`", "replay:", "manual:"))


def test_auto_takes_a_key_in_the_environment(tmp_path: Path) -> None:
    assert opened("auto", tmp_path, {"OPENAI_API_KEY": "paid"}).name == PREFERRED["openai"]
    assert opened("auto", tmp_path, {"OPENAI_API_KEY": "x", "ANTHROPIC_API_KEY": "y"}).name == PREFERRED["anthropic"]


def test_auto_finds_a_server_on_this_machine_that_can_hold_a_task(tmp_path: Path) -> None:
    answers = {
        "/api/tags": {"models": [{"name": "tiny"}, {"name": "qwen3:8b"}, {"name": "embed"}, {"name": "\x1b[2J"}]},
        "/api/show#tiny": {"capabilities": ["completion"], "model_info": {"x.context_length": 2048}},
        "/api/show#qwen3:8b": {"capabilities": ["completion", "tools"], "model_info": {"qwen3.context_length": 40960}},
        "/api/show#embed": {"capabilities": ["embedding"]},
    }
    with server(answers) as port:
        infos = local_models({**NOBODY, "Ollama": port})
        gateway = opened("auto", tmp_path, {}, {"Ollama": port})
    assert [(info.name.partition("@")[0], info.context, info.tools, info.usable) for info in infos] == [
        ("openai/qwen3:8b", 40960, True, True),
        ("openai/tiny", 2048, False, False),
    ]
    assert gateway.name == f"openai/qwen3:8b@http://127.0.0.1:{port}/v1"
    assert gateway.calls_tools("t1")


def test_other_servers_are_asked_in_their_own_way() -> None:
    lm_studio = {"/api/v0/models": {"data": [
        {"id": "qwen", "type": "llm", "max_context_length": 32768, "loaded_context_length": 16384, "capabilities": ["tool_use"]},
        {"id": "nomic", "type": "embeddings"},
    ]}}  # fmt: skip
    llama_cpp = {
        "/props": {"default_generation_settings": {"n_ctx": 65536}, "chat_template_caps": {"supports_tools": False}},
        "/v1/models": {"data": [{"id": "devstral"}]},
    }
    with server(lm_studio) as one, server(llama_cpp) as two:
        infos = local_models({**NOBODY, "LM Studio": one, "llama.cpp": two})
    assert [(info.name.partition("@")[0], info.context, info.tools) for info in infos] == [
        ("openai/qwen", 16384, True),
        ("openai/devstral", 65536, False),
    ]


@pytest.mark.parametrize("answer", [b"\xff\x00", b"[]", b"{}", b'{"models": 7}', b'{"models": [1, {"name": null}]}'])
def test_strange_servers_offer_nothing(answer: bytes) -> None:
    with server({"/api/tags": answer, "/api/v0/models": answer, "/props": answer}) as port:
        assert local_models(dict.fromkeys(NOBODY, port)) == []


def test_auto_without_anything_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="`auto` found no model") as raised:
        opened("auto", tmp_path, {})
    assert "ANTHROPIC_API_KEY" in raised.value.do


def test_what_is_described_holds_no_key() -> None:
    config = ModelConfig(default="ollama/llama3", fallbacks=("openai/gpt-4o",))
    infos = describe_models(config, {"OPENAI_API_KEY": "very-secret-key", "GOOGLE_API_KEY": "another-secret"}, NOBODY)
    assert "secret" not in str(infos)
    assert [(info.name, info.found, info.auto) for info in infos] == [
        ("ollama/llama3", "configuration", False),
        ("openai/gpt-4o", "configuration", False),
        (PREFERRED["openai"], "OPENAI_API_KEY is set", True),
        (PREFERRED["gemini"], "GOOGLE_API_KEY is set", False),
    ]


def test_preferred_models_are_priced_and_call_tools() -> None:
    for model in PREFERRED.values():
        assert price_of(model), model
        assert known_tool_caller(model), model


def test_an_embedder_gives_vectors() -> None:
    with FakeOpenAI() as fake:
        embed = embedder("openai/text-embedding-3-small", {"OPENAI_API_KEY": "k"}, fake.url)
        assert embed(["four", "and eight"]) == [[0.04, 0.0, 1.0], [0.09, 0.1, 1.0]]
        assert embed([]) == []


def test_an_embedder_that_fails_says_so() -> None:
    embed = embedder("openai/text-embedding-3-small", {"OPENAI_API_KEY": "k"}, f"http://127.0.0.1:{free_port()}/v1")
    with pytest.raises(ModelUnavailable, match="gave no vectors"):
        embed(["text"])


def test_opening_a_replay_or_a_directory_imports_no_sdk() -> None:
    code = (
        "import sys, tempfile; from studio.models import open_gateway, describe_models\n"
        "from studio.domain.config import ModelConfig\n"
        "open_gateway('manual:' + tempfile.mkdtemp(), ModelConfig(), replies=None, ledger=None, artifacts=None, environ={})\n"
        "describe_models(ModelConfig(), {}); print('litellm' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_an_embedders_configured_base_gets_no_providers_key(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def remember(target: Target, _texts: object) -> list[list[float]]:
        asked.append(target.api_key)
        return []

    monkeypatch.setattr(sdk, "embed", remember)
    embedder("openai/text-embedding-3-small", {"OPENAI_API_KEY": "paid"}, "https://models.example.org/v1")(["text"])
    assert asked == ["none"]
