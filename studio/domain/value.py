"""The base of every value type: frozen msgspec structs that travel as JSON."""

from __future__ import annotations

from typing import Any, TypeVar, cast

import msgspec

__all__ = ["Value", "decode", "encode"]

T = TypeVar("T")


class Value(msgspec.Struct, frozen=True, omit_defaults=True):
    """A frozen value. Fields left at their default are not written; unknown fields are passed over when read."""


def encode(value: object) -> bytes:
    """Return `value` as compact JSON in UTF-8, keys in declaration order.

    Half a surrogate pair, which JSON from a model can spell and UTF-8 cannot hold, is written as U+FFFD.
    """
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return msgspec.json.encode(_whole(msgspec.to_builtins(value)))


def _whole(value: Any) -> Any:
    """Return plain data with surrogate pairs joined and halves replaced."""
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, dict):
        return {_whole(key): _whole(item) for key, item in cast("dict[Any, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [_whole(item) for item in cast("list[Any]", value)]
    return value


def decode(data: bytes, kind: type[T]) -> T:
    """Return `data` read as `kind`.

    Raises:
        msgspec.ValidationError: `data` is JSON but not of that shape.
        msgspec.DecodeError: `data` is not JSON.

    """
    return msgspec.json.decode(data, type=kind)
