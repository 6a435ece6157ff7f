"""The landing under way, noted beside the log, so that one whose host died before recording it is recorded by the next."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from studio.domain.ids import LandingId, RunId
from studio.domain.places import Places
from studio.domain.value import Value, decode, encode

__all__ = ["Pending", "clear", "note", "read"]


class Pending(Value, frozen=True):
    """A landing or undo about to be carried out."""

    landing: LandingId
    run: RunId
    actor: str


def _file(places: Places) -> Path:
    return places.state / "landing.json"


def note(places: Places, pending: Pending) -> None:
    """Note what is about to be carried out; it is on the disk when this returns."""
    aside = _file(places).with_suffix(".new")
    with aside.open("wb") as file:
        file.write(encode(pending))
        file.flush()
        os.fsync(file.fileno())
    aside.replace(_file(places))


def read(places: Places) -> Pending | None:
    """Return what was noted and not cleared."""
    try:
        return decode(_file(places).read_bytes(), Pending)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def clear(places: Places) -> None:
    """Forget the note: it is recorded, or nothing was written."""
    _file(places).unlink(missing_ok=True)
