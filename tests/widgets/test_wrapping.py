"""Lines cut to rows."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from widgets.wrapping import wrap, wrap_cuts

TEXT = st.text(st.sampled_from("ab 漢字🎉 é-"), max_size=80)


@given(TEXT, st.integers(2, 30))
def test_rows_fit_and_make_up_the_line(line: str, width: int) -> None:
    cuts = wrap_cuts(line, width)
    assert cuts == sorted(set(cuts))
    assert all(0 < cut < len(line) for cut in cuts)
    rows = [line[a:b] for a, b in zip([0, *cuts], [*cuts, len(line)], strict=True)]
    assert "".join(rows) == line
    assert all(cell_len(row.rstrip()) <= width for row in rows)


def test_words_stay_whole_where_that_wastes_little() -> None:
    assert wrap("the store is not closed", 15) == ["the store is", "not closed"]
    assert wrap("aaaaaaaaaaaaaaaa", 6) == ["aaaaaa", "aaaaaa", "aaaa"]
    assert wrap("short", 0) == ["short"]
