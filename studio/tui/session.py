"""What the studio needs of a connection to the host. `studio.protocol.client.HostClient` is one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from studio.protocol.client import Event

__all__ = ["Session", "SessionFactory"]


class Session(Protocol):
    """A connection to the host."""

    async def ask(self, command: Any, /) -> Any:
        """Send a command, return its answer; raises `StudioError`."""
        ...

    def subscribe(self, after: int = -1, *, streams: bool = True) -> AsyncIterator[Event]:
        """Iterate over what happens, a snapshot first, until the connection ends."""
        ...

    async def reconnect(self) -> None:
        """Connect again; raises `StudioError`."""
        ...

    async def close(self) -> None:
        """Close the connection; what runs goes on."""
        ...


SessionFactory: TypeAlias = "Callable[[], Awaitable[Session]]"
"""Opens a session, starting the host if need be; raises `StudioError`."""
