"""Events: what is written is what is read, and what is from the future is passed over."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.domain import events as ev
from studio.domain.value import Value
from tests.fakes.any_value import any_value


@pytest.mark.parametrize("kind", sorted(ev.EVENT_KINDS))
@settings(max_examples=20)
@given(data=st.data())
def test_every_event_survives_its_encoding(kind: str, data: st.DataObject) -> None:
    event = data.draw(any_value(ev.EVENT_KINDS[kind]))
    payload = ev.encode_event(event)
    assert json.loads(payload)["kind"] == kind
    assert ev.kind_of(event) == kind
    assert ev.decode_event(payload, kind) == event


def test_kinds_are_in_past_tense_and_lower_case() -> None:
    assert len(ev.EVENT_KINDS) >= 43
    for kind in ev.EVENT_KINDS:
        assert re.fullmatch(r"[a-z]+\.[a-z_]+", kind), kind


def test_the_list_exports_every_event_class() -> None:
    classes = {value for value in vars(ev).values() if isinstance(value, type) and issubclass(value, Value)}
    exported = {value for name, value in vars(ev).items() if name in ev.__all__ and isinstance(value, type)}
    assert classes - {Value} <= exported
    assert set(ev.EVENT_KINDS.values()) == classes - {Value, ev.Draft, ev.Record, ev.UnknownEvent}


def test_a_kind_from_the_future_is_unknown() -> None:
    event = ev.decode_event(b'{"kind":"quantum.leapt","far":1}', "quantum.leapt")
    assert event == ev.UnknownEvent("quantum.leapt")
    assert ev.kind_of(event) == "quantum.leapt"


def test_a_field_from_the_future_is_passed_over() -> None:
    assert ev.decode_event(b'{"kind":"run.told","text":"a","mood":"good"}', "run.told") == ev.RunTold("a")


@pytest.mark.parametrize(
    "payload",
    [
        b'{"kind":"run.told","text":7}',
        b'{"kind":"run.told"}',
        b"[]",
        b'{"kind":"quantum.leapt"}',
        b'{"text":"a"}',
        b"{",
        b'{"kind":"run.told","text":"\xff"}',
        b"",
    ],
)
def test_a_shape_that_is_not_known_is_unknown(payload: bytes) -> None:
    assert ev.decode_event(payload, "run.told") == ev.UnknownEvent("run.told")


def test_an_erased_payload_says_so() -> None:
    assert ev.decode_event(None, "run.told") == ev.UnknownEvent("run.told", erased=True)
