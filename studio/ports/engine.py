"""Checks, context and memory, as the pipeline sees them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Protocol

from studio.domain.brief import Brief
from studio.domain.checks import CheckResult, Finding
from studio.domain.memory import Collection, ContextPack, MemoryItem, Recalled
from studio.domain.value import Value
from studio.ports.sandbox import Sandbox

__all__ = ["CheckJob", "Checks", "ContextIndex", "Memory", "OnCheck", "Symbol", "SyntaxGate"]


class CheckJob(Value, frozen=True):
    """What to check."""

    tree: Path
    """Directory holding the tree; checks may write into it, what they write is thrown away."""
    tree_id: str
    changed: tuple[str, ...] = ()
    """Paths the change set touches; empty checks everything."""
    changed_lines: tuple[tuple[str, tuple[int, ...]], ...] = ()
    """Lines added or changed, for coverage."""
    accept: tuple[str, ...] = ()
    """The brief's `accept` commands."""
    tier: str = "all"
    """`fast` (syntax, lint) or `all`."""
    only: tuple[str, ...] = ()
    """Run these checks only, by name."""
    test_command: str = ""
    """The environment's shell command for tests; empty for the default runners."""
    services: tuple[str, ...] = ()
    """The environment's shell commands that run beside tests and `accept` commands."""


OnCheck = Callable[[str, CheckResult | None, bytes], Awaitable[None]]
"""Awaited with (check, None, b"") when it starts, (check, None, bytes) as it prints, (check, result, b"") when it ends."""


class Checks(Protocol):
    """The validation mesh."""

    def names(self, job: CheckJob) -> tuple[str, ...]:
        """Return the checks that apply to the tree, in the order they are started."""
        ...

    async def run(self, job: CheckJob, sandbox: Sandbox | None, on_check: OnCheck | None = None) -> list[CheckResult]:
        """Run them, fastest first, in parallel where they are independent. Without a sandbox: each says *not run*."""
        ...


class Symbol(Value, frozen=True):
    """A definition."""

    name: str
    kind: str
    path: str
    start_line: int
    end_line: int
    signature: str = ""


class SyntaxGate(Protocol):
    """Parsing, for the edit ladder and the syntax check."""

    def language(self, path: str) -> str | None:
        """Return the language of a path, None if it is not parsed."""
        ...

    def errors(self, path: str, data: bytes) -> list[Finding]:
        """Return syntax errors of a file; empty for an unknown language or a clean file."""
        ...


class ContextIndex(Protocol):
    """What the tree holds: definitions, references, a map within a token budget."""

    def repo_map(self, tree: Path, files: Sequence[tuple[str, str]], tokens: int, focus: Sequence[str]) -> str:
        """Return a ranked map. `files` are (path, blob id)."""
        ...

    def outline(self, path: str, data: bytes) -> list[Symbol]:
        """Return a file's definitions in order."""
        ...

    def gather(
        self,
        brief: Brief,
        tree: Path,
        files: Sequence[tuple[str, str]],
        tokens: int,
        private: Sequence[str],
        memories: Sequence[Recalled] = (),
    ) -> ContextPack:
        """Return the context pack for a brief; nothing of a `private` path is in it."""
        ...


class Memory(Protocol):
    """What was learned. One owner process."""

    @property
    def ranking(self) -> str:
        """How results are ranked: `lexical`, or `lexical + MODEL`."""
        ...

    def recall(self, query: str, collections: Sequence[Collection], limit: int) -> list[Recalled]:
        """Return the best items that are not retracted or expired, with why."""
        ...

    def remember(self, items: Sequence[MemoryItem]) -> None:
        """Add items, or replace those with the same id."""
        ...

    def get(self, item: str) -> MemoryItem | None:
        """Return an item."""
        ...

    def forget(self, item: str) -> bool:
        """Remove an item; False if there was none."""
        ...

    def rebuild(self, items: Sequence[MemoryItem]) -> None:
        """Make the store hold exactly these."""
        ...

    def close(self) -> None:
        """Release the store."""
        ...
