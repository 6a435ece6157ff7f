from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from studio.agents.edits.ladder import find_place
from studio.agents.edits.places import Place, Refusal
from studio.agents.edits.render import render
from studio.agents.edits.text import TextFile, decode_file, encode_text
from studio.domain.edits import MatchKind

TEXTS = st.text(alphabet="ab(){}=\n\t \u2019é-", max_size=80)


@given(TEXTS, st.data())
def test_a_unique_slice_is_found_where_it_is(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    search = text[start:end]
    if not search.strip() or text.count(search) != 1 or text.find(search, text.find(search) + 1) >= 0:
        return
    place = find_place(text, search)
    assert isinstance(place, Place)
    if place.match is MatchKind.EXACT:
        assert (place.start, place.end) in {(start, end), (start, end + 1)}
    else:
        assert place.start <= start
        assert place.end >= end - 1


@given(TEXTS, TEXTS, TEXTS)
def test_an_exact_replacement_changes_nothing_else(before: str, search: str, after: str) -> None:
    search = f"unique {search}\n"
    text = f"{before}\n{search}{after}"
    place = find_place(text, search)
    assert isinstance(place, Place)
    assert place.match is MatchKind.EXACT
    new = render(text, place, search, "new\nlines\n")
    assert text[: place.start] + new + text[place.end :] == f"{before}\nnew\nlines\n{after}"


@given(TEXTS, TEXTS)
def test_finding_is_total_and_replacing_by_itself_changes_nothing(text: str, search: str) -> None:
    place = find_place(text, search)
    if isinstance(place, Refusal):
        assert place.reason
    else:
        assert render(text, place, search, search) == text[place.start : place.end]


@given(st.binary(max_size=60))
def test_bytes_survive_decoding(data: bytes) -> None:
    file = decode_file(data)
    if isinstance(file, TextFile):
        assert encode_text(file.text, file) == data


BLOCK = """def total(items):
    result = 0
    for item in items:
        result += item.price * item.count
    return result
"""


def test_a_line_that_drifted_between_anchors() -> None:
    place = find_place(BLOCK, BLOCK.replace("item.price * item.count", "item.price * item.amount"))
    assert isinstance(place, Place)
    assert place.match is MatchKind.ANCHORS


def test_lines_that_all_drifted_a_little() -> None:
    asked = BLOCK.replace("total(items)", "totals(items)").replace("return result", "return results")
    place = find_place(BLOCK, asked)
    assert isinstance(place, Place)
    assert place.match is MatchKind.SIMILARITY


def test_similar_twice_is_refused() -> None:
    text = BLOCK + "\n" + BLOCK.replace("result", "answer")
    asked = BLOCK.replace("result", "results").replace("total(items)", "totals(items)")
    assert isinstance(find_place(text + BLOCK, asked), Refusal)


def test_what_an_edit_does_not_change_keeps_the_files_bytes() -> None:
    text = "a = \u201cx\u201d  \nb = 1\n"
    place = find_place(text, 'a = "x"\nb = 1\n')
    assert isinstance(place, Place)
    assert render(text, place, 'a = "x"\nb = 1\n', 'a = "x"\nb = 2\n') == "a = \u201cx\u201d  \nb = 2\n"


def test_a_refusal_tells_the_near_lines() -> None:
    refusal = find_place(BLOCK, "        result += item.price * item.weight\n")
    assert isinstance(refusal, Refusal)
    assert refusal.lines == (4,)
    assert "4:         result += item.price * item.count" in refusal.reason


def test_a_large_file_is_searched_in_bounded_time() -> None:
    text = "".join(f"value_{n} = compute({n}, factor)\n" for n in range(20_000))
    refusal = find_place(text, "value = compute(1, 2, 3)\nother\nthird line of text\n")
    assert isinstance(refusal, Refusal)
