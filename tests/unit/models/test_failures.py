"""What an attempt's exception means."""

from __future__ import annotations

import email.utils
import time

import pytest

from studio.models.attempts import Pacing
from studio.models.failures import EmptyReply, Failure, StreamCut, failure_of, retry_after


class Refused(Exception):
    """An exception with what LiteLLM's carry."""

    def __init__(self, text: str, status: int | None = None, headers: dict[str, str] | None = None) -> None:
        super().__init__(text)
        self.status_code = status
        self.litellm_response_headers = headers


@pytest.mark.parametrize(
    ("error", "kind", "retry"),
    [
        (Refused("no", 401), "unauthorized", False),
        (Refused("no", 403), "unauthorized", False),
        (Refused("pay", 402), "quota", False),
        (Refused("You exceeded your current quota", 429), "quota", False),
        (Refused("slow down", 429), "rate limit", True),
        (Refused("what", 400), "request", False),
        (Refused("oops", 500), "server", True),
        (Refused("oops", 529), "server", True),
        (ValueError("unexpected"), "server", True),
        (TimeoutError(), "timeout", True),
        (StreamCut(), "cut", True),
        (EmptyReply(), "empty", True),
    ],
)
def test_kinds(error: Exception, kind: str, retry: bool) -> None:
    failure = failure_of(error)
    assert (failure.kind, failure.retry) == (kind, retry)
    assert failure.text


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (Refused("", 429, {"Retry-After": "7"}), 7.0),
        (Refused("", 429, {"retry-after-ms": "250", "retry-after": "1"}), 0.25),
        (Refused("Please try again in 1m2.5s.", 429), 62.5),
        (Refused("Please try again in 20ms", 429), 0.02),
        (Refused("retry after 3 seconds", 429), 3.0),
        (Refused("come back", 429), None),
        (Refused("", 429, {"Retry-After": "soon"}), None),
    ],
)
def test_the_pause_a_provider_asks_for(error: Exception, seconds: float | None) -> None:
    assert retry_after(error) == (None if seconds is None else pytest.approx(seconds))


def test_the_pause_may_be_a_date() -> None:
    date = email.utils.formatdate(time.time() + 3600, usegmt=True)
    assert retry_after(Refused("", 503, {"Retry-After": date})) == pytest.approx(3600, abs=60)


def test_texts_are_one_bounded_line() -> None:
    failure = failure_of(
        Refused("litellm.RateLimitError: RateLimitError: OpenAIException - slow\ndown " + "x" * 999, 429)
    )
    assert failure.text.startswith("slow down x")
    assert len(failure.text) == 300


def test_backoff_grows_is_jittered_and_bounded() -> None:
    pacing = Pacing(first_seconds=1, longest_seconds=10)
    for attempt, bound in ((1, 1), (2, 2), (3, 4), (9, 10)):
        assert bound / 2 <= pacing.wait(attempt, Failure("server", "")) <= bound
    assert 5 <= pacing.wait(1, Failure("rate limit", "", after=5)) <= 5.25
