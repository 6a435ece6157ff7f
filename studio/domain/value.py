"""The base of every value type: frozen msgspec structs that travel as JSON."""

from __future__ import annotations

from typing import TypeVar

import msgspec

__all__ = ["Value", "decode", "encode"]

T = TypeVar("T")


class Value(msgspec.Struct, frozen=True, omit_defaults=True):
    """A frozen value. Fields left at their default are not written; unknown fields are passed over when read."""


def encode(value: object) -> bytes:
    """Return `value` as compact JSON in UTF-8, keys in declaration order."""
    return msgspec.json.encode(value)


def decode(data: bytes, kind: type[T]) -> T:
    """Return `data` read as `kind`.

    Raises:
        msgspec.ValidationError: `data` is JSON but not of that shape.
        msgspec.DecodeError: `data` is not JSON.

    """
    return msgspec.json.decode(data, type=kind)
