"""The border to LiteLLM: the one module that imports it, late and set up so that it sends nothing we did not ask for.

LiteLLM takes seconds to import. `warm` does that in a thread of its own; everything else here imports it on first use.
Its values are untyped: they stay in this module.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import warnings
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, cast

from studio.domain.models import ModelRequest, Usage
from studio.domain.value import Value
from studio.models.target import Target
from studio.models.wire import Delta, chat_messages, chat_tools

__all__ = [
    "Price",
    "close_clients",
    "cost_of",
    "count_text",
    "count_tokens",
    "embed",
    "known_tool_caller",
    "max_output",
    "price_of",
    "stream",
    "warm",
]

_lock = threading.Lock()
_FAR_SECONDS = 86_400.0
"""LiteLLM's own time limit: above any of ours, which are kept by the caller."""
_NOT_ASKED_FOR = (
    "priority",
    "flex",
    "batches",
    "ultrafast",
    "balanced",
    "audio",
    "image",
    "video",
    "character",
    "query",
)
"""Words in the cost map's keys for services that are never requested here."""


def _litellm() -> Any:
    """Return LiteLLM, imported and set up."""
    with _lock:
        os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
        os.environ.setdefault("LITELLM_LOG", "ERROR")
        import litellm

        sdk = cast("Any", litellm)
        if not sdk.suppress_debug_info:
            sdk.telemetry = False
            sdk.suppress_debug_info = True
            sdk.drop_params = True
            sdk.disable_hf_tokenizer_download = True  # it would fetch tokenizers while a call waits
            sdk.num_retries = 0
            sdk.disable_aiohttp_transport = True
            sdk.callbacks, sdk.success_callback, sdk.failure_callback = [], [], []
            for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
                logging.getLogger(name).setLevel(logging.CRITICAL)
            _build_types(sdk.types.utils)
        return sdk


def _build_types(types: Any) -> None:
    """Build the types LiteLLM leaves to the first reply: pydantic warns about them, and a warning may be an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for kind in (types.Delta, types.Message, types.ModelResponseStream, types.ModelResponse):
            kind.model_rebuild(force=True)


def warm() -> threading.Thread:
    """Import LiteLLM in a background thread and return the thread."""
    thread = threading.Thread(target=_litellm, name="warm-litellm", daemon=True)
    thread.start()
    return thread


class Price(Value, frozen=True):
    """The dearest a model may charge, in US dollars per token."""

    prompt: float
    completion: float


def _entry(model: str) -> Mapping[str, Any] | None:
    """Return the cost map's entry of a LiteLLM name, with or without its provider. Asks no server."""
    costs = cast("dict[str, dict[str, Any]]", _litellm().model_cost)
    provider, _, bare = model.partition("/")
    found = costs.get(model)
    if found is None and bare:
        entry = costs.get(bare)
        found = entry if entry is not None and entry.get("litellm_provider") == provider else None
    return found


def _dearest(entry: Mapping[str, Any], prefix: str) -> float:
    prices = [
        float(value)
        for key, value in entry.items()
        if key.startswith(prefix) and isinstance(value, int | float) and not any(word in key for word in _NOT_ASKED_FOR)
    ]
    return max(prices, default=0.0)


def price_of(model: str) -> Price | None:
    """Return the dearest price of a model; None if the cost map holds none."""
    entry = _entry(model)
    if entry is None or "input_cost_per_token" not in entry:
        return None
    prompt = max(_dearest(entry, "input_cost_per_token"), _dearest(entry, "cache_creation_input_token_cost"))
    completion = max(_dearest(entry, "output_cost_per_token"), _dearest(entry, "output_cost_per_reasoning_token"))
    return Price(prompt, completion)


def cost_of(model: str, usage: Usage) -> float | None:
    """Return what a call cost in US dollars; None if the model is unpriced."""
    price = price_of(model)
    if price is None:
        return None
    try:
        prompt, completion = _litellm().cost_per_token(
            model=model,
            prompt_tokens=usage.prompt,
            completion_tokens=usage.completion,
            cache_read_input_tokens=usage.cached,
        )
    except Exception:  # noqa: BLE001 - LiteLLM raises bare exceptions for models it prices only in part
        return usage.prompt * price.prompt + usage.completion * price.completion
    return float(prompt) + float(completion)


