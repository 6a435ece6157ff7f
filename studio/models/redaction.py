"""Secrets are taken out of what is sent to a model and of what is logged.

Three ways of knowing a secret, from certain to likely: it is the value of one of our own environment variables that is
named like a secret; it has the form of a known kind of key; it is assigned to a name that says so and looks random
(Shannon entropy). The forms follow the providers' published key formats, as secret scanners (gitleaks, detect-secrets) use them.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping

import msgspec

from studio.domain.models import Message, ModelRequest, ToolCall, ToolSpec
from studio.domain.value import Value

__all__ = ["Redactor", "names_secret", "redact"]

_KINDS: tuple[tuple[str, str], ...] = (
    (
        "private key",
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----[\s\S]+?-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----",
    ),
    ("Anthropic key", r"\bsk-ant-[A-Za-z0-9_-]{20,}"),
    ("OpenAI key", r"\bsk-(?:proj-|svcacct-|or-v1-)?[A-Za-z0-9_-]{20,}"),
    ("AWS key id", r"\b(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}\b"),
    ("GitHub token", r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})"),
    ("GitLab token", r"\bgl(?:pat|dt|rt|cbt)-[A-Za-z0-9_-]{20,}"),
    ("Slack token", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
    ("Google key", r"\bAIza[0-9A-Za-z_-]{35}"),
    ("Hugging Face token", r"\bhf_[A-Za-z0-9]{30,}"),
    ("npm token", r"\bnpm_[A-Za-z0-9]{36}"),
    ("PyPI token", r"\bpypi-AgE[A-Za-z0-9_-]{50,}"),
    ("Stripe key", r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}"),
    ("SendGrid key", r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
    ("Groq key", r"\bgsk_[A-Za-z0-9]{40,}"),
    ("xAI key", r"\bxai-[A-Za-z0-9]{40,}"),
    ("JSON web token", r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"),
)
_KNOWN = re.compile("|".join(f"(?P<k{at}>{form})" for at, (_, form) in enumerate(_KINDS)))
_URL = re.compile(
    r"(?P<head>\b[a-z][a-z0-9+.-]{1,20}://[^\s:/@'\"<>{}$]{0,64}:)(?P<secret>[^\s:/@'\"<>{}$]{3,128})(?=@)"
)
_BEARER = re.compile(r"(?P<head>\b[Bb]earer\s+)(?P<secret>[A-Za-z0-9._~+/-]{20,}=*)")
_ASSIGNED = re.compile(
    r"(?P<head>\b[A-Za-z0-9_.-]{0,64}(?:key|token|secret|passw(?:or)?d|credential)[A-Za-z0-9_]{0,32}"
    r"[\"']?\s{0,8}(?::|=>?|:=)\s{0,8}(?P<quote>[\"'`]?))(?P<secret>[A-Za-z0-9+/=_.~!@#%^&*-]{16,256})(?=(?P=quote)[\s,;)}\]]|(?P=quote)$)",
    re.IGNORECASE,
)
_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSW(OR)?D|PASSPHRASE|CREDENTIAL|_PAT$|_DSN$", re.IGNORECASE)
_NOT_SECRET_NAME = re.compile(
    r"(_PATH|_FILE|_DIR|_HOME|_ID|_NAME|_URL|_SOCK|_COMMAND|_TYPE)$|^(SSH_|XDG_|KEYBOARD)", re.IGNORECASE
)
_SHORTEST = 8
"""Environment values shorter than this are words that occur everywhere."""
_RANDOM_BITS = 3.4
"""Bits of entropy a character: English identifiers of 16 to 32 characters stay below, random base 64 is above 4."""


_CONTEXTS = ((_URL, "password", False), (_BEARER, "token", False), (_ASSIGNED, "secret", True))
"""(form, kind, whether it must also look random)."""


def _entropy(text: str) -> float:
    counts = Counter(text)
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts.values())


def _looks_random(text: str) -> bool:
    classes = sum(any(test(char) for char in text) for test in (str.islower, str.isupper, str.isdigit))
    return classes > 1 and any(char.isdigit() for char in text) and _entropy(text) >= _RANDOM_BITS


def _mark(kind: str) -> str:
    return f"[redacted {kind}]"


def _known(match: re.Match[str]) -> str:
    return _mark(_KINDS[int((match.lastgroup or "k0")[1:])][0])


def _hide(text: str, form: re.Pattern[str], kind: str, random_only: bool) -> tuple[str, int]:
    count = 0

    def hide(match: re.Match[str]) -> str:
        nonlocal count
        if random_only and not _looks_random(match["secret"]):
            return match[0]
        count += 1
        return match["head"] + _mark(kind)

    return form.sub(hide, text), count


def names_secret(name: str) -> bool:
    """Return whether an environment variable is named like a secret."""
    return bool(_SECRET_NAME.search(name)) and not _NOT_SECRET_NAME.search(name)


class Redactor(Value, frozen=True):
    """Takes secrets out of texts."""

    secrets: tuple[str, ...] = ()
    """Texts that are secrets whatever they look like, longest first."""

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Redactor:
        """Return a redactor that knows the values of variables named like secrets."""
        values = {value for name, value in environ.items() if len(value) >= _SHORTEST and names_secret(name)}
        return cls(tuple(sorted(values, key=lambda value: (-len(value), value))))

    def redact(self, text: str) -> tuple[str, int]:
        """Return `text` without secrets, and how many were taken out."""
        count = 0
        for secret in self.secrets:
            found = text.count(secret)
            if found:
                text = text.replace(secret, _mark("environment value"))
                count += found
        text, known = _KNOWN.subn(_known, text)
        count += known
        for form, kind, random_only in _CONTEXTS:
            text, hidden = _hide(text, form, kind, random_only)
            count += hidden
        return text, count

    def request(self, request: ModelRequest) -> tuple[ModelRequest, int]:
        """Return a request without secrets, and how many were taken out."""
        total = 0

        def clean(text: str) -> str:
            nonlocal total
            text, count = self.redact(text)
            total += count
            return text

        messages = tuple(
            Message(
                message.role,
                clean(message.content),
                tuple(ToolCall(call.id, call.name, clean(call.arguments)) for call in message.calls),
                message.call,
            )
            for message in request.messages
        )
        tools = tuple(ToolSpec(tool.name, clean(tool.description), tool.parameters) for tool in request.tools)
        return msgspec.structs.replace(request, messages=messages, tools=tools), total


def redact(text: str) -> tuple[str, int]:
    """Return `text` without what has the form of a secret, and how many were taken out."""
    return Redactor().redact(text)
