"""Where things are: pure paths, nothing is created or read here."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from studio.domain.ids import content_digest
from studio.domain.value import Value

__all__ = ["Places", "runtime_dir", "user_config_dir"]


class Places(Value, frozen=True):
    """The places of one repository. Both fields are absolute, resolved paths."""

    common: str
    """Git's common directory."""
    worktree: str
    """The working tree in use."""

    @property
    def state(self) -> Path:
        """Everything of ours that is not meant to be committed."""
        return Path(self.common) / "studio"

    @property
    def journal(self) -> Path:
        """The event log's SQLite file."""
        return self.state / "journal.sqlite"

    @property
    def engine(self) -> Path:
        """DBOS's SQLite file, beside the journal's."""
        return self.state / "engine.sqlite"

    @property
    def store(self) -> Path:
        """The bare store repository."""
        return self.state / "store.git"

    @property
    def worktrees(self) -> Path:
        """Worktrees of runs: `<run>/<name>`."""
        return self.state / "work"

    @property
    def memory(self) -> Path:
        """The embedded ChromaDB store."""
        return self.state / "memory"

    @property
    def cache(self) -> Path:
        """Caches that may be deleted at any time."""
        return self.state / "cache"

    @property
    def logs(self) -> Path:
        """Log files."""
        return self.state / "logs"

    @property
    def settings(self) -> Path:
        """What is meant to be committed: briefs, configuration, environment."""
        return Path(self.worktree) / ".studio"

    @property
    def briefs(self) -> Path:
        """Briefs, `NAME.md`."""
        return self.settings / "briefs"

    @property
    def environment(self) -> Path:
        """What the repository needs to build and test."""
        return self.settings / "environment.toml"

    @property
    def config(self) -> Path:
        """The repository's configuration."""
        return self.settings / "config.toml"

    def socket(self, environ: Mapping[str, str] = os.environ) -> Path:
        """Return the host's socket for clients and workers; short enough for a Unix socket address."""
        return runtime_dir(environ) / f"{content_digest(self.common)[:16]}.sock"


def runtime_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the directory for sockets: below XDG_RUNTIME_DIR, else one of the user's own below the temporary one."""
    base = environ.get("XDG_RUNTIME_DIR")
    if base and Path(base).is_absolute():
        return Path(base) / "quantumlayer-studio"
    return Path(tempfile.gettempdir()) / f"quantumlayer-studio-{os.getuid()}"


def user_config_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the user's configuration directory."""
    base = environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "quantumlayer-studio"
