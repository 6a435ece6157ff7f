"""What looks like a secret in an untracked file: by name, and by the start of its content."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

__all__ = ["HEAD_BYTES", "secret_in", "secret_name"]

HEAD_BYTES = 65_536
"""How much of a file is looked at."""

_NAMES = re.compile(
    r"""
      \.env | \.env\.(?!example$|sample$|template$|dist$).+ | .+\.env
    | .*\.(pem|key|p12|pfx|jks|keystore|kdbx|ppk|asc\.key|ovpn)
    | id_(rsa|dsa|ecdsa|ed25519)(_sk)?(\..*)?(?<!\.pub)
    | \.?(netrc|_netrc|pgpass|npmrc|pypirc|htpasswd|git-credentials|dockercfg)
    | (client_)?secrets?(\.(json|ya?ml|toml|ini|txt|env))?
    | credentials?(\..*)? | service[-_]?account.*\.json
    | .*\.tfvars(\.json)? | .*\.tfstate(\.backup)?
    """,
    re.VERBOSE | re.IGNORECASE,
)
_DIRECTORIES = frozenset({".ssh", ".aws", ".gnupg", ".azure", ".kube", ".docker"})
_SIGNATURES: tuple[tuple[str, re.Pattern[bytes]], ...] = (
    ("a private key", re.compile(rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----")),
    ("an AWS access key", re.compile(rb"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")),
    ("a GitHub token", re.compile(rb"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{60,})")),
    ("a GitLab token", re.compile(rb"\bglpat-[A-Za-z0-9_-]{20,}")),
    ("a Slack token", re.compile(rb"\bxox[abprs]-[A-Za-z0-9-]{20,}")),
    ("a Google API key", re.compile(rb"\bAIza[0-9A-Za-z_-]{35}\b")),
    ("a model provider's key", re.compile(rb"\bsk-(?:ant-|proj-|or-)?[A-Za-z0-9_-]{32,}")),
    ("a Stripe key", re.compile(rb"\b[rs]k_live_[0-9A-Za-z]{20,}")),
    ("an age key", re.compile(rb"\bAGE-SECRET-KEY-1[0-9A-Z]{50,}")),
)


def secret_name(path: str) -> str:
    """Return why the name of a file suggests a secret, empty if it does not."""
    parts = PurePosixPath(path).parts
    if _DIRECTORIES.intersection(parts[:-1]):
        return "in a directory for secrets"
    return "named like a secret" if _NAMES.fullmatch(parts[-1]) else ""


def secret_in(head: bytes) -> str:
    """Return what secret the first `HEAD_BYTES` bytes of a file hold, empty if none is recognised."""
    return next((f"holds {label}" for label, pattern in _SIGNATURES if pattern.search(head)), "")
