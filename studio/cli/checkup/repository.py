"""The repository: its state, the configuration, the journal, the host."""

from __future__ import annotations

import subprocess
from contextlib import suppress

from studio import __version__
from studio.cli.checkup.finding import Finding, State
from studio.domain.config import Config
from studio.domain.errors import StudioError
from studio.domain.places import Places, user_config_dir
from studio.protocol.client import HostClient, Identity, run_with_host
from studio.protocol.commands import GetStatus, HostStatus
from studio.protocol.locate import git_environment
from studio.protocol.sockets import HostLock

__all__ = ["configuration", "host", "journal", "repository"]


def repository(places: Places) -> list[Finding]:
    """Ask git how the working tree stands; nothing is written."""
    done = subprocess.run(
        ["git", "-C", places.worktree, "status", "--porcelain=v2", "--branch", "-z"],
        capture_output=True,
        check=False,
        env=git_environment(),
        stdin=subprocess.DEVNULL,
    )
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()[:1]
        found = f"`git status` fails: {' '.join(said)}"
        return [Finding("repository", State.BROKEN, found, "No run can start.", "Repair it until `git status` works.")]
    entries = done.stdout.decode("utf-8", "replace").split("\0")
    head = {name: value for name, _, value in (entry[2:].partition(" ") for entry in entries if entry.startswith("# "))}
    changed = sum(entry[:1] in {"1", "2", "?", "u"} for entry in entries)
    where = head.get("branch.head", "?")
    found = f"{places.worktree} · {where} · {changed} uncommitted paths"
    if any(entry.startswith("u ") for entry in entries):
        do = "Finish the merge (`git add`, `git commit`), or abort it."
        return [Finding("repository", State.BROKEN, found, "The index has unmerged paths: no run can start.", do)]
    if head.get("branch.oid") == "(initial)":
        return [
            Finding("repository", State.OK, found, "There is no commit yet: a run starts from the working tree alone.")
        ]
    if where == "(detached)":
        return [Finding("repository", State.OK, found, "HEAD is detached: a commit that lands is on no branch.")]
    return [Finding("repository", State.OK, found)]


def configuration(places: Places) -> list[Finding]:
    """Read the configuration and the environment file."""
    from studio.wiring import load_config, load_environment

    load_config(places)
    load_environment(places)
    files = (user_config_dir() / "config.toml", places.config, places.environment)
    read = [str(path) for path in files if path.exists()]
    return [Finding("configuration", State.OK, f"read {', '.join(read)}" if read else "no file: defaults are in force")]


def journal(places: Places, config: Config) -> list[Finding]:
    """Open the journal, if there is one, and read its head. The chain is not verified here."""
    if not config.database and not places.journal.exists():
        return [Finding("journal", State.OK, "none yet: the first host makes it")]
    from studio.wiring import open_log

    with open_log(places) as store:
        head = store.journal.head()
    means = "It was opened and its head was read; `studio audit` verifies the chain."
    return [Finding("journal", State.OK, f"{head} records in {_place(places, config)}", means)]


def _place(places: Places, config: Config) -> str:
    """Return where the journal is, without the password of a URL."""
    if not config.database:
        return str(places.journal)
    scheme, _, rest = config.database.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


def host(places: Places) -> list[Finding]:
    """Ask the host how it is, if one runs; none is started."""
    if not HostLock(places).held():
        return [Finding("host", State.OK, "not running", "The first command that needs it starts it.")]

    async def body(client: HostClient) -> HostStatus:
        return await client.ask(GetStatus())

    try:
        status = run_with_host(places, Identity("cli", "doctor"), body, start=False)
    except StudioError as error:
        pid = ""
        with suppress(AttributeError):
            pid = f" (process {HostLock(places).holder().pid})"  # pyright: ignore[reportOptionalMemberAccess]  # suppressed
        found = f"one holds the lock{pid} and does not answer: {error.what}"
        return [
            Finding("host", State.ADVICE, found, "It may be starting or ending.", "Try again; else end that process.")
        ]
    found = (
        f"process {status.pid} · version {status.version} · {status.clients} clients · workers {len(status.workers)}"
    )
    if status.version != __version__:
        do = "Close all studios of this repository and start again."
        return [Finding("host", State.ADVICE, found, f"This studio is version {__version__}.", do)]
    return [Finding("host", State.OK, found)]