def max_output(model: str) -> int:
    """Return the most tokens a model can write in one reply; 0 if unknown."""
    entry = _entry(model) or {}
    limit = entry.get("max_output_tokens") or entry.get("max_tokens") or 0
    return int(limit) if isinstance(limit, int | float) else 0


def known_tool_caller(model: str) -> bool:
    """Return whether the cost map says that a model calls tools."""
    return bool((_entry(model) or {}).get("supports_function_calling"))


def count_tokens(model: str, request: ModelRequest) -> int:
    """Return an estimate of a request's tokens. Takes milliseconds for long prompts: call it off the event loop."""
    sdk = _litellm()
    tools = chat_tools(request.tools) or None
    return int(sdk.token_counter(model=model, messages=chat_messages(request.messages), tools=tools))


def count_text(model: str, text: str) -> int:
    """Return an estimate of a text's tokens."""
    return int(_litellm().token_counter(model=model, text=text)) if text else 0


async def stream(target: Target, request: ModelRequest, max_tokens: int) -> AsyncGenerator[Delta]:
    """Send one HTTP request and yield what comes; closing the iterator closes the connection.

    LiteLLM's exceptions pass through. A stream that ends without the protocol's finish yields no delta with `finish`.
    """
    sdk = await asyncio.to_thread(_litellm)
    tools = chat_tools(request.tools)
    response: Any = await sdk.acompletion(
        model=target.model,
        messages=chat_messages(request.messages),
        api_base=target.api_base or None,
        api_key=target.api_key or None,
        temperature=request.temperature,
        max_tokens=max_tokens,
        stream=True,
        stream_options={"include_usage": True},
        num_retries=0,
        max_retries=0,
        timeout=_FAR_SECONDS,
        _skip_mcp_handler=True,  # LiteLLM's gateway to MCP servers would import its SDK for any request with tools
        **({"tools": tools} if tools else {}),
    )
    async with aclosing(response):
        async for chunk in response:
            yield _delta(chunk)
        finish = response.received_finish_reason or response.intermittent_finish_reason
        told = any(getattr(chunk, "usage", None) for chunk in response.chunks)
    if finish:
        yield Delta(finish=str(finish), usage_told=bool(told))


def _delta(chunk: Any) -> Delta:
    """Return a chunk of LiteLLM as a delta. The finish LiteLLM makes up for a stream without one is left out."""
    usage: Any = getattr(chunk, "usage", None)
    text, calls = "", ()
    if chunk.choices:
        delta: Any = chunk.choices[0].delta
        text = str(getattr(delta, "content", None) or "")
        calls = tuple(
            (
                int(call.index or 0),
                str(call.id or ""),
                str(call.function.name or ""),
                str(call.function.arguments or ""),
            )
            for call in (getattr(delta, "tool_calls", None) or ())
        )
    return Delta(text, calls, _usage(usage) if usage else None)


def _usage(usage: Any) -> Usage:
    details: Any = getattr(usage, "prompt_tokens_details", None)
    cached: Any = getattr(details, "cached_tokens", 0) if details else 0
    return Usage(int(usage.prompt_tokens or 0), int(usage.completion_tokens or 0), int(cached or 0))


def embed(target: Target, texts: Sequence[str]) -> list[list[float]]:
    """Return a vector for each text. Blocks."""
    response: Any = _litellm().embedding(
        model=target.model,
        input=list(texts),
        api_base=target.api_base or None,
        api_key=target.api_key or None,
        num_retries=0,
        max_retries=0,
    )
    rows = sorted(response.data, key=lambda row: int(row["index"]))
    return [[float(number) for number in row["embedding"]] for row in rows]


async def close_clients() -> None:
    """Close the HTTP clients LiteLLM keeps for the running event loop, and let its background tasks end."""
    sdk = _litellm()
    cache = sdk.in_memory_llm_clients_cache
    suffix = f"-{id(asyncio.get_running_loop())}"
    for key in [key for key in cache.cache_dict if str(key).endswith(suffix)]:
        kept: Any = cache.cache_dict.pop(key)
        cache.ttl_dict.pop(key, None)
        client: Any = getattr(kept, "_client", None) or getattr(kept, "client", kept)
        if hasattr(client, "aclose"):
            await client.aclose()
