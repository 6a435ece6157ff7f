"""Hypothesis strategies for msgspec structs, read off their fields."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import strategies as st
from msgspec import inspect as mi

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_PLAIN: dict[type, st.SearchStrategy[Any]] = {
    mi.StrType: _TEXT,
    mi.IntType: st.integers(-(2**53), 2**53),
    mi.FloatType: st.floats(-1e12, 1e12),  # sums of them stay numbers
    mi.BoolType: st.booleans(),
    mi.NoneType: st.none(),
}


def any_value(kind: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    """Return a strategy of values of a struct; a field with a default is left out now and then."""
    return _of(mi.type_info(kind))


def _of(info: mi.Type) -> st.SearchStrategy[Any]:
    if type(info) in _PLAIN:
        return _PLAIN[type(info)]
    if isinstance(info, mi.EnumType):
        return st.sampled_from(list(info.cls))
    if isinstance(info, mi.VarTupleType):
        return st.lists(_of(info.item_type), max_size=3).map(tuple)
    if isinstance(info, mi.TupleType):
        return st.tuples(*(_of(item) for item in info.item_types))
    if isinstance(info, mi.UnionType):
        return st.one_of(*(_of(member) for member in info.types))
    assert isinstance(info, mi.StructType), f"no strategy for {info}"
    needed = {field.name: _of(field.type) for field in info.fields if field.required}
    optional = {field.name: _of(field.type) for field in info.fields if not field.required}
    fields = st.fixed_dictionaries(needed, optional=optional)
    return fields.map(lambda values: info.cls(**values))
