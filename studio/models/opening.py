"""From a model spec to a gateway."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from studio.domain.config import ModelConfig
from studio.domain.errors import ModelUnavailable, UsageError
from studio.models.attempts import Pacing
from studio.models.desk import Desk
from studio.models.discovery import describe_models
from studio.models.manual import ManualGateway
from studio.models.redaction import Redactor
from studio.models.replay import Recorder, ReplayGateway
from studio.models.target import make_target
from studio.ports.journal import Artifacts, Ledger, Replies
from studio.ports.models import ModelGateway

__all__ = ["HOW_TO_CHOOSE", "embedder", "open_gateway"]

HOW_TO_CHOOSE = (
    "Choose one with --model, `models` in the brief, or `models.default` in the configuration: a LiteLLM name such as "
    "anthropic/claude-sonnet-4-5, `auto`, `replay:FILE` or `manual:DIR`; `studio models` lists what is here."
)


def open_gateway(
    spec: str,
    config: ModelConfig,
    *,
    replies: Replies,
    ledger: Ledger,
    artifacts: Artifacts,
    environ: Mapping[str, str],
    api_base: str = "",
    record: str = "",
    title: str = "",
    pacing: Pacing | None = None,
    ports: Mapping[str, int] | None = None,
) -> ModelGateway:
    """Return the gateway of a spec: a LiteLLM name (`MODEL` or `MODEL@URL`), `auto`, `replay:FILE` or `manual:DIR`.

    Blocks: `auto` asks servers on this machine, a LiteLLM name imports LiteLLM. Call it off the event loop.

    Args:
        spec: What the flag, the brief or the configuration names.
        config: Tiers, fallbacks, attempts, time limits, cache.
        replies: Where intents and replies are committed.
        ledger: Where attempts are reserved and settled.
        artifacts: Where requests and replies are kept to be read.
        environ: Keys by name, and the values never to be sent.
        api_base: Base URL the person typed; a provider's key may go there.
        record: A replay file to record into.
        title: The brief's title, for the recording.
        pacing: How long is waited between attempts.
        ports: Where servers on this machine are looked for, by name.

    Raises:
        UsageError: no spec, or one whose file or directory cannot be used.
        ModelUnavailable: `auto` found none.

    """
    redactor = Redactor.of(environ)
    desk = Desk(replies, artifacts, redactor)
    kind, _, rest = spec.partition(":")
    if not spec.strip():
        raise UsageError("No model is chosen.", HOW_TO_CHOOSE)
    gateway: ModelGateway
    if kind == "replay":
        gateway = ReplayGateway(_path(rest, spec, "replay:FILE"), desk)
    elif kind == "manual":
        gateway = ManualGateway(_path(rest, spec, "manual:DIR"), desk, text_only="manual" in config.text_only)
    else:
        from studio.models.gateway import LiteLLMGateway

        callers: frozenset[str] = frozenset()
        if spec == "auto":
            spec, callers = _auto(config, environ, ports)
        gateway = LiteLLMGateway(
            spec, config, desk, ledger, environ, api_base=api_base, tool_callers=callers, pacing=pacing
        )
    return Recorder(gateway, Path(record).expanduser(), redactor, title=title) if record else gateway


def _path(rest: str, spec: str, form: str) -> Path:
    if not rest:
        raise UsageError(f"`{spec}` names no place.", f"Write {form}.")
    return Path(rest).expanduser()


def _auto(
    config: ModelConfig, environ: Mapping[str, str], ports: Mapping[str, int] | None
) -> tuple[str, frozenset[str]]:
    """Return the name `auto` stands for now, and the found models that call tools."""
    infos = describe_models(config, environ, ports)
    chosen = next((info for info in infos if info.auto), None)
    if chosen is None:
        seen = "; ".join(f"{info.name}: {info.detail}" for info in infos if info.detail)
        raise ModelUnavailable(
            f"`auto` found no model{f' ({seen})' if seen else ''}.",
            "Set a provider's key such as ANTHROPIC_API_KEY, start Ollama, LM Studio or llama.cpp, or use manual:DIR.",
        )
    return chosen.name, frozenset(info.name.partition("@")[0] for info in infos if info.tools)


def embedder(name: str, environ: Mapping[str, str], api_base: str = "") -> Callable[[Sequence[str]], list[list[float]]]:
    """Return a function from texts to vectors by a LiteLLM embedding model. It blocks, and raises ModelUnavailable.

    `api_base` is the configuration's, which a repository may have set: a provider's key does not go there.
    """
    target = make_target(name, environ, configured_base=api_base)

    def embed(texts: Sequence[str]) -> list[list[float]]:
        from studio.models import sdk
        from studio.models.failures import failure_of

        if not texts:
            return []
        clean = [Redactor.of(environ).redact(text)[0] for text in texts]
        try:
            return sdk.embed(target, clean)
        except Exception as error:
            raise ModelUnavailable(
                f"{target.label} gave no vectors: {failure_of(error)}.",
                "Set `memory.embedder` to none, or fix the model.",
            ) from error

    return embed
