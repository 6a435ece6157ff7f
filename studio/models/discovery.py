"""What models are here: keys in the environment, then servers on this machine. Light: nothing here imports LiteLLM."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from studio.domain.config import ModelConfig
from studio.domain.value import Value
from studio.models.target import KEY_NAMES

__all__ = ["LOCAL_PORTS", "ModelInfo", "describe_models", "local_models"]

LOCAL_PORTS = {"Ollama": 11434, "LM Studio": 1234, "llama.cpp": 8080}
"""Where each server listens by default."""

PREFERRED = {
    "anthropic": "anthropic/claude-sonnet-4-5",
    "openai": "openai/gpt-5.4",
    "gemini": "gemini/gemini-2.5-pro",
    "mistral": "mistral/devstral-latest",
    "deepseek": "deepseek/deepseek-chat",
    "xai": "xai/grok-code-fast-1",
    "groq": "groq/openai/gpt-oss-120b",
}
"""What `auto` takes for a provider's key, in order of preference."""

_PROBE_SECONDS = 0.5
_LARGEST_ANSWER = 4 * 1024 * 1024
SMALLEST_CONTEXT = 8192
"""Tokens below which a model cannot hold a task."""


class ModelInfo(Value, frozen=True):
    """A model that could be used, and how it was found. Holds no key."""

    name: str
    """The spec to choose it with."""
    found: str
    """`OPENAI_API_KEY is set`, `Ollama at http://127.0.0.1:11434`, `configuration`."""
    local: bool = False
    context: int = 0
    """Tokens it can read; 0 if not told."""
    tools: bool | None = None
    """Whether it calls tools; None if not told."""
    detail: str = ""
    """Why `auto` would not take it."""
    auto: bool = False
    """Whether `auto` takes it now."""

    @property
    def usable(self) -> bool:
        """Whether it can hold a task, as far as is known."""
        return not self.detail


def describe_models(
    config: ModelConfig, environ: Mapping[str, str], ports: Mapping[str, int] | None = None
) -> list[ModelInfo]:
    """Return the models that are configured or found, in the order `auto` prefers them. Blocks for half a second at most."""
    names = dict.fromkeys(
        (config.default, *(name for chain in config.tiers.values() for name in chain), *config.fallbacks)
    )
    configured = [ModelInfo(name, "configuration") for name in names if name and name != "auto"]
    found = [
        ModelInfo(model, f"{variable} is set")
        for provider, model in PREFERRED.items()
        if (variable := next((name for name in KEY_NAMES[provider] if environ.get(name)), ""))
    ]
    found += local_models(ports)
    taken = next((info.name for info in found if info.usable), "")
    return configured + [msgspec.structs.replace(info, auto=info.name == taken) for info in found]


def local_models(ports: Mapping[str, int] | None = None) -> list[ModelInfo]:
    """Return the models servers on this machine offer, those that can hold a task first."""
    probes: dict[str, Callable[[int], list[ModelInfo]]] = {
        "Ollama": _ollama, "LM Studio": _lm_studio, "llama.cpp": _llama_cpp,
    }  # fmt: skip
    at = {**LOCAL_PORTS, **(ports or {})}
    with ThreadPoolExecutor(len(probes)) as pool:
        answers = [pool.submit(probe, at[server]) for server, probe in probes.items()]
        infos = [info for answer in answers for info in answer.result()]
    return sorted(infos, key=lambda info: (not info.usable, info.tools is not True))


def _ask(port: int, path: str, body: Mapping[str, Any] | None = None) -> Any:
    """Return a server's JSON answer on this machine, None if there is no such server or answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PROBE_SECONDS)
    try:
        data = msgspec.json.encode(body) if body is not None else None
        headers = {"Content-Type": "application/json"} if body is not None else {}
        connection.request("GET" if body is None else "POST", path, data, headers)
        response = connection.getresponse()
        if response.status != http.HTTPStatus.OK:
            return None
        return msgspec.json.decode(response.read(_LARGEST_ANSWER))
    except (OSError, http.client.HTTPException, msgspec.DecodeError, UnicodeDecodeError):
        return None
    finally:
        connection.close()


def _field(value: Any, *path: str) -> Any:
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType] - untrusted JSON
    return value  # pyright: ignore[reportUnknownVariableType] - untrusted JSON


def _rows(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else []  # pyright: ignore[reportUnknownArgumentType] - untrusted JSON


def _number(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def _info(server: str, port: int, name: Any, context: int, tools: bool | None) -> list[ModelInfo]:
    if not isinstance(name, str) or not name or not name.isprintable():
        return []
    small = 0 < context < SMALLEST_CONTEXT
    detail = f"its context of {context} tokens is too small for a task" if small else ""
    base = f"http://127.0.0.1:{port}"
    return [
        ModelInfo(
            f"openai/{name}@{base}/v1", f"{server} at {base}", local=True, context=context, tools=tools, detail=detail
        )
    ]


def _ollama(port: int) -> list[ModelInfo]:
    infos: list[ModelInfo] = []
    for row in _rows(_field(_ask(port, "/api/tags"), "models")):
        name = _field(row, "name")
        shown = _ask(port, "/api/show", {"model": name})
        capabilities = _rows(_field(shown, "capabilities"))
        if capabilities and "completion" not in capabilities:
            continue
        model_info = _field(shown, "model_info")
        sizes = (
            [_number(model_info[key]) for key in model_info if key.endswith(".context_length")] if model_info else []
        )
        infos += _info("Ollama", port, name, max(sizes, default=0), "tools" in capabilities if capabilities else None)
    return infos


def _lm_studio(port: int) -> list[ModelInfo]:
    infos: list[ModelInfo] = []
    for row in _rows(_field(_ask(port, "/api/v0/models"), "data")):
        if _field(row, "type") not in {"llm", "vlm"}:
            continue
        context = _number(_field(row, "loaded_context_length")) or _number(_field(row, "max_context_length"))
        capabilities = _field(row, "capabilities")
        tools = "tool_use" in _rows(capabilities) if capabilities is not None else None
        infos += _info("LM Studio", port, _field(row, "id"), context, tools)
    return infos


def _llama_cpp(port: int) -> list[ModelInfo]:
    settings = _ask(port, "/props")
    context = _number(_field(settings, "default_generation_settings", "n_ctx"))
    if not context:
        return []
    tools = _field(settings, "chat_template_caps", "supports_tools")
    names = [_field(row, "id") for row in _rows(_field(_ask(port, "/v1/models"), "data"))]
    return _info(
        "llama.cpp", port, names[0] if names else "default", context, tools if isinstance(tools, bool) else None
    )
