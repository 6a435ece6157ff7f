"""The reference pages are what the code says."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.cli import COMMANDS
from studio.cli.reference import pages
from studio.domain.events import EVENT_KINDS

PAGES = ("commands.md", "configuration.md", "events.md", "run-finished.schema.json")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_up_to_date(name: str, root: Path) -> None:
    assert (root / "docs" / "reference" / name).read_text() == pages()[name], "run `make docs`"


def test_there_is_no_other_page() -> None:
    assert set(pages()) == set(PAGES)


def test_every_event_is_described() -> None:
    page = pages()["events.md"]

    assert [kind for kind in EVENT_KINDS if f"| `{kind}` | " not in page] == []
    assert "|  |" not in page.replace("|  |\n", "\n")


def test_every_command_and_every_argument_is_described() -> None:
    page = pages()["commands.md"]

    assert [name for name in COMMANDS if f"## studio {name}\n" not in page] == []
    assert [line for line in page.splitlines() if line.endswith("|  |")] == []
