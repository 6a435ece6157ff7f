"""Where a request goes: a LiteLLM name, a base URL, a key; and which keys may go to which base."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from studio.domain.value import Value

__all__ = ["KEY_NAMES", "OWN_KEY", "Target", "key_names", "loopback", "make_target"]

OWN_KEY = "STUDIO_API_KEY"
"""Environment variable whose value is sent to any base URL the person configured."""

KEY_NAMES: dict[str, tuple[str, ...]] = {
    "anthropic": ("ANTHROPIC_API_KEY",),
    "openai": ("OPENAI_API_KEY",),
    "gemini": ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    "mistral": ("MISTRAL_API_KEY",),
    "deepseek": ("DEEPSEEK_API_KEY",),
    "openrouter": ("OPENROUTER_API_KEY",),
    "groq": ("GROQ_API_KEY",),
    "xai": ("XAI_API_KEY",),
    "together_ai": ("TOGETHERAI_API_KEY", "TOGETHER_API_KEY"),
    "huggingface": ("HF_TOKEN", "HUGGINGFACE_API_KEY"),
    "fireworks_ai": ("FIREWORKS_API_KEY", "FIREWORKS_AI_API_KEY"),
    "azure": ("AZURE_API_KEY",),
}
"""Where each provider's key is looked for; others: `PROVIDER_API_KEY`."""

_LOCAL = {"ollama", "ollama_chat", "lm_studio", "hosted_vllm", "llamafile", "vllm"}
_NO_KEY = "none"
"""Sent where a client library insists on a key and the server needs none."""


class Target(Value, frozen=True):
    """A model to ask. Never written anywhere: it holds a key."""

    model: str
    """A LiteLLM name, provider first: `openai/gpt-4o`."""
    api_base: str = ""
    api_key: str = ""

    @property
    def provider(self) -> str:
        """The LiteLLM provider."""
        return self.model.partition("/")[0]

    @property
    def local(self) -> bool:
        """Whether it needs no paid account."""
        return self.provider in _LOCAL or (bool(self.api_base) and loopback(self.api_base))

    @property
    def label(self) -> str:
        """What people see: the name, and the base if it is not the provider's."""
        return f"{self.model}@{self.api_base}" if self.api_base else self.model


def loopback(url: str) -> bool:
    """Return whether a URL's host is this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def key_names(provider: str) -> tuple[str, ...]:
    """Return the environment variables a provider's key is looked for in."""
    return KEY_NAMES.get(provider, (f"{provider.upper().replace('-', '_')}_API_KEY",))


def make_target(name: str, environ: Mapping[str, str], given_base: str = "", configured_base: str = "") -> Target:
    """Return where requests for `name` go: `MODEL` or `MODEL@URL`.

    A provider's key goes to the provider, to this machine, to the base the environment names for that provider, and to
    `given_base`, which the person typed. To any other base (a brief or a repository's configuration may name it) goes
    the value of `STUDIO_API_KEY` alone: opening somebody's repository must not send them a key.
    """
    model, _, own_base = name.partition("@") if "@http" in name else (name, "", "")
    if "/" not in model:
        model = f"openai/{model}" if not model.startswith(("claude", "gemini")) else _with_provider(model)
    provider = model.partition("/")[0]
    environment_bases = {environ.get(f"{provider.upper()}_{end}", "") for end in ("API_BASE", "BASE_URL")} - {""}
    base = own_base or given_base or configured_base
    key = next((environ[key] for key in key_names(provider) if environ.get(key)), "")
    trusted = not base or loopback(base) or base in environment_bases or (base == given_base and not own_base)
    if not base and environment_bases:
        base = min(environment_bases)
    if base:
        key = environ.get(OWN_KEY, "") or (key if trusted else "") or _NO_KEY
    return Target(model, base, key)


def _with_provider(model: str) -> str:
    return f"anthropic/{model}" if model.startswith("claude") else f"gemini/{model}"
