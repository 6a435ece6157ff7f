"""Writing only changed cells shows the same screen as writing all, in a real terminal's terms, with fewer bytes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.fakes.terminal import Terminal

PROGRAM = """
from textual.app import App
from textual.widgets import Footer, Label, TextArea
from widgets._textual_hacks import CellDiff

class Writing({bases}):
    BINDINGS = [("f2", "modal", "Modal")]

    def compose(self):
        yield Label("wide 漢字 😀 é")
        area = TextArea("first\\nsecond 漢字\\nthird")
        area.cursor_blink = False
        yield area
        yield Footer()

    def action_modal(self):
        self.query_one(Label).update("ready 漢")

Writing().run()
"""


def played(tmp_path: Path, bases: str) -> tuple[str, int, int]:
    script = tmp_path / f"{bases.split(',', maxsplit=1)[0].lower()}.py"
    script.write_text(PROGRAM.format(bases=bases))
    root = str(Path(__file__).parents[2])
    environ = {"PYTHONPATH": root, "TEXTUAL_ANIMATIONS": "none"}
    with Terminal([sys.executable, str(script)], (80, 24), environ) as terminal:
        terminal.until(lambda text: "third" in text)
        terminal.settle()
        first = terminal.bytes_written
        terminal.send(b"x")
        terminal.until(lambda text: "xfirst" in text)
        terminal.settle(0.3)
        key = terminal.bytes_written - first
        terminal.send("日".encode() + b"y\r\x1b[B\x1b[Bend")
        terminal.until(lambda text: "end" in text)
        terminal.send(b"\x1bOQ")
        terminal.until(lambda text: "ready" in text)
        terminal.settle(0.3)
        return terminal.text, first, key


@pytest.mark.slow
def test_the_same_screen_with_fewer_bytes(tmp_path: Path) -> None:
    stock, stock_first, stock_key = played(tmp_path, "App")
    diffed, first, key = played(tmp_path, "CellDiff, App")
    assert diffed == stock
    assert first < stock_first
    assert key < stock_key / 3
