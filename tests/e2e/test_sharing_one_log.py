"""Several clients on one repository see the same things happen, whenever they attach."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
from collections.abc import Iterator

import pytest

from studio.domain.ids import RunId
from studio.protocol.client import HostClient, Identity
from studio.protocol.commands import ReadEvents
from studio.protocol.locate import locate
from studio.protocol.messages import Happened
from tests.fakes.belongings import belongings, quick, scripted, told
from tests.fakes.openai_server import Received
from tests.fakes.studio_lab import Lab, wait_for

CONFIG = 'sandbox = "bubblewrap"\nidle_seconds = 20\n[models]\ncache = false\n'


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    slow = {"contains": ["You are the builder", "slowly"], "reply": "x" * 400, "delay": 0.5, "fault": "slow-bytes"}
    failing = {
        "contains": ["failing"],
        "tool_calls": [
            {
                "name": "edit",
                "arguments": {"path": "test_no.py", "content": "def test_no():\n    assert 1 == 2\n", "done": True},
            }
        ],
    }
    script = {"rules": [slow, failing, *scripted()["rules"]]}
    with Lab(tmp_path_factory.mktemp("sharing"), script, config=CONFIG) as lab:
        yield lab


def follow(lab: Lab, run: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        lab.command("events", run, "--follow", "--json"),
        cwd=lab.repo, env=lab.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_two_clients_and_one_that_comes_back_see_the_same(lab: Lab) -> None:
    run = lab.json("run", lab.brief("# Shared\n\nAdd mul."), *lab.model(), "--depth", "quick", "--detach")["run"]
    two = [follow(lab, run), follow(lab, run)]
    gone = follow(lab, run)
    gone.kill()
    gone.communicate()
    first, second = (process.communicate(timeout=60)[0].splitlines() for process in two)
    assert first == second
    assert json.loads(first[-1])["kind"] == "run.finished"
    assert lab.studio("events", run, "--json").stdout.splitlines() == first, "who comes back sees all of it"
    numbers = [json.loads(line)["seq"] for line in first]
    assert numbers == sorted(set(numbers))


async def test_clients_of_the_host_get_identical_records(lab: Lab) -> None:
    places = locate(lab.repo)
    lab.studio("runs")  # starts the host
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", lab.env["XDG_RUNTIME_DIR"])
        ada = await HostClient.open(places, Identity("tui", "Ada"), start=False)
        grace = await HostClient.open(places, Identity("tui", "Grace"), start=False)
    async with ada, grace:
        started = await asyncio.to_thread(
            lab.json, "run", lab.brief("# Twice\n\nAdd mul."), *lab.model(), "--depth", "quick", "--detach"
        )
        run = RunId(started["run"])
        seen = await asyncio.gather(*(watch(client, run) for client in (ada, grace)))
        assert seen[0] == seen[1]
        late: list[int] = []
        while records := (await ada.ask(ReadEvents(run, late[-1] if late else 0))).records:
            late += [record.seq for record in records]
        assert late == seen[0]


async def watch(client: HostClient, run: RunId) -> list[int]:
    """Return the numbers of a run's records, from the first to its end."""
    seen: list[int] = []
    async for event in client.follow(0, streams=False):
        for record in event.records if isinstance(event, Happened) else ():
            if record.run == run:
                seen.append(record.seq)
                if record.kind == "run.finished":
                    return seen
    raise AssertionError("the connection ended")


def test_ctrl_c_cancels_the_run_it_follows_at_once(lab: Lab) -> None:
    before = belongings(lab.repo)

    def slow() -> list[Received]:
        return [request for request in lab.server.requests if "slowly" in request.prompt]

    earlier = len(slow())
    words = ["run", lab.brief("# Slow\n\nWork slowly."), *lab.model(), "--depth", "quick"]
    process = subprocess.Popen(
        lab.command(*words), cwd=lab.repo, env=lab.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert wait_for(lambda: len(slow()) > earlier)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    told(subprocess.CompletedProcess(words, process.returncode, out, err), 130, "is cancelled", "studio resume")
    run = next(item["run"] for item in lab.json("runs") if item["run"] in err)

    def ended() -> bool:
        return bool(lab.json("show", run)["status"] == "cancelled")

    assert wait_for(ended)
    (request,) = slow()[earlier:]
    assert request.left.wait(10), "the model's stream was cut, not read to its end"
    assert belongings(lab.repo) == before


def test_a_run_that_another_client_cancels_ends_130(lab: Lab) -> None:
    words = ["run", lab.brief("# Slower\n\nWork more slowly."), *lab.model(), "--depth", "quick", "--json"]
    with subprocess.Popen(
        lab.command(*words), cwd=lab.repo, env=lab.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as process:
        assert wait_for(lambda: any("more slowly" in request.prompt for request in lab.server.requests))
        run = next(item["run"] for item in lab.json("runs") if item["status"] == "running")
        lab.studio("cancel", run)
        out = process.communicate(timeout=30)[0]
    last = json.loads(out.splitlines()[-1])
    assert (last["status"], last["exit_code"], process.returncode) == ("cancelled", 130, 130)


def test_failed_checks_end_3(lab: Lab) -> None:
    words = ["run", lab.brief("# Broken\n\nAdd a failing test."), *lab.model(), "--depth", "quick"]
    last = lab.json(*words, code=3)
    assert (last["status"], last["checks"]["tests"]) == ("checks_failed", "failed")
    told(lab.studio("accept", last["run"], "--all", code=None), 3, "tests", "--unchecked")


def test_every_client_uses_one_host(lab: Lab) -> None:
    quick(lab, name="one")
    assert len(lab.pids("host")) == 1
