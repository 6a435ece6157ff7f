"""What looking at one part showed."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from studio.domain.errors import StudioError
from studio.domain.value import Value

__all__ = ["Finding", "State", "guarded"]


class State(StrEnum):
    """How a part stands. Only what no run can do without is `broken`."""

    OK = "ok"
    ADVICE = "advice"
    BROKEN = "broken"


class Finding(Value, frozen=True):
    """One part: what was found, what that means, what to do."""

    part: str
    state: State
    found: str
    means: str = ""
    do: str = ""


def guarded(part: str, look: Callable[[], list[Finding]]) -> list[Finding]:
    """Return what `look` finds; an error of it is a finding too, so that one broken part hides no other."""
    try:
        return look()
    except StudioError as error:
        return [Finding(part, State.BROKEN, error.what, "It cannot be used as it is.", error.do)]
    except Exception as error:  # noqa: BLE001 -- a look at a broken machine may fail in any way, and says how
        said = f"Looking at it failed: {type(error).__name__}: {error}"
        return [Finding(part, State.BROKEN, said, "What it means could not be told.", "Please report it.")]
