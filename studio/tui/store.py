"""What all panes look at: the folded state, the run and brief in view, live streams, the connection."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from studio.domain.changes import ChangeSet
    from studio.domain.state import RunState, StudioState
    from studio.protocol.ask import Asks
    from studio.tui.session import Session

__all__ = ["Store"]

TAIL_BYTES = 8192
"""Bytes of a live stream kept for the timeline."""


class Store(msgspec.Struct):
    """The state the panes present. Changed on the loop only, by the bridge and the screen."""

    project: str
    name: str = ""
    """The person's."""
    connection: str = "connecting"
    """`connecting`, `live`, `reconnecting` or `offline`."""
    trouble: str = ""
    """Why it is offline, and what to do."""
    state: StudioState | None = None
    run_id: str = ""
    """The run in view; empty for none."""
    brief: str = ""
    changes: ChangeSet | None = None
    """The change set of the run in view."""
    changes_of: tuple[str, str] = ("", "")
    """Run and artifact `changes` was read from."""
    tails: dict[str, bytearray] = msgspec.field(default_factory=dict[str, bytearray])
    session: Session | None = None
    clock: Callable[[], float] = time.time
    """Unix seconds now."""

    @property
    def run(self) -> RunState | None:
        """The run in view."""
        return self.state.runs.get(self.run_id) if self.state is not None else None  # pyright: ignore[reportArgumentType, reportCallIssue] an id as text

    @property
    def host(self) -> Asks:
        """Who answers commands.

        Raises:
            StudioError: there is no connection.

        """
        if self.session is None or self.connection != "live":
            from studio.domain.errors import InternalError

            raise InternalError("There is no connection to the host.", "Wait until it is back, then do it again.")
        host: Any = self.session
        return host

    def latest_run(self) -> str:
        """Return the id of the latest run of the brief in view, else of any brief, else nothing."""
        runs = list(self.state.runs.values()) if self.state is not None else []
        mine = [run for run in runs if run.brief == self.brief]
        return (mine or runs)[-1].id if runs else ""

    def add_tail(self, stream: str, data: bytes) -> None:
        """Keep the end of a live stream."""
        tail = self.tails.setdefault(stream, bytearray())
        tail += data
        if len(tail) > 2 * TAIL_BYTES:
            del tail[:-TAIL_BYTES]
