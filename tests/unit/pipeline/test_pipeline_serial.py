"""What DBOS is given to write down: every registered type comes back as it was, and nothing else is taken."""

from __future__ import annotations

import importlib
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.domain.errors import BudgetSpent, GateWaiting
from studio.domain.stages import Stage
from studio.domain.value import Value
from studio.pipeline.serial import StudioSerializer, register, registered
from tests.fakes.any_value import any_value

# The worker imports every module that registers types.
importlib.import_module("studio.pipeline.worker")
SERIALIZER = StudioSerializer()


def again(value: Any) -> Any:
    return SERIALIZER.deserialize(SERIALIZER.serialize(value))


@pytest.mark.parametrize("name", sorted(registered()))
@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_registered_types_come_back(name: str, data: st.DataObject) -> None:
    value = data.draw(any_value(registered()[name]))
    assert again(value) == value
    assert again([value, (value, None)]) == [value, (value, None)]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8) | st.binary(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=4) | st.integers(0, 9), inner, max_size=3),
        max_leaves=12,
    )
)  # fmt: skip
def test_plain_data_comes_back(value: Any) -> None:
    assert again(value) == value


def test_text_that_looks_like_a_tag_is_text() -> None:
    assert again({"$": "tuple", "v": [1]}) == {"$": "tuple", "v": [1]}


def test_errors_come_back_with_what_to_do() -> None:
    error = again(BudgetSpent("Spent.", "Raise it."))
    assert isinstance(error, BudgetSpent)
    assert (error.what, error.do) == ("Spent.", "Raise it.")
    assert isinstance(again(GateWaiting("x")), GateWaiting)
    assert isinstance(again(ValueError("x", 3)), ValueError)
    unknown = again(LookupError("gone"))
    assert "LookupError" in str(unknown)


def test_enums_are_their_values() -> None:
    assert again(Stage.BUILD) == Stage.BUILD


class Stranger(Value, frozen=True):
    """A type nobody registered."""

    at: int = 0


class NotAValue(msgspec.Struct):
    """Not even a value."""


@pytest.mark.parametrize("value", [Stranger(1), NotAValue(), object(), [Stranger()], {"a": (Stranger(),)}])
def test_other_types_are_refused_by_name(value: object) -> None:
    with pytest.raises(TypeError, match=r"Stranger|NotAValue|object"):
        SERIALIZER.serialize(value)


def test_two_types_of_one_name_are_refused() -> None:
    with pytest.raises(TypeError, match="RunSpec"):
        register(type("RunSpec", (Value,), {}, frozen=True))
