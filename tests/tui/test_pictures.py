"""Snapshots of the main screen in its chief states, at two sizes, in two themes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from studio.domain.places import Places
from studio.tui.app import StudioApp
from studio.tui.screens.main import MainScreen
from tests.fakes.fake_session import START, FakeSession
from tests.fakes.studio_story import told_review, told_running

LARGE, SMALL = (160, 48), (80, 24)


@pytest.fixture(autouse=True)
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.mark.parametrize(
    ("told", "pane", "size", "theme"),
    [
        (None, "brief", LARGE, "studio-dark"),
        (None, "brief", SMALL, "studio-light"),
        (told_running, "timeline", LARGE, "studio-light"),
        (told_running, "timeline", SMALL, "studio-dark"),
        (told_review, "review", LARGE, "studio-dark"),
        (told_review, "review", LARGE, "studio-light"),
        (told_review, "review", SMALL, "studio-dark"),
    ],
    ids=["empty-large", "empty-small", "running-large", "running-small", "review-dark", "review-light", "review-small"],
)
def test_main_screen(
    told: Callable[[FakeSession], None] | None,
    pane: str,
    size: tuple[int, int],
    theme: str,
    tmp_path: Path,
    snap_compare: Any,
) -> None:
    session = FakeSession()
    if told is not None:
        told(session)
    places = Places(str(tmp_path), "/somewhere/shortener")
    app = StudioApp(session.open, places, name="ada", theme=theme, clock=lambda: START + 60)

    async def settled(pilot: Pilot[None]) -> None:
        for _ in range(200):
            await pilot.pause(0.02)
            if app.store.connection == "live" and (told is not told_review or app.store.changes is not None):
                break
        assert isinstance(app.screen, MainScreen)
        app.screen.show_all()
        await app.screen.press(f"screen.pane_{pane}")
        await pilot.pause(0.6)

    assert snap_compare(app, terminal_size=size, run_before=settled)
