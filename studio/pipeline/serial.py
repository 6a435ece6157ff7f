"""How steps and workflows are written into DBOS's tables: tagged JSON, no pickle.

Values are written as `{"$": "ClassName", "v": …}`; lists, tuples and dicts of them recurse; an exception is written by
class name and arguments. A type that is not registered fails when it is *written*, inside the step, with its name.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from enum import Enum
from typing import Any, cast

import msgspec
from dbos import Serializer

from studio.domain import errors
from studio.domain.value import Value

__all__ = ["StudioSerializer", "register", "registered"]

_values: dict[str, type[Value]] = {}
_errors: dict[str, type[BaseException]] = {
    **{name: getattr(errors, name) for name in errors.__all__ if isinstance(getattr(errors, name), type)},
    **{kind.__name__: kind for kind in (RuntimeError, ValueError, TypeError, KeyError, OSError, TimeoutError)},
}


def register(*kinds: type[Value]) -> None:
    """Let values of these types be step inputs and outputs. Names must be unique."""
    for kind in kinds:
        known = _values.setdefault(kind.__name__, kind)
        if known is not kind:
            message = f"two step types are named {kind.__name__}"
            raise TypeError(message)


def registered() -> dict[str, type[Value]]:
    """Return the registered types by name."""
    return dict(_values)


class StudioSerializer(Serializer):
    """The serializer DBOS is given."""

    def name(self) -> str:
        """Return the name rows are marked with."""
        return "studio_msgspec_1"

    def serialize(self, data: Any) -> str:
        """Return `data` as tagged JSON.

        Raises:
            TypeError: a part of it is of a type that is not registered.

        """
        return msgspec.json.encode(_pack(data)).decode()

    def deserialize(self, serialized_data: str) -> Any:
        """Return what `serialize` was given."""
        return _unpack(msgspec.json.decode(serialized_data))


def _pack(data: Any) -> Any:
    if isinstance(data, Enum):
        return data.value
    if data is None or isinstance(data, bool | int | float | str):
        return data
    if isinstance(data, list | tuple | set):
        return _pack_items(cast("list[Any] | tuple[Any, ...] | set[Any]", data))
    tag, value = _tagged(data)
    return {"$": tag, "v": value}


def _tagged(data: Any) -> tuple[str, Any]:
    if isinstance(data, bytes):
        return "bytes", base64.b64encode(data).decode()
    if isinstance(data, dict):
        items = cast("dict[Any, Any]", data)
        return "dict", [[_pack(key), _pack(value)] for key, value in items.items()]
    if isinstance(data, BaseException):
        return "error", [type(data).__name__, *(_pack(argument) for argument in _arguments(data))]
    name = type(data).__name__
    if _values.get(name) is not type(data):
        message = f"{type(data).__module__}.{name} is not a registered step type"
        raise TypeError(message)
    return name, msgspec.to_builtins(data)


def _pack_items(data: list[Any] | tuple[Any, ...] | set[Any]) -> Any:
    items = [_pack(item) for item in data]
    return items if isinstance(data, list) else {"$": type(data).__name__, "v": items}


def _arguments(error: BaseException) -> tuple[Any, ...]:
    if isinstance(error, errors.StudioError):
        return (error.what, error.do)
    return tuple(arg if isinstance(arg, str | int | float | bool | None) else repr(arg) for arg in error.args)


def _unpack(data: Any) -> Any:
    if isinstance(data, list):
        return [_unpack(item) for item in cast("list[Any]", data)]
    if not isinstance(data, dict):
        return data
    tagged = cast("dict[str, Any]", data)
    reader = _readers.get(tagged["$"])
    return reader(tagged["v"]) if reader else msgspec.convert(tagged["v"], _values[tagged["$"]])


def _read_error(value: Any) -> BaseException:
    name, *arguments = value
    arguments = [_unpack(argument) for argument in arguments]
    kind = _errors.get(name)
    return kind(*arguments) if kind else RuntimeError(f"{name}: {arguments}")


_readers: dict[str, Callable[[Any], Any]] = {
    "bytes": base64.b64decode,
    "tuple": lambda value: tuple(_unpack(item) for item in value),
    "set": lambda value: {_unpack(item) for item in value},
    "dict": lambda value: {_unpack(key): _unpack(item) for key, item in value},
    "error": _read_error,
}
