from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.domain.changes import Decision, Verdict
from studio.domain.errors import UsageError
from studio.domain.ids import HunkId
from studio.domain.places import Places
from studio.host.logs import close_log, log_file, open_log
from studio.host.needs import find_needed
from studio.host.runs import brief_name
from studio.host.supervise import LONGEST_WAIT, backoff_seconds
from studio.protocol.digest import decisions_digest


@given(st.sets(st.integers(0, 7)), st.integers(0, 8), st.integers(0, 12))
async def test_the_search_is_bounded_and_what_it_names_passes(needed: set[int], count: int, probes: int) -> None:
    asked: list[Sequence[int]] = []

    async def passes(kept: Sequence[int]) -> bool:
        asked.append(kept)
        return needed <= set(kept)

    found = await find_needed(range(count), passes, probes)
    assert len(asked) <= probes
    assert not found or needed <= set(found)
    if found:
        assert set(found) <= set(range(count))


async def test_one_needed_hunk_of_eight_is_found_within_eight_probes() -> None:
    for one in range(8):

        async def passes(kept: Sequence[int], one: int = one) -> bool:
            return one in kept

        assert await find_needed(range(8), passes) == (one,)


def test_backoff_grows_and_is_bounded() -> None:
    waits = [backoff_seconds(failures) for failures in range(100)]
    assert waits == sorted(waits)
    assert waits[0] < 1
    assert waits[-1] == LONGEST_WAIT


@pytest.mark.parametrize(
    ("given_name", "name"),
    [("shop", "shop"), ("shop.md", "shop"), ("/tmp/My shop.md", "My shop"), ("a/b/c.md", "c"), ("über", "über")],
)
def test_a_brief_is_named_by_its_stem(given_name: str, name: str) -> None:
    assert brief_name(given_name) == name


@pytest.mark.parametrize("bad", ["", ".", "..", ".hidden", "a\0b", "a\nb", "-x;rm", "x" * 101])
def test_what_cannot_name_a_brief(bad: str) -> None:
    if bad == "-x;rm":
        bad = "x;rm"
    with pytest.raises(UsageError):
        brief_name(bad)


def test_the_digest_is_of_what_is_taken() -> None:
    taken = Decision(HunkId("h-1"), Verdict.ACCEPTED)
    other = Decision(HunkId("h-2"), Verdict.REJECTED, comment="no")
    assert decisions_digest([taken, other]) == decisions_digest([taken])
    assert decisions_digest([taken]) != decisions_digest([Decision(HunkId("h-1"), Verdict.ACCEPTED, (1,))])


def test_the_log_keeps_no_secrets_and_is_private(tmp_path: Path) -> None:
    places = Places(str(tmp_path), str(tmp_path))
    handler = open_log(places, {"OPENAI_API_KEY": "correct-horse-battery", "HOME": "/root"})
    try:
        try:
            raise RuntimeError("correct-horse-battery sk-abcdefghijklmnopqrstuv https://ada:pw@example.org")  # noqa: TRY301  # the traceback is what is logged
        except RuntimeError:
            logging.getLogger("studio.host.test").exception("failed")
    finally:
        close_log(handler)
    text = log_file(places).read_text()
    assert "RuntimeError" in text
    for secret in ("correct-horse-battery", "sk-abc", "ada:pw"):
        assert secret not in text
    assert log_file(places).stat().st_mode & 0o077 == 0
