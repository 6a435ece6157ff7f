"""First paint of the studio against a bare Textual app with the same kinds of widgets, in the same run, interleaved.

    python tests/benchmarks/bench_first_paint.py [ROUNDS]

The bar: the studio's median is at most 1.3 times the bare app's, at 160x48. A paint is first when the marker text of the
last pane is on the screen. No host is there: the studio paints before it connects.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.fakes.terminal import Terminal  # noqa: E402 - after the path is set

BAR = 1.3
BARE = """
from textual.app import App
from textual.containers import Grid, Vertical
from textual.widgets import DataTable, Footer, Input, RichLog, Static, TextArea, Tree

class Bare(App):
    CSS = "Grid { grid-size: 3 2; grid-columns: 36 1fr 48; grid-rows: 1fr 14; } Grid > * { border: round gray; }"
    BINDINGS = [("q", "quit", "Quit")]

    def compose(self):
        yield Static("header")
        with Grid():
            yield Tree("files")
            yield TextArea("")
            yield DataTable()
            yield RichLog()
            with Vertical():
                yield RichLog()
                yield Input(placeholder="$ a command")
        yield Footer()

Bare().run()
"""
STUDIO = """
import asyncio
from studio.domain.places import Places
from studio.tui.app import run_studio

async def never():
    await asyncio.sleep(3600)

run_studio(never, Places({directory!r}, "/somewhere/project"))
"""


def first_paint(script: Path) -> float:
    """Return the seconds from exec until the last pane's text is seen."""
    with Terminal([sys.executable, str(script)], (160, 48), {"PYTHONPATH": str(ROOT)}) as terminal:
        return terminal.until(lambda text: "$ a command" in text)


def measure(rounds: int) -> tuple[list[float], list[float]]:
    """Return the seconds of the bare app and of the studio, in turns."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        bare, studio = directory / "bare.py", directory / "own.py"
        bare.write_text(BARE)
        studio.write_text(STUDIO.format(directory=str(directory / "git")))
        for script in (bare, studio):
            first_paint(script)
        pairs = [(first_paint(bare), first_paint(studio)) for _ in range(rounds)]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def main() -> int:
    """Print the figures; return 1 where the bar is missed."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    bare, studio = measure(rounds)
    ratio = statistics.median(studio) / statistics.median(bare)
    for name, times in (("bare", bare), ("studio", studio)):
        print(f"{name:<7} median {statistics.median(times) * 1000:.0f} ms · min {min(times) * 1000:.0f} ms")
    print(f"ratio of medians {ratio:.2f} (bar {BAR}) · of minima {min(studio) / min(bare):.2f} · rounds {rounds}")
    return 0 if ratio <= BAR else 1


if __name__ == "__main__":
    sys.exit(main())
