"""What is sent to a model and what comes back, in the OpenAI chat protocol's terms."""

from __future__ import annotations

from enum import StrEnum

from studio.domain.ids import ArtifactId
from studio.domain.value import Value

__all__ = [
    "CallAddress",
    "Message",
    "ModelReply",
    "ModelRequest",
    "ReplySource",
    "ToolCall",
    "ToolSpec",
    "Usage",
]


class ToolSpec(Value, frozen=True):
    """A tool a model may call; `parameters` is a JSON schema as JSON text."""

    name: str
    description: str
    parameters: str


class ToolCall(Value, frozen=True):
    """A call a model made. `arguments` is the JSON text as it came: it may be malformed."""

    id: str
    name: str
    arguments: str


class Message(Value, frozen=True):
    """A chat message: `system`, `user`, `assistant`, or `tool` (then `call` names the tool call it answers)."""

    role: str
    content: str
    calls: tuple[ToolCall, ...] = ()
    call: str = ""


class CallAddress(Value, frozen=True):
    """Where in a run a model call stands: what a replay is addressed by, and what makes a repeat the same call."""

    stage: str
    task: str = ""
    attempt: int = 1
    """Which try of the step's work this is (1-based): a repair round, a second candidate."""
    number: int = 1
    """The call's number within the attempt (1-based)."""

    def __str__(self) -> str:
        """Return `stage/task/attempt/number`."""
        return f"{self.stage}/{self.task or '-'}/{self.attempt}/{self.number}"


class ModelRequest(Value, frozen=True):
    """One request. `tier` is resolved to models by the gateway's configuration unless `model` names one."""

    messages: tuple[Message, ...]
    address: CallAddress
    role: str
    """Which agent asks: `planner`, `builder`, `test-writer`, `critic`, …"""
    tier: str = "t1"
    model: str = ""
    tools: tuple[ToolSpec, ...] = ()
    max_tokens: int = 8192
    temperature: float = 0.0
    prompt_version: str = ""


class Usage(Value, frozen=True):
    """Tokens of one call."""

    prompt: int = 0
    completion: int = 0
    cached: int = 0
    estimated: bool = False
    """Counted here: the provider did not tell."""


class ReplySource(StrEnum):
    """Where a reply came from."""

    PROVIDER = "provider"
    CACHE = "cache"
    RECORDED = "recorded"
    """Committed before a crash and read back."""
    REPLAY = "replay"
    MANUAL = "manual"


class ModelReply(Value, frozen=True):
    """One reply."""

    message: Message
    model: str
    usage: Usage = Usage()
    cost_usd: float = 0.0
    """0 where it was not paid for; `priced` tells a free call from an unpriced one."""
    priced: bool = True
    source: ReplySource = ReplySource.PROVIDER
    duration_ms: int = 0
    finish: str = "stop"
    """The protocol's finish_reason."""
    attempts: int = 1
    """Requests sent for it, including failed ones."""
    mismatch: bool = False
    """A replayed reply that was recorded for another input."""
    call: str = ""
    """Id of the call, as in the journal."""
    artifact: ArtifactId = ArtifactId("")
