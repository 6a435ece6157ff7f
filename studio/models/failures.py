"""What an exception of an attempt means: whether to try again, when, and how to say it in one line."""

from __future__ import annotations

import email.utils
import re
import time
from collections.abc import Mapping
from typing import cast

from studio.domain.value import Value

__all__ = ["EmptyReply", "Failure", "StreamCut", "failure_of", "retry_after"]

_PAYMENT_REQUIRED = 402
_TOO_MANY = 429
_UNAUTHORIZED = frozenset({401, 403})
_BAD_REQUEST = frozenset({400, 404, 405, 410, 413, 422})
_QUOTA = re.compile(
    r"insufficient_quota|exceeded your current quota|billing|credit balance|payment required", re.IGNORECASE
)
_AGAIN_IN = re.compile(
    r"(?:again|retry|wait)\D{0,20}?((?:\d+(?:\.\d+)?\s*(?:ms|m|s|sec\w*|min\w*)\s*)+)", re.IGNORECASE
)
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|min|m|s)", re.IGNORECASE)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0}
_LONGEST_TEXT = 300


class StreamCut(Exception):
    """A stream ended without the protocol's finish."""


class EmptyReply(Exception):
    """A reply holds neither text nor calls."""


class Failure(Value, frozen=True):
    """Why an attempt failed."""

    kind: str
    """`unauthorized`, `quota`, `rate limit`, `timeout`, `cut`, `empty`, `request`, `context`, `server`."""
    text: str
    """One line: what the provider said."""
    retry: bool = True
    """Whether the same model may answer the same request."""
    after: float | None = None
    """Seconds the provider asked us to wait."""
    billed: bool = False
    """Whether the prompt may have been charged although no reply came."""

    def __str__(self) -> str:
        """Return `kind: text`."""
        return f"{self.kind}: {self.text}"


def failure_of(error: BaseException) -> Failure:
    """Return what an attempt's exception means."""
    text = _one_line(error)
    name = type(error).__name__
    if isinstance(error, TimeoutError) or name in {"Timeout", "APITimeoutError"}:
        return Failure("timeout", text or "no bytes in time", billed=True)
    if isinstance(error, StreamCut) or name == "MidStreamFallbackError":
        return Failure("cut", text or "the stream ended early", billed=True)
    if isinstance(error, EmptyReply):
        return Failure("empty", "the reply holds neither text nor tool calls", billed=True)
    return _refusal(error, text, name)


def _refusal(error: BaseException, text: str, name: str) -> Failure:
    """Return what an HTTP status means, or an exception without one."""
    status = getattr(error, "status_code", None)
    kind = "server"
    if name == "ContextWindowExceededError":
        kind = "context"
    elif status in _UNAUTHORIZED:
        kind = "unauthorized"
    elif status == _PAYMENT_REQUIRED or (status == _TOO_MANY and _QUOTA.search(text)):
        kind = "quota"
    elif status == _TOO_MANY:
        kind = "rate limit"
    elif status in _BAD_REQUEST:
        kind = "request"
    if kind in {"server", "rate limit"}:
        return Failure(kind, text, after=retry_after(error))
    return Failure(kind, text, retry=False)


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    text = re.sub(r"^(?:(?:litellm\.)?\w+(?:Error|Timeout)\s*:?\s*-?\s*)*", "", text)
    text = text.removeprefix("OpenAIException - ")
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…"


def _headers(error: BaseException) -> Mapping[str, str]:
    for source in (getattr(error, "litellm_response_headers", None), getattr(error, "response", None)):
        headers = getattr(source, "headers", source)
        if isinstance(headers, Mapping) and headers:
            return {str(key).lower(): str(value) for key, value in cast("Mapping[object, object]", headers).items()}
    return {}


def retry_after(error: BaseException) -> float | None:
    """Return the seconds a provider asks to wait: `retry-after-ms`, `Retry-After` (RFC 9110), or told in the error's text."""
    headers = _headers(error)
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        told = headers.get(name, "")
        try:
            return max(0.0, float(told) * unit)
        except ValueError:
            date = email.utils.parsedate_tz(told)
            if date is not None:
                return max(0.0, email.utils.mktime_tz(date) - time.time())
    found = _AGAIN_IN.search(str(error))
    if found is None:
        return None
    return sum(float(amount) * _SECONDS[unit.lower()] for amount, unit in _PART.findall(found[1]))
