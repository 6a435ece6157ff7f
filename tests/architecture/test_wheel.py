"""What the wheel installs."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

TOPS = {"studio", "widgets", "themes"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory, root: Path) -> zipfile.ZipFile:
    """Build the wheel."""
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, root]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return zipfile.ZipFile(next(out.glob("*.whl")))


def test_it_installs_three_packages_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}

    assert {top for top in tops if not top.endswith(".dist-info")} == TOPS


def test_it_has_every_file_of_them(wheel: zipfile.ZipFile, root: Path) -> None:
    """Modules, prompts, style sheets, the image's recipe, the demo: whatever is committed."""
    listed = subprocess.run(["git", "-C", root, "ls-files", "-z", *TOPS], capture_output=True, text=True, check=True)
    committed = {name for name in listed.stdout.split("\0") if name and (root / name).exists()}

    assert committed - set(wheel.namelist()) == set()
    assert {Path(name).suffix for name in committed} >= {".py", ".md", ".tcss"}


def test_it_gives_the_command(wheel: zipfile.ZipFile) -> None:
    entry = next(name for name in wheel.namelist() if name.endswith("entry_points.txt"))

    assert "studio = studio.__main__:main" in wheel.read(entry).decode()


def test_it_needs_python_3_11(wheel: zipfile.ZipFile) -> None:
    metadata = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))

    assert "Requires-Python: >=3.11" in wheel.read(metadata).decode()
