"""A program in tmux, seen and typed to as a person would: for tests of the real studio."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import pytest

from studio.tui.keys import KEYS

__all__ = ["Tmux", "require_tmux"]

_NAMES = {"full_stop": ".", "question_mark": "?", "escape": "Escape", "enter": "Enter", "space": "Space"}


def require_tmux() -> None:
    """Skip where tmux is missing; fail where it must be there."""
    if shutil.which("tmux") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("tmux is missing; CI has it.")
        pytest.skip("tmux is not installed")


class Tmux:
    """One pane on a server of its own. A context manager: what runs in it is ended with it."""

    def __init__(self, place: Path, size: tuple[int, int], environ: Mapping[str, str]) -> None:
        self._socket = str(place / "tmux")
        self._size = size
        self._environ = {key: value for key, value in environ.items() if key != "TMUX"}

    def __enter__(self) -> Self:
        width, height = self._size
        self._tmux("-f", os.devnull, "new-session", "-d", "-x", str(width), "-y", str(height), "sleep 600")
        self._tmux("set", "-g", "remain-on-exit", "on")
        self._tmux("set", "-s", "escape-time", "0")
        return self

    def __exit__(self, *_: object) -> None:
        self._tmux("kill-server")

    def _tmux(self, *arguments: str) -> str:
        done = subprocess.run(
            ["tmux", "-S", self._socket, *arguments],
            env=self._environ, capture_output=True, text=True, timeout=30, check=True,
        )  # fmt: skip
        return done.stdout

    def run(self, argv: Sequence[str], directory: Path) -> None:
        """Run a program in the pane, in place of the one before."""
        self._tmux("respawn-pane", "-k", "-c", str(directory), *argv)

    @property
    def text(self) -> str:
        """What the screen shows."""
        return self._tmux("capture-pane", "-p")

    @property
    def ended(self) -> bool:
        """Whether the program ended."""
        return self._tmux("list-panes", "-F", "#{pane_dead}").strip() == "1"

    def type(self, text: str) -> None:
        """Type a text, line by line."""
        for number, line in enumerate(text.split("\n")):
            if number:
                self.keys("Enter")
            if line:
                self._tmux("send-keys", "-l", "--", line)

    def keys(self, *names: str) -> None:
        """Press keys by tmux's names."""
        for name in names:
            self._tmux("send-keys", name)

    def press(self, *ids: str) -> None:
        """Press the keys of bindings, by id."""
        for id_ in ids:
            name = next(key for key in KEYS if key.id == id_).keys.split(",")[0]
            self.keys(_NAMES.get(name, name.replace("ctrl+", "C-")))

    def until(self, *texts: str, gone: str = "", seconds: float = 60) -> str:
        """Wait until the screen shows all the texts, and no longer `gone`; return it."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            shown = self.text
            if all(text in shown for text in texts) and not (gone and gone in shown):
                return shown
            time.sleep(0.05)
        raise AssertionError(
            f"{texts} never showed{f', or {gone!r} stayed' if gone else ''}; the screen was:\n{self.text}"
        )

    def until_ended(self, seconds: float = 30) -> None:
        """Wait until the program ended."""
        end = time.monotonic() + seconds
        while not self.ended:
            assert time.monotonic() < end, f"it did not end; the screen was:\n{self.text}"
            time.sleep(0.05)
