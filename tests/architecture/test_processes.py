"""What each kind of process loads: every module of its packages is imported in a new interpreter, and `sys.modules` is read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

KINDS = ("command", "client", "host", "worker")
MOST_CLIENT_BYTES = 100 * 10**6

IMPORT_ALL = """
import importlib, json, pkgutil, resource, sys
for name in json.loads(sys.argv[1]):
    module = importlib.import_module(name)
    for found in pkgutil.walk_packages(getattr(module, "__path__", ()), name + "."):
        if not found.name.startswith("studio.sandbox.image"):
            importlib.import_module(found.name)
try:
    # Of this program alone: getrusage also counts what the parent had when it forked.
    status = open("/proc/self/status").read()
    peak = int(status.split("VmHWM:")[1].split()[0]) * 1024
except OSError:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS
print(json.dumps({"modules": sorted(sys.modules), "peak": peak}))
"""

SERVE = """
import asyncio, json, sys
from pathlib import Path
from studio.protocol.locate import locate
from studio.wiring import run_host
asyncio.run(run_host(locate(Path(sys.argv[1]))))
print(json.dumps({"modules": sorted(sys.modules)}))
"""


def run_python(source: str, *arguments: str, root: Path, environ: dict[str, str] | None = None) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", source, *arguments],
        cwd=root,
        env={**os.environ, **(environ or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def loaded(modules: list[str], table: dict[str, Any]) -> set[str]:
    """Return the SDKs of the table that are among the modules."""
    return set(table["homes"]) & {name.split(".")[0] for name in modules}


@pytest.mark.parametrize("kind", KINDS)
def test_a_process_loads_what_the_table_allows(kind: str, root: Path, table: dict[str, Any]) -> None:
    process = table["processes"][kind]
    seen = run_python(IMPORT_ALL, json.dumps(process["packages"]), root=root)

    assert loaded(seen["modules"], table) <= set(process["may_load"])


def test_the_table_is_about_every_kind(table: dict[str, Any]) -> None:
    assert set(table["processes"]) == set(KINDS)
    for process in table["processes"].values():
        assert set(process["may_load"]) <= set(table["homes"])


def test_a_client_is_small(root: Path, table: dict[str, Any]) -> None:
    seen = run_python(IMPORT_ALL, json.dumps(table["processes"]["client"]["packages"]), root=root)

    assert seen["peak"] < MOST_CLIENT_BYTES


def test_a_host_that_served_loaded_what_the_table_allows(tmp_path: Path, root: Path, table: dict[str, Any]) -> None:
    """A real host, from its start to its end for want of work."""
    repository = tmp_path / "repository"
    (repository / ".studio").mkdir(parents=True)
    (repository / ".studio" / "config.toml").write_text("workers = 0\nidle_seconds = 0.05\n")
    subprocess.run(["git", "init", "-q", repository], check=True)
    with tempfile.TemporaryDirectory(prefix="studio-") as runtime:  # short: a socket's path is bounded
        places = {"XDG_RUNTIME_DIR": runtime, "XDG_CONFIG_HOME": str(tmp_path / "config")}
        seen = run_python(SERVE, str(repository), root=root, environ=places)

    assert loaded(seen["modules"], table) <= set(table["processes"]["host"]["may_load"])
    assert "sqlalchemy" in seen["modules"]


def test_help_loads_next_to_nothing(root: Path, table: dict[str, Any]) -> None:
    source = (
        "import json, sys\nfrom studio.cli import run_command_line\nrun_command_line(['--help'])\n"
        "print(json.dumps({'modules': sorted(sys.modules)}))"
    )
    seen = run_python(source, root=root)

    assert loaded(seen["modules"], table) == set()
    assert "asyncio" not in seen["modules"]
