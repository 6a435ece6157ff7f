"""Secrets are found by value, by form, and by name with randomness; ordinary code is left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.models.redaction import Redactor, redact

PRIVATE_KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAK\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    "secret",
    [
        "sk-ant-api03-" + "aB3" * 10,
        "sk-proj-" + "aB3" * 10,
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_" + "a1B2" * 9,
        "github_pat_" + "a1B2" * 9,
        "glpat-" + "a1B2" * 5,
        "xoxb-" + "1234567890-abcdef",
        "AIza" + "a1B2_" * 7,
        "hf_" + "aB3" * 11,
        "npm_" + "a1B2" * 9,
        "sk_live_" + "a1B2" * 5,
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefghijkl",
        PRIVATE_KEY,
    ],
)
def test_known_kinds_of_keys_go(secret: str) -> None:
    text, count = redact(f"before {secret} after")
    assert count == 1
    assert secret not in text
    assert text.startswith("before [redacted ")
    assert text.endswith("] after")


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("DB_PASSWORD=9fK2mQ7zLp4XvB1n", "9fK2mQ7zLp4XvB1n"),
        ('api_key = "9fK2mQ7zLp4XvB1nRt"', "9fK2mQ7zLp4XvB1nRt"),
        ("{'auth_token': 'Zx81kLm20QpRt57Y'}", "Zx81kLm20QpRt57Y"),
        ("postgresql://app:hunter22@db/prod", "hunter22"),
        ("Authorization: Bearer abcDEF0123456789abcDEF", "abcDEF0123456789abcDEF"),
    ],
)
def test_assigned_values_go_and_their_names_stay(text: str, secret: str) -> None:
    clean, count = redact(text)
    assert count == 1
    assert secret not in clean
    assert clean.startswith(text.partition(secret)[0])


@pytest.mark.parametrize(
    "text",
    [
        'token = os.environ["GITHUB_TOKEN"]',
        "def primary_key(self) -> KeyColumn: ...",
        "key = sort_by_modification_time",
        "password: str = field(default_factory=make_password)",
        'TOKEN_URL = "https://example.org/oauth/token"',
        "SECRET_KEY = get_random_secret_key()",
        "see https://example.org:8080/path@v1",
        "a" * 5000,
        "cache_key=content_digest(request)",
    ],
)
def test_code_without_secrets_is_left_alone(text: str) -> None:
    assert redact(text) == (text, 0)


def test_values_of_our_own_environment_go_whatever_they_look_like() -> None:
    environ = {
        "SERVICE_PASSWORD": "correct horse",
        "PATH": "/usr/bin:/bin",
        "API_KEY": "short",
        "SSH_KEY_PATH": "/home/x/key",
    }
    redactor = Redactor.of(environ)
    assert redactor.redact("say correct horse, short, /usr/bin:/bin, /home/x/key") == (
        "say [redacted environment value], short, /usr/bin:/bin, /home/x/key",
        1,
    )


@given(st.text(max_size=400))
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    once, _ = redact(text)
    assert redact(once) == (once, 0)
