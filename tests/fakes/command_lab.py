"""The command line as a person uses it: in a process of its own, in a scratch repository."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.domain.places import Places
from studio.protocol.locate import locate


@dataclass
class CommandLab:
    """A scratch repository and an environment of its own; `studio` runs a command in it."""

    root: Path
    environ: dict[str, str] = field(default_factory=dict[str, str])

    def studio(
        self,
        *arguments: str,
        cwd: Path | None = None,
        stdin: bytes | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "studio", *arguments],
            cwd=cwd or self.root,
            input=stdin or b"",
            env={**self.environ, **(environ or {})},
            capture_output=True,
            check=False,
        )
        return subprocess.CompletedProcess(
            done.args, done.returncode, done.stdout.decode(), done.stderr.decode("utf-8", "replace")
        )

    def json(self, *arguments: str, code: int = 0) -> Any:
        """Return the last line of a command's output."""
        done = self.studio(*arguments)
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def git(self, *arguments: str) -> str:
        command = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org", *arguments]
        return subprocess.run(command, cwd=self.root, check=True, capture_output=True, text=True).stdout

    @property
    def places(self) -> Places:
        return locate(self.root)
