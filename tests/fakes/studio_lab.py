"""A whole studio in a temporary place: a scratch repository, a model server, the real command line, host and workers."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from tests.fakes.openai_server import Body, FakeOpenAI, Received, Rules, Scripted, Tool, prompt_of

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


def json_reply(value: Any) -> Scripted:
    """Return a structured answer."""
    return Scripted(f"```json\n{json.dumps(value)}\n```")


def tools_reply(*calls: tuple[str, dict[str, Any]], say: str = "", **fields: Any) -> Scripted:
    """Return a reply that calls tools."""
    return Scripted(say, tuple(Tool(name, json.dumps(arguments)) for name, arguments in calls), **fields)


def write_reply(path: str, content: str, **fields: Any) -> Scripted:
    """Return a reply that writes one file and says that it is done."""
    return tools_reply(("edit", {"path": path, "content": content, "done": True}), say="Done.", **fields)


def sentences_of(prompt: str) -> dict[str, str]:
    """Return the brief's sentences as a prompt shows them: text to id."""
    return {text.strip(): identity for identity, text in re.findall(r"^\[(s-[^\]]+)\] (.*)$", prompt, re.MULTILINE)}


Route = Callable[[str, Body], Scripted | None]
"""(prompt, request) to a reply, None for requests that are not its own. It runs in the server's thread: it may block."""


@dataclass
class Lab:
    """A scratch repository with a studio of its own. A context manager: what it started is gone afterwards."""

    home: Path
    script: dict[str, Any] = field(default_factory=dict[str, Any])
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
        # Not in `home`: a socket's address has at most 107 bytes.
        self.runtime = Path(tempfile.mkdtemp(prefix="lab-"))
        script = self.home / "script.json"
        script.write_text(json.dumps(self.script))
        self.routes: list[Route] = []
        rules = Rules.load(script)

        def reply(body: Body, number: int) -> Scripted:
            prompt = prompt_of(body)
            for route in list(self.routes):
                scripted = route(prompt, body)
                if scripted is not None:
                    return scripted
            return rules(body, number)

        self.server = FakeOpenAI(reply).__enter__()
        self.env = {
            **{
                key: value
                for key, value in os.environ.items()
                if not key.startswith(("GIT_", "XDG_", "STUDIO_", "COLUMNS", "LINES"))
            },
            "HOME": str(self.home),
            "XDG_RUNTIME_DIR": str(self.runtime),
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
        shutil.rmtree(self.runtime, ignore_errors=True)

    @property
    def state(self) -> Path:
        """The studio's directory in the repository's."""
        return self.repo / ".git" / "studio"

    def command(self, *arguments: str) -> list[str]:
        """Return a command line of the studio."""
        return [sys.executable, "-m", "studio", *arguments]

    def run(self, command: Sequence[str], timeout: float = 90) -> subprocess.CompletedProcess[str]:
        """Run any program as this lab's person, in the repository."""
        return subprocess.run(
            command, cwd=self.repo, env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=timeout, check=False,
        )  # fmt: skip

    def studio(self, *arguments: str, code: int | None = 0, timeout: float = 90) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; with `code`, its exit code is checked."""
        done = self.run(self.command(*arguments), timeout)
        if code is not None:
            assert done.returncode == code, (
                f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}\n{self.logs()}"
            )
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

    def on(self, *texts: str, reply: Scripted | Callable[[str, Body], Scripted]) -> None:
        """Answer requests whose prompt holds all the texts; what was said last goes first."""

        def route(prompt: str, body: Body) -> Scripted | None:
            if not all(text in prompt for text in texts):
                return None
            return reply if isinstance(reply, Scripted) else reply(prompt, body)

        self.routes.insert(0, route)

    def asked(self, *texts: str) -> list[Received]:
        """Return the requests whose prompt holds all the texts, in order."""
        return [request for request in list(self.server.requests) if all(text in request.prompt for text in texts)]

    def start(self, text: str, *options: str, name: str = "brief") -> str:
        """Start a run and return its id at once."""
        return str(self.json("run", self.brief(text, name), *self.model(), *options, "--detach")["run"])

    def log(self, run: str) -> list[dict[str, Any]]:
        """Return a run's records as they are in the database, without any studio process."""
        path = self.state / "journal.sqlite"
        if not path.exists():
            return []
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)
        try:
            query = "SELECT seq, at, step, n, kind, payload FROM events WHERE run = ? ORDER BY seq"
            rows = connection.execute(query, (run,)).fetchall()
        except sqlite3.OperationalError:
            return []  # not made yet
        finally:
            connection.close()
        names = ("seq", "at", "step", "n", "kind")
        return [{**dict(zip(names, row[:5], strict=True)), "payload": json.loads(row[5])} for row in rows]

    def kinds(self, run: str, kind: str, step: str = "") -> list[dict[str, Any]]:
        """Return the payloads of a run's events of a kind, at a step whose address begins so."""
        return [e["payload"] for e in self.log(run) if e["kind"] == kind and e["step"].startswith(step)]

    def until(self, run: str, kind: str, *, count: int = 1, step: str = "", seconds: float = 60) -> dict[str, Any]:
        """Wait until the log holds `count` events of a kind and return the last one's payload."""
        there = wait_for(lambda: len(self.kinds(run, kind, step)) >= count, seconds)
        assert there, f"{kind} never came: {[e['kind'] for e in self.log(run)]}\n{self.logs()}"
        return self.kinds(run, kind, step)[count - 1]

    def ended(self, run: str, *, count: int = 1) -> dict[str, Any]:
        """Wait until a run has ended (for the `count`th time) and return how."""
        return self.until(run, "run.finished", count=count)

    def tree(self, run: str) -> dict[str, str]:
        """Return the proposed tree's text files."""
        proposed = self.kinds(run, "changeset.proposed")[-1]["tree"]
        store = self.state / "store.git"
        names = git(store, "ls-tree", "-r", "--name-only", proposed).split()
        return {name: git(store, "show", f"{proposed}:{name}") for name in names}

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
        paths = sorted((self.state / "logs").glob("*"))
        return "\n".join(f"== {path.name}\n{path.read_text(errors='replace')[-3000:]}" for path in paths)


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
