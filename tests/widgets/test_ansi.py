from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from widgets.ansi import AnsiLines, clean, decode_all, visible


def plain(data: bytes) -> list[str]:
    return [line.plain for line in decode_all(data)]


def test_colours_are_kept_and_everything_else_goes() -> None:
    lines = decode_all(b"\x1b[31mred\x1b[0m \x1b[2Jx\x1b]0;title\x07y\x1b]52;c;aGk=\x1b\\z\x1bPq\x1b\\\x07\n")
    assert lines[0].plain == "red xyz"
    assert lines[0].spans[0].style.color is not None  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]


def test_links_are_not_kept() -> None:
    line = decode_all(b"\x1b]8;;http://evil\x1b\\text\x1b]8;;\x1b\\\n")[0]
    assert line.plain == "text"
    assert not line.spans


def test_sequences_cut_between_chunks() -> None:
    whole = "a\x1b[1;32mgréen\x1b[0m\x1b]0;t\x07b\r\nnext".encode()
    for cut in range(len(whole)):
        decoder = AnsiLines()
        lines = [*decoder.feed(whole[:cut]), *decoder.feed(whole[cut:]), *decoder.flush()]
        assert [line.plain for line in lines] == ["agréenb", "next"]


def test_carriage_returns_restart_the_line() -> None:
    assert plain(b"10%\r50%\r100%\nok\r\n") == ["100%", "ok"]


def test_bidirectional_overrides_are_shown() -> None:
    assert plain("a\u202eb\n".encode()) == ["a<U+202E>b"]
    assert visible("a\tb\x1b\u202e") == "a   b␛<U+202E>"


@given(st.binary(max_size=300), st.integers(1, 20))
def test_nothing_dangerous_comes_through(data: bytes, step: int) -> None:
    decoder = AnsiLines()
    lines = [line for at in range(0, len(data), step) for line in decoder.feed(data[at : at + step])]
    for line in [*lines, *decoder.flush(), decoder.tail()]:
        assert not any(ord(char) < 32 or 0x7F <= ord(char) < 0xA0 for char in line.plain)


@given(st.text(max_size=200))
def test_clean_is_one_harmless_line(text: str) -> None:
    assert not any(ord(char) < 32 or 0x7F <= ord(char) < 0xA0 or "\u202a" <= char <= "\u202e" for char in clean(text))


def test_a_line_without_end_is_bounded() -> None:
    decoder = AnsiLines()
    lines = [line for _ in range(50) for line in decoder.feed(b"x" * 10_000)]
    assert max(len(line.plain) for line in lines) <= 16_384
