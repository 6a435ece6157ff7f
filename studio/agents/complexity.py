"""How complex a brief is, in a few measured characteristics, and the depth that follows."""

from __future__ import annotations

import re

from studio.domain.brief import Brief
from studio.domain.stages import Depth
from studio.domain.value import Value

__all__ = ["Characteristics", "characteristics", "choose_depth"]


class Characteristics(Value, frozen=True):
    """A brief in numbers; shares are 0…1."""

    words: int
    asks: int
    """Sentences that ask for something."""
    files: int
    """Paths the brief names."""
    ambiguity: float
    constraints: float
    domains: tuple[str, ...]
    complexity: float


_DOMAINS = {
    "security": "auth login password token permission encrypt secret role oauth session csrf injection",
    "data": "database sql schema migration table query index transaction store persist sqlite postgres",
    "api": "api endpoint http rest graphql route request response json openapi webhook status",
    "interface": "page screen button form css html component layout accessible click ui frontend",
    "concurrency": "concurrent thread async lock queue race worker parallel atomic retry",
    "algorithm": "algorithm optimise optimize complexity graph parser compiler sort search schedule",
}
_WORDS = {domain: frozenset(words.split()) for domain, words in _DOMAINS.items()}
_VAGUE = frozenset(
    [
        "maybe",
        "perhaps",
        "somehow",
        "appropriate",
        "appropriately",
        "suitable",
        "nice",
        "nicely",
        "fast",
        "quickly",
        "simple",
        "modern",
        "etc",
        "various",
        "some",
        "several",
        "robust",
        "flexible",
        "intuitive",
        "friendly",
        "better",
        "improve",
        "reasonable",
        "should",
        "could",
        "might",
        "probably",
        "ideally",
    ]
)
_BOUND = frozenset(
    [
        "must",
        "never",
        "always",
        "only",
        "exactly",
        "least",
        "most",
        "within",
        "under",
        "below",
        "above",
        "maximum",
        "minimum",
        "without",
        "cannot",
        "limit",
        "compatible",
        "backwards",
        "required",
        "forbid",
    ]
)
_WORD = re.compile(r"[a-z][a-z'-]+")
_PATH = re.compile(
    r"(?<![\w/])[\w.-]+(?:/[\w.-]+)+|\b[\w-]+\.(?:py|js|ts|tsx|go|java|rs|rb|php|html|css|sql|md|toml|ya?ml|json)\b"
)
_LONG_WORDS = 400
_MANY_ASKS = 15
_QUICK_WORDS = 60
_QUICK_ASKS = 3
_DEEP = 0.75
_LARGE_TREE = 2000


def characteristics(brief: Brief) -> Characteristics:
    """Measure a brief. Deterministic: the same text, the same numbers."""
    words = _WORD.findall(brief.body.lower())
    count = max(len(words), 1)
    vocabulary = set(words)
    asks = sum(not sentence.text.startswith("#") for sentence in brief.sentences)
    domains = tuple(name for name, terms in _WORDS.items() if len(terms & vocabulary) >= 2)  # noqa: PLR2004 - one word is chance
    ambiguity = min(1.0, sum(word in _VAGUE for word in words) * 20 / count + brief.body.count("?") * 0.1)
    constraints = min(1.0, sum(word in _BOUND for word in words) * 15 / count + len(brief.front.accept) * 0.1)
    files = len(set(_PATH.findall(brief.body)))
    complexity = (
        0.35 * min(1.0, len(words) / _LONG_WORDS)
        + 0.3 * min(1.0, asks / _MANY_ASKS)
        + 0.15 * min(1.0, len(domains) / 3)
        + 0.1 * min(1.0, files / 6)
        + 0.1 * ambiguity
    )
    return Characteristics(len(words), asks, files, ambiguity, constraints, domains, round(complexity, 3))


def choose_depth(brief: Brief, tree_files: int) -> tuple[Depth, str]:
    """Return the depth for a brief that leaves it open, and why, in one line for people."""
    if brief.front.depth is not Depth.AUTO:
        return brief.front.depth, "the brief says so"
    seen = characteristics(brief)
    size = f"{seen.words} words, {seen.asks} sentences"
    small = seen.words <= _QUICK_WORDS and seen.asks <= _QUICK_ASKS
    if small and len(seen.domains) <= 1 and seen.files <= 2:  # noqa: PLR2004 - a change and its test
        return Depth.QUICK, f"a small brief ({size})"
    if seen.complexity >= _DEEP and tree_files >= _LARGE_TREE:
        return Depth.DEEP, f"a complex brief ({size}, {', '.join(seen.domains)}) for a tree of {tree_files} files"
    return Depth.STANDARD, f"{size}" + (f"; touches {', '.join(seen.domains)}" if seen.domains else "")
