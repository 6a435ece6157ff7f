"""Real servers for the contract tests."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


def _postgresql_bin() -> Path | None:
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return installed[-1].parent if installed else None


def _server_user() -> str | None:
    """The user to run the server as: it refuses to run as root."""
    if os.getuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        return "nobody"


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """A private PostgreSQL cluster on a Unix socket; gives the URL of its `postgres` database."""
    binaries = _postgresql_bin()
    if binaries is None:
        if os.environ.get("CI") == "true":
            pytest.fail("PostgreSQL is not installed")
        pytest.skip("PostgreSQL is not installed")
    user = _server_user()
    # Not below pytest's directory: a socket's address has at most 107 bytes, and the server's user must get there.
    home = Path(tempfile.mkdtemp(prefix="studio-pg-"))
    try:
        if user is not None:
            shutil.chown(home, user)
        data = home / "data"
        _run(user, str(binaries / "initdb"), "-D", str(data), "-U", "studio", "-A", "trust", "-N", "--no-instructions")
        options = f"-k {home} -c listen_addresses='' -c fsync=off -c shared_buffers=16MB -c max_connections=60"
        _run(user, str(binaries / "pg_ctl"), "-D", str(data), "-o", options, "-l", str(home / "log"), "-w", "start")
        try:
            yield f"postgresql+psycopg://studio@/postgres?host={home}"
        finally:
            _run(user, str(binaries / "pg_ctl"), "-D", str(data), "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def postgresql_url(postgresql_server: str) -> str:
    """The URL of an empty schema of its own."""
    import sqlalchemy as sa

    schema = f"s{secrets.token_hex(6)}"
    engine = sa.create_engine(postgresql_server)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA {schema}")
    engine.dispose()
    return f"{postgresql_server}&options=-csearch_path%3D{schema}"


def _run(user: str | None, *argv: str) -> None:
    done = subprocess.run(
        argv, user=user, group=user and pwd.getpwnam(user).pw_gid, extra_groups=[] if user else None, cwd="/",
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
