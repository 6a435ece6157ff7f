"""A machine that fails or is shared: a full disk, another user's socket, a second host, a log from the future."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Iterator
from typing import Any, cast

import pytest

from studio.domain.events import Draft, UnknownEvent
from studio.domain.fold import fold
from studio.domain.ids import RunId
from studio.domain.value import Value
from studio.journal import open_store
from studio.protocol.locate import locate
from tests.fakes.belongings import belongings, quick, scripted, told
from tests.fakes.studio_lab import Lab, wait_for

CONFIG = 'sandbox = "bubblewrap"\nidle_seconds = 600\n[models]\ncache = false\n'
DISK_BYTES = 24 * 1024 * 1024
COMMENT = "x" * 100_000


class Hologram(Value, frozen=True, tag="hologram.projected", tag_field="kind"):
    """An event of a version to come."""

    where: str


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with Lab(tmp_path_factory.mktemp("machine"), scripted(), config=CONFIG) as lab:
        yield lab


@pytest.fixture(scope="module")
def run(lab: Lab) -> str:
    return quick(lab)


class SmallDisk:
    """A lab whose studio keeps everything on a small file system of its own, seen only by what is run inside."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        lab.state.mkdir()
        hold = ["bwrap", "--dev-bind", "/", "/", "--size", str(DISK_BYTES), "--tmpfs", str(lab.state)]
        self.holder = subprocess.Popen(
            [*hold, "sh", "-c", "echo $$; exec sleep 600"], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
        )
        assert self.holder.stdout
        user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
        self.inside = ["nsenter", "-t", self.holder.stdout.readline().strip(), *user, "--mount", f"--wd={lab.repo}"]

    def studio(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.lab.run([*self.inside, *self.lab.command(*words)])

    def fill(self) -> None:
        self.lab.run([*self.inside, "dd", "if=/dev/zero", f"of={self.lab.state}/ballast", "bs=4k"])

    def free(self) -> None:
        self.lab.run([*self.inside, "rm", f"{self.lab.state}/ballast"])

    def close(self) -> None:
        self.lab.end_host()
        self.holder.kill()
        self.holder.wait()
        assert self.holder.stdout
        self.holder.stdout.close()


@pytest.fixture
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallDisk]:
    calls = [
        {"name": "edit", "arguments": {"path": f"f{n}.txt", "content": f"{n}\n", "done": n == 19}} for n in range(20)
    ]
    script = {"rules": [{"contains": ["You are the builder"], "reply": "Done.", "tool_calls": calls}]}
    with Lab(tmp_path_factory.mktemp("disk"), script, config=CONFIG) as lab:
        small = SmallDisk(lab)
        try:
            yield small
        finally:
            small.close()


def test_a_full_disk_loses_nothing_and_the_studio_goes_on_when_there_is_space(disk: SmallDisk) -> None:
    lab = disk.lab
    words = ["run", lab.brief("# Files\n\nWrite twenty files."), *lab.model(), "--depth", "quick"]
    run = disk.studio(*words).stdout.split()[0]
    before, events = belongings(lab.repo), disk.studio("events", run, "--json").stdout
    disk.fill()
    told(disk.studio("reject", run, "--all", "--comment", COMMENT), 1, "disk is full", "Free space")
    told(disk.studio(*words), 1, "disk is full", "ree space")
    assert disk.studio("events", run, "--json").stdout == events
    assert belongings(lab.repo) == before
    disk.free()
    assert "rejected 20 hunks" in disk.studio("reject", run, "--all", "--comment", COMMENT).stdout
    assert "the chain holds" in disk.studio("audit").stdout
    assert disk.studio(*words).returncode == 0
    lab.end_host()
    disk.fill()
    told(disk.studio("runs"), 1, "disk is full", "Free space")
    disk.free()
    assert run in disk.studio("runs").stdout
    assert belongings(lab.repo) == before


