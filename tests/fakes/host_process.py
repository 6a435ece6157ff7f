"""A host with real parts but a scripted worker, as a process: `host_process.py --repo DIR [--idle S] [--workers N]`."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from studio.domain.config import Config
from studio.domain.errors import StudioError
from studio.host.parts import HostParts
from studio.host.serve import serve
from studio.journal import open_store
from studio.protocol.locate import locate
from studio.workspace import GitWorkspace

WORKER = Path(__file__).with_name("worker_process.py")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--repo", type=Path, required=True)
    parser.add_argument("--idle", type=float, default=30.0)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--worker-mode", default="serve")
    options = parser.parse_args()
    places = locate(options.repo)
    store = open_store(places)

    def worker(name: str, life: int) -> list[str]:
        return [sys.executable, str(WORKER), places.worktree, name, str(life), options.worker_mode]

    parts = HostParts(
        store.journal, store.artifacts, store.streams, store.snapshots, GitWorkspace, worker, close=store.close
    )
    try:
        asyncio.run(serve(parts, places, Config(workers=options.workers, idle_seconds=options.idle)))
    except StudioError as error:
        sys.stderr.write(f"{error.what} {error.do}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
