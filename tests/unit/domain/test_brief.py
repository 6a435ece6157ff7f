"""Briefs: what is refused and how, and sentence ids that survive edits around them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.domain.brief import MAX_BRIEF_BYTES, parse_brief, read_brief_bytes
from studio.domain.errors import BriefError
from studio.domain.stages import Depth

WORDS = st.lists(
    st.sampled_from(["store", "links", "expire", "short", "code", "answer", "redirect", "count", "clicks"]),
    min_size=2,
    max_size=6,
)
SENTENCES = st.lists(WORDS.map(lambda words: f"{' '.join(words).capitalize()}."), min_size=1, max_size=8)


def test_front_matter_is_read() -> None:
    text = "---\ntitle: Links\ndepth: quick\nbudget: 0.5\naccept: pytest -q\nprivate: [secret/**, '*.pem']\n---\n# H\nDo it.\n"
    brief = parse_brief("links", text)
    assert (brief.title, brief.front.depth, brief.front.budget) == ("Links", Depth.QUICK, 0.5)
    assert brief.front.accept == ("pytest -q",)
    assert brief.front.private == ("secret/**", "*.pem")
    assert brief.body == "# H\nDo it.\n"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "empty"),
        (" \n\n", "empty"),
        ("---\ntitle: x\n---\n", "empty"),
        ("---\ntitle: x\nDo it.\n", "not closed"),
        ("---\ntitle: [x\n---\nDo it.\n", "not YAML"),
        ("---\n- a\n- b\n---\nDo it.\n", "not a list of keys"),
        ("---\ntitel: x\n---\nDo it.\n", "titel"),
        ("---\ndepth: abyssal\n---\nDo it.\n", "abyssal"),
        ("---\nbudget: much\n---\nDo it.\n", "budget"),
        ("---\nbudget: -1\n---\nDo it.\n", "no amount"),
        ("---\nbudget: .nan\n---\nDo it.\n", "no amount"),
        ("---\nbudget: .inf\n---\nDo it.\n", "no amount"),
        ("---\naccept: {a: 1}\n---\nDo it.\n", "accept"),
        (f"---\ncontext: {'[' * 3000}\n---\nDo it.\n", "too deep"),
        ("---\ntitle: !!python/object/apply:os.system [id]\n---\nDo it.\n", "not YAML"),
    ],
)
def test_a_broken_brief_says_what_and_what_to_do(text: str, what: str) -> None:
    with pytest.raises(BriefError) as caught:
        parse_brief("links", text)
    assert what in caught.value.what
    assert "links" in caught.value.what
    assert caught.value.do
    assert "\n" not in caught.value.what


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"Caf\xe9 \xff", "not UTF-8 (byte 3)"),
        (b"\xff\xfe" + "Do it.".encode("utf-16-le"), "not UTF-8"),
        (b"Do\0it.", "NUL"),
        (b"x" * (MAX_BRIEF_BYTES + 1), "at most 1 MB"),
        (b"x" * (5 * MAX_BRIEF_BYTES), "5.2 MB"),
    ],
)
def test_bytes_that_are_no_brief_are_refused(data: bytes, what: str) -> None:
    with pytest.raises(BriefError) as caught:
        read_brief_bytes("links", data)
    assert what in caught.value.what
    assert caught.value.do


def test_line_ends_and_a_byte_order_mark_are_taken_off() -> None:
    assert read_brief_bytes("b", b"\xef\xbb\xbfa\r\nb\rc\n") == "a\nb\nc\n"


@given(data=st.binary(max_size=300))
def test_any_bytes_are_a_brief_or_refused(data: bytes) -> None:
    try:
        brief = parse_brief("b", read_brief_bytes("b", data))
    except BriefError:
        return
    assert all(brief.text[sentence.start : sentence.end] == sentence.text for sentence in brief.sentences)


@given(sentences=SENTENCES, inserted=st.integers(0, 8))
def test_ids_stay_when_text_is_inserted_around_them(sentences: list[str], inserted: int) -> None:
    before = parse_brief("b", " ".join(sentences))
    at = min(inserted, len(sentences))
    edited = [*sentences[:at], "Quite another thing entirely.", *sentences[at:]]
    after = parse_brief("b", "# A heading\n\n" + " ".join(edited) + "\n\n- One more item.\n")
    known = {sentence.id for sentence in after.sentences}
    assert {sentence.id for sentence in before.sentences} <= known


def test_ids_are_unique_and_do_not_mind_white_space_or_case() -> None:
    brief = parse_brief("b", "Do it. Do it. Do  it.\n")
    assert len({sentence.id for sentence in brief.sentences}) == 3
    assert [one.id for one in parse_brief("b", "Store links.").sentences] == [
        one.id for one in parse_brief("b", "store\n  links.").sentences
    ]


def test_lists_headings_and_code_are_cut_as_people_read_them() -> None:
    text = "# Links\n\nStore links. They expire!\n\n- one item\n- two items\n\n```\nA. B. C.\n\n# not a heading\n```\n\n---\n"
    brief = parse_brief("b", text)
    assert [sentence.text for sentence in brief.sentences] == [
        "# Links",
        "Store links.",
        "They expire!",
        "- one item",
        "- two items",
        "```\nA. B. C.\n\n# not a heading\n```",
    ]
    assert brief.title == "Links"
    assert parse_brief("plain", "do it").title == "plain"
