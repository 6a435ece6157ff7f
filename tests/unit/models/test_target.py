"""Where requests go, and which keys may go there."""

from __future__ import annotations

import pytest

from studio.models.target import make_target

KEYS = {"OPENAI_API_KEY": "paid", "ANTHROPIC_API_KEY": "also paid"}
ELSEWHERE = "https://models.example.org/v1"


@pytest.mark.parametrize(
    ("name", "model", "key"),
    [
        ("openai/gpt-4o", "openai/gpt-4o", "paid"),
        ("gpt-4o", "openai/gpt-4o", "paid"),
        ("claude-sonnet-4-5", "anthropic/claude-sonnet-4-5", "also paid"),
        ("groq/openai/gpt-oss-120b", "groq/openai/gpt-oss-120b", ""),
    ],
)
def test_names_have_a_provider_and_its_key(name: str, model: str, key: str) -> None:
    target = make_target(name, KEYS)
    assert (target.model, target.api_key, target.api_base) == (model, key, "")


def test_a_base_the_person_typed_gets_the_key() -> None:
    assert make_target("openai/x", KEYS, given_base=ELSEWHERE).api_key == "paid"


@pytest.mark.parametrize("name", ["openai/x@" + ELSEWHERE, "openai/x"])
def test_a_base_a_repository_may_have_named_gets_no_providers_key(name: str) -> None:
    target = make_target(name, KEYS, configured_base=ELSEWHERE)
    assert (target.api_base, target.api_key) == (ELSEWHERE, "none")
    own = {**KEYS, "STUDIO_API_KEY": "for my server"}
    assert make_target(name, own, configured_base=ELSEWHERE).api_key == "for my server"


def test_the_base_in_the_environment_is_the_providers() -> None:
    target = make_target("openai/x", {**KEYS, "OPENAI_BASE_URL": ELSEWHERE})
    assert (target.api_base, target.api_key) == (ELSEWHERE, "paid")


def test_this_machine_needs_no_key() -> None:
    target = make_target("openai/qwen3:8b@http://127.0.0.1:11434/v1", {})
    assert (target.model, target.api_base, target.api_key) == ("openai/qwen3:8b", "http://127.0.0.1:11434/v1", "none")
    assert target.label == "openai/qwen3:8b@http://127.0.0.1:11434/v1"
