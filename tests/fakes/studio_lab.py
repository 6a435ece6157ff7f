"""A whole studio in a temporary place: a scratch repository, a model server, the real command line, host and workers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from tests.fakes.openai_server import FakeOpenAI, Rules

ROOT = Path(__file__).parents[2]


def git(directory: Path, *arguments: str) -> str:
    """Run git as a person with no configuration of their own and return what it printed."""
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(directory),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "Ada",
        "GIT_AUTHOR_EMAIL": "ada@example.org",
        "GIT_COMMITTER_NAME": "Ada",
        "GIT_COMMITTER_EMAIL": "ada@example.org",
    }
    done = subprocess.run(
        ["git", *arguments], cwd=directory, env=environ, check=True, capture_output=True, text=True, timeout=60
    )
    return done.stdout


def edit_reply(path: str, content: str, *, say: str = "Done.") -> dict[str, Any]:
    """Return a rule's fields for a reply that writes one file and says that it is done."""
    call = {"name": "edit", "arguments": {"path": path, "content": content, "done": True}}
    return {"reply": say, "tool_calls": [call]}


@dataclass
class Lab:
    """A scratch repository with a studio of its own. A context manager: what it started is gone afterwards."""

    home: Path
    script: dict[str, Any]
    files: dict[str, str] = field(default_factory=lambda: {"calc.py": "def add(a, b):\n    return a + b\n"})
    config: str = ""
    environ: dict[str, str] = field(default_factory=dict[str, str])

    def __enter__(self) -> Self:
        """Make the repository and start the model server."""
        self.repo = self.home / "repo"
        self.repo.mkdir(parents=True)
        git(self.repo, "init", "-q", "-b", "main")
        git(self.repo, "config", "user.name", "Ada")
        git(self.repo, "config", "user.email", "ada@example.org")
        for name, text in self.files.items():
            path = self.repo / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        git(self.repo, "add", "-A")
        git(self.repo, "commit", "-q", "-m", "Begin")
        runtime = self.home / "run"
        runtime.mkdir(mode=0o700)
        script = self.home / "script.json"
        script.write_text(json.dumps(self.script))
        self.server = FakeOpenAI(Rules.load(script)).__enter__()
        self.env = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "XDG_", "STUDIO_"))},
            "HOME": str(self.home),
            "XDG_RUNTIME_DIR": str(runtime),
            "XDG_CONFIG_HOME": str(self.home / "config"),
            "OPENAI_API_KEY": "test-key",
            "TERM": "xterm-256color",
            **self.environ,
        }
        self.env.pop("PYTHONDONTWRITEBYTECODE", None)
        if self.config:
            folder = self.home / "config" / "quantumlayer-studio"
            folder.mkdir(parents=True)
            (folder / "config.toml").write_text(self.config)
        return self

    def __exit__(self, *error: object) -> None:
        """End host, workers and server."""
        self.end_host()
        self.server.__exit__(None, None, None)

    @property
    def state(self) -> Path:
        """The studio's directory in the repository's."""
        return self.repo / ".git" / "studio"

    def command(self, *arguments: str) -> list[str]:
        """Return a command line of the studio."""
        return [sys.executable, "-m", "studio", *arguments]

    def studio(self, *arguments: str, code: int | None = 0, timeout: float = 90) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; with `code`, its exit code is checked."""
        done = subprocess.run(
            self.command(*arguments), cwd=self.repo, env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=timeout, check=False,
        )  # fmt: skip
        if code is not None:
            assert done.returncode == code, f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}\n{self.logs()}"
        return done

    def json(self, *arguments: str, code: int | None = 0, timeout: float = 90) -> Any:
        """Run a command with --json and return its last line, decoded."""
        done = self.studio(*arguments, "--json", code=code, timeout=timeout)
        return json.loads(done.stdout.strip().splitlines()[-1])

    def model(self) -> list[str]:
        """Return the options that choose the model server."""
        return ["--model", "openai/instant", "--api-base", self.server.url]

    def brief(self, text: str, name: str = "brief") -> str:
        """Write a brief beside the repository and return its path."""
        path = self.home / f"{name}.md"
        path.write_text(text)
        return str(path)

    def events(self, run: str) -> list[dict[str, Any]]:
        """Return a run's records."""
        done = self.studio("events", run, "--json")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def pids(self, kind: str) -> list[int]:
        """Return the ids of this repository's processes of a kind, `host` or `worker`."""
        found: list[int] = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if kind.encode() in words and str(self.repo).encode() in words and b"studio" in words:
                found.append(int(entry.name))
        return found

    def kill(self, kind: str) -> bool:
        """Kill -9 a process of a kind; False if there was none."""
        pids = self.pids(kind)
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        return bool(pids)

    def end_host(self) -> None:
        """End the host and its workers, gracefully, then not."""
        for pid in self.pids("host"):
            os.kill(pid, signal.SIGTERM)
        if not wait_for(lambda: not (self.pids("host") or self.pids("worker")), 15):
            self.kill("host")
            self.kill("worker")

    def logs(self) -> str:
        """Return the ends of all logs."""
        parts: list[str] = []
        for path in sorted((self.state / "logs").glob("*")):
            parts.append(f"== {path.name}\n{path.read_text(errors='replace')[-3000:]}")
        return "\n".join(parts)


def wait_for(condition: Callable[[], object], seconds: float = 30.0) -> bool:
    """Wait until a condition holds; False if it does not in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return bool(condition())


def median(values: Sequence[float]) -> float:
    """Return the median."""
    ordered = sorted(values)
    return ordered[len(ordered) // 2]
