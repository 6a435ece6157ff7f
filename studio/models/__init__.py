"""Asking models: LiteLLM, replays, and people with a chat of their own. Importing this imports no SDK."""

from __future__ import annotations

from studio.models.attempts import Pacing
from studio.models.discovery import ModelInfo, describe_models
from studio.models.opening import HOW_TO_CHOOSE, embedder, open_gateway
from studio.models.redaction import Redactor, redact
from studio.models.replay import Recorder
from studio.models.sdk import warm

__all__ = [
    "HOW_TO_CHOOSE",
    "ModelInfo",
    "Pacing",
    "Recorder",
    "Redactor",
    "describe_models",
    "embedder",
    "open_gateway",
    "redact",
    "warm",
]
