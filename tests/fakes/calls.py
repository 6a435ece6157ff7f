"""What model tests share: a real journal, and a context that keeps what it is told."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from pathlib import Path

from studio.domain.events import Event, ModelCalled, ModelFailed, ModelReplied
from studio.domain.ids import RunId
from studio.domain.models import CallAddress, Message, ModelRequest, ToolSpec
from studio.domain.places import Places
from studio.domain.runs import DEFAULT_BUDGET, Budget
from studio.journal import JournalStore, open_store
from studio.ports.models import OnDelta

__all__ = ["EDIT_TOOL", "RUN", "Context", "a_request", "a_store"]

RUN = RunId("r-00000001")
_numbers = itertools.count(1)


@dataclass
class Context:
    """A call's context that keeps its events and its text as it streamed in."""

    run: RunId = RUN
    call: str = ""
    budget: Budget = DEFAULT_BUDGET
    events: list[Event] = field(default_factory=list[Event])
    deltas: list[str] = field(default_factory=list[str])
    on_delta: OnDelta | None = None

    def __post_init__(self) -> None:
        self.call = self.call or f"call-{next(_numbers)}"
        self.on_delta = self.on_delta or self.deltas.append

    def emit(self, *events: object) -> None:
        for event in events:
            assert isinstance(event, ModelCalled | ModelFailed | ModelReplied)
            self.events.append(event)

    @property
    def kinds(self) -> list[str]:
        """The events' names, in order."""
        return [type(event).__name__ for event in self.events]

    @property
    def called(self) -> ModelCalled:
        """The one `model.called`."""
        (event,) = [event for event in self.events if isinstance(event, ModelCalled)]
        return event

    @property
    def failures(self) -> list[ModelFailed]:
        """Every `model.failed`."""
        return [event for event in self.events if isinstance(event, ModelFailed)]

    @property
    def replied(self) -> ModelReplied:
        """The one `model.replied`."""
        (event,) = [event for event in self.events if isinstance(event, ModelReplied)]
        return event


EDIT_TOOL = ToolSpec("edit", "Edit a file.", '{"type": "object", "properties": {"path": {"type": "string"}}}')


def a_request(
    text: str = "Do it.", *, number: int = 1, tools: tuple[ToolSpec, ...] = (), **fields: object
) -> ModelRequest:
    """Return a small request at `build/T1/1/NUMBER`."""
    messages = (Message("system", "You build."), Message("user", text))
    address = CallAddress("build", "T1", 1, number)
    return ModelRequest(messages, address, "builder", tools=tools, max_tokens=100, **fields)  # pyright: ignore[reportArgumentType] - test convenience


def a_store(folder: Path) -> JournalStore:
    """Return a real journal in a folder."""
    return open_store(Places(str(folder), str(folder)))
