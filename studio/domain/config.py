"""The configuration: the user's `config.toml`, overridden by the repository's `.studio/config.toml`."""

from __future__ import annotations

from studio.domain.runs import Budget
from studio.domain.value import Value

__all__ = ["Config", "Environment", "MemoryConfig", "ModelConfig"]


class ModelConfig(Value, frozen=True, forbid_unknown_fields=True):
    """Models and how they are called."""

    default: str = ""
    """The model spec of a run that names none."""
    api_base: str = ""
    """Base URL for LiteLLM names given without one of their own."""
    tiers: dict[str, tuple[str, ...]] = {}
    """Ordered LiteLLM names by tier `t0`…`t3`; a tier without a list uses the run's model."""
    fallbacks: tuple[str, ...] = ()
    """LiteLLM names tried in order after the tier's."""
    timeout_seconds: float = 120.0
    """For a reply's first byte, and between two of its bytes."""
    attempts: int = 4
    """Requests per model before the next one."""
    cache: bool = True
    text_only: tuple[str, ...] = ()
    """Models that are asked in the text protocol although they take tools."""


class MemoryConfig(Value, frozen=True, forbid_unknown_fields=True):
    """Memory."""

    url: str = ""
    """A ChromaDB server; empty for the embedded store."""
    embedder: str = "auto"
    """`auto` (MiniLM if its weights are here), `none`, or a LiteLLM embedding model."""


class Config(Value, frozen=True, forbid_unknown_fields=True):
    """All of it."""

    database: str = ""
    """A PostgreSQL URL; empty for SQLite files."""
    workers: int = 1
    sandbox: str = "auto"
    image: str = "quantumlayer-studio"
    """The Docker image commands run in."""
    name: str = ""
    """The person's name; empty for git's `user.name`."""
    theme: str = "studio-dark"
    idle_seconds: float = 60.0
    """How long the host stays with nobody attached and nothing running."""
    trust: tuple[str, ...] = ()
    """Absolute paths of repositories whose own files may name other machines, databases and secret variables. Yours alone: a
    repository cannot set it."""
    budget: Budget = Budget()
    models: ModelConfig = ModelConfig()
    memory: MemoryConfig = MemoryConfig()


class Environment(Value, frozen=True, forbid_unknown_fields=True):
    """`.studio/environment.toml`: what the repository needs to build and test."""

    setup: tuple[str, ...] = ()
    """Shell commands run once, with network granted."""
    mounts: tuple[str, ...] = ()
    """Ignored paths mounted read-only, relative to the working tree: `node_modules`, `.venv`."""
    services: tuple[str, ...] = ()
    """Shell commands started before tests and stopped after."""
    variables: tuple[str, ...] = ()
    """Names of variables passed in from the person's environment; secret ones where the repository is trusted."""
    run: str = ""
    """The shell command that starts the program, for the run stage."""
    test: str = ""
    """The shell command that runs the tests, where the default does not serve."""
