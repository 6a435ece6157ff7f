"""DBOS as the engine: its database, its queue, and who this executor is.

Two processes with one executor id would run a step twice, so an executor holds a file lock on its id for as long as it
lives. SQLite's WAL is set here, because DBOS leaves the journal mode at `delete`.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from dbos import DBOS, DBOSConfig
from sqlalchemy import event

from studio.domain.errors import UsageError
from studio.domain.places import Places
from studio.pipeline.serial import StudioSerializer

__all__ = ["QUEUE", "WORKFLOW_VERSION", "adopt_runs", "executor_lock", "launch"]

WORKFLOW_VERSION = "1"
"""Changed only with the workflow's shape; unfinished runs of another version go on as new ones, by stage reuse."""
QUEUE = "runs"
_POLL_SECONDS = 0.05


@contextmanager
def executor_lock(places: Places, executor: str) -> Generator[None]:
    """Hold the lock on an executor id.

    Raises:
        UsageError: another process holds it.

    """
    folder = places.state / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / f"{executor}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(
                f"A worker named {executor} runs already.", "Choose another name with --name, or stop that one."
            ) from None
        yield
    finally:
        os.close(descriptor)


def sqlite_engine(path: Path) -> sa.Engine:
    """Return an engine on a SQLite file in WAL mode whose transactions take the write lock at once."""
    engine = sa.create_engine(f"sqlite:///{path}", pool_size=8)

    def configure(connection: Any, _record: object) -> None:
        connection.isolation_level = "IMMEDIATE"
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=30000", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    event.listen(engine, "connect", configure)
    return engine


async def launch(places: Places, database: str, executor: str, runs_at_once: int = 4) -> None:
    """Start DBOS in this process, on the running loop; it takes up this executor's unfinished runs.

    Args:
        places: The repository's places.
        database: A PostgreSQL URL, or empty for the SQLite file.
        executor: This worker's id; the caller holds its lock.
        runs_at_once: How many runs this worker executes at the same time.

    """
    logging.getLogger("dbos").setLevel(logging.WARNING)
    config: DBOSConfig = {
        "name": "quantumlayer-studio",
        "executor_id": executor,
        "application_version": WORKFLOW_VERSION,
        "serializer": StudioSerializer(),
        "enable_otlp": False,
        "notification_listener_polling_interval_sec": _POLL_SECONDS,
        "console_log_level": "WARNING",
    }
    if database:
        config["system_database_url"] = database
    else:
        places.state.mkdir(parents=True, exist_ok=True)
        config["system_database_url"] = f"sqlite:///{places.engine}"
        config["system_database_engine"] = sqlite_engine(places.engine)
    DBOS(config=config)
    DBOS.launch()
    await DBOS.register_queue_async(QUEUE, worker_concurrency=runs_at_once, polling_interval_sec=_POLL_SECONDS)


def adopt_runs(executor: str) -> int:
    """Take over the unfinished workflows of an executor that is gone; return how many. Its lock is held by the caller."""
    pending = DBOS.list_workflows(executor_id=executor, status="PENDING")
    for workflow in pending:
        DBOS.cancel_workflow(workflow.workflow_id)
        DBOS.resume_workflow(workflow.workflow_id)
    return len(pending)
