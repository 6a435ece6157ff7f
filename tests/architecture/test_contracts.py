"""The dependency rule, held by import-linter: layers, homes, no cycles (deferred and type-only imports count too)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_import_linter_keeps_every_contract(root: Path) -> None:
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--config", "pyproject.toml"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
