"""Git: snapshots, worktrees of runs, change sets, landing, undo."""

from __future__ import annotations

from studio.workspace.person import discover
from studio.workspace.workspace import GitWorkspace

__all__ = ["GitWorkspace", "discover"]
