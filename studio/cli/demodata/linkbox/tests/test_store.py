"""Tests of the store."""

from __future__ import annotations

from pathlib import Path

from linkbox.store import LinkStore


def test_a_link_comes_back(tmp_path: Path) -> None:
    store = LinkStore(tmp_path / "links.sqlite")
    added = store.add("https://example.org")
    assert store.all() == [added]
    store.close()


def test_links_survive_closing(tmp_path: Path) -> None:
    first = LinkStore(tmp_path / "links.sqlite")
    first.add("https://example.org/a")
    first.add("https://example.org/b")
    first.close()
    second = LinkStore(tmp_path / "links.sqlite")
    assert [link.url for link in second.all()] == ["https://example.org/a", "https://example.org/b"]
    second.close()