def test_a_socket_of_another_user_is_refused(lab: Lab, run: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    lab.studio("show", run)
    socket = next(lab.runtime.rglob("*.sock"))
    for path in (socket, socket.parent):
        os.chown(path, 12345, 12345)
        try:
            told(lab.studio("show", run, code=None), 2, "another user", "")
        finally:
            os.chown(path, 0, 0)
    lab.studio("show", run)


def test_a_second_host_is_refused_and_the_first_goes_on(lab: Lab, run: str) -> None:
    lab.studio("show", run)
    (pid,) = lab.pids("host")
    told(lab.studio("host", code=None), 2, f"Another host (process {pid})", "attaches to it")
    assert lab.pids("host") == [pid]
    lab.studio("show", run)


def test_an_event_of_the_future_is_kept_shown_and_passed_over(lab: Lab, run: str) -> None:
    with open_store(locate(lab.repo)) as store:
        (record,) = store.journal.append([Draft(cast("Any", Hologram("here")), RunId(run))])
    shown = next(event for event in lab.events(run) if event["seq"] == record.seq)
    assert shown["kind"] == "hologram.projected"
    assert "hologram.projected" in lab.studio("events", run).stdout
    assert lab.json("show", run)["status"] == "ready"
    assert lab.json("audit")["ok"] is True
    with open_store(locate(lab.repo)) as store:
        records = store.journal.read(0, 10_000)
    assert UnknownEvent("hologram.projected") in [one.event for one in records]
    assert fold(records).runs[RunId(run)].status == "ready"
    assert quick(lab, "# Again\n\nOnce more.", name="after") != run, "workers pass it over too"
    lab.end_host()
    assert lab.json("show", run)["status"] == "ready", "and so does a host that starts"


@pytest.mark.parametrize(
    ("statement", "broken"),
    [
        ('UPDATE events SET payload = \'{"kind":"run.told","text":"no"}\' WHERE seq = 3', 3),
        ("UPDATE events SET actor = 'mallory' WHERE seq = 2", 2),
        ("DELETE FROM events WHERE seq = 4", 4),
    ],
)
def test_the_audit_names_the_first_broken_record(
    tmp_path_factory: pytest.TempPathFactory, statement: str, broken: int
) -> None:
    with Lab(tmp_path_factory.mktemp("audit"), scripted(), config="workers = 0\n") as lab:
        lab.studio("run", lab.brief("# A\n\nB."), *lab.model(), "--detach")
        run = lab.json("runs")[0]["run"]
        for text in ("one", "two", "three"):
            lab.studio("tell", run, text)
        assert lab.json("audit")["ok"] is True
        lab.end_host()
        with sqlite3.connect(lab.state / "journal.sqlite") as connection:
            connection.execute(statement)
        connection.close()
        audit = lab.json("audit", code=1)
        assert (audit["ok"], audit["first_broken"]) == (False, broken)
        done = lab.studio("audit", code=1)
        assert f"broken at record {broken}" in done.stdout


def test_what_is_forgotten_is_gone_and_the_audit_says_so(lab: Lab, run: str) -> None:
    secret = "correct-horse-battery-staple"
    lab.studio("reject", run, "--all", "--comment", secret)

    def holders() -> dict[str, int]:
        return {event["kind"]: event["seq"] for event in lab.events(run) if secret in str(event["payload"])}

    assert wait_for(lambda: set(holders()) == {"hunk.decided", "memory.learned"}), "a rejection teaches"
    held = holders()
    lab.studio("forget", str(held["hunk.decided"]), "--reason", "a password")
    assert secret not in lab.studio("events", run, "--json").stdout
    assert secret not in lab.studio("show", run, "--json").stdout
    audit = lab.json("audit")
    assert audit["ok"] is True
    assert set(held.values()) <= set(audit["erased"]), "what was learned of it goes too"
    assert f"{len(audit['erased'])} payloads erased on request" in lab.studio("audit").stdout
    lab.end_host()
    for path in lab.state.rglob("*"):
        # ChromaDB deletes rows and leaves their pages to be written over.
        if path.is_file() and "chroma" not in path.parts:
            assert secret.encode() not in path.read_bytes(), path
    told(lab.studio("forget", "99999", "--reason", "x", code=None), 2, "no record 99999", "studio events")
    told(lab.studio("forget", "1", "--reason", " ", code=None), 2, "reason", "--reason")
