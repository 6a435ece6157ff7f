"""Values as JSON."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.domain.events import Event, RunTold, ToolCalled, decode_event, encode_event, kind_of
from studio.domain.models import Message, ModelReply, ToolCall
from studio.domain.value import decode, encode


def test_defaults_are_not_written_and_unknown_fields_are_passed_over() -> None:
    reply = ModelReply(Message("assistant", "hé"), "m")
    assert json.loads(encode(reply)) == {"message": {"role": "assistant", "content": "hé"}, "model": "m"}
    assert (
        decode(b'{"message":{"role":"assistant","content":"x","mood":1},"model":"m","later":2}', ModelReply).model
        == "m"
    )


def test_another_shape_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        decode(b'{"model":"m"}', ModelReply)


@pytest.mark.parametrize(
    ("text", "written"),
    [("a\ud800b", "a\ufffdb"), ("\udc80", "\ufffd"), ("\ud83d\ude00", "\U0001f600"), ("\ude00\ud83d", "\ufffd\ufffd")],
)
def test_half_a_surrogate_pair_is_replaced(text: str, written: str) -> None:
    events: list[Event] = [RunTold(text), ToolCalled("tool", text, ok=True, summary="é")]
    told, called = (decode_event(encode_event(event), kind_of(event)) for event in events)
    assert told == RunTold(written)
    assert called == ToolCalled("tool", written, ok=True, summary="é")
    reply = ModelReply(Message("assistant", "", (ToolCall("1", "tool", text),)), "m")
    assert decode(encode(reply), ModelReply).message.calls[0].arguments == written


@given(text=st.text(st.characters(categories=["Cs", "Ll", "So"]), max_size=8))
def test_any_text_can_be_written(text: str) -> None:
    encode(RunTold(text)).decode("utf-8")
