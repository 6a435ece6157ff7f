"""Briefs and configuration files that cannot be read: refused in two lines before anything is started."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes.belongings import belongings, scripted, told
from tests.fakes.studio_lab import Lab, wait_for

BRIEF = "# Multiply\n\nAdd mul to mul.py."


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with Lab(tmp_path_factory.mktemp("briefs"), scripted(), config="idle_seconds = 2\n") as lab:
        yield lab


BRIEFS = {
    "missing": (None, "There is no brief", ".studio/briefs"),
    "empty": (b"", "is empty", ""),
    "blank": (b" \n\t\n", "is empty", ""),
    "front matter alone": (b"---\ntitle: Nothing\n---\n", "is empty", ""),
    "not UTF-8": ("# Größe".encode("latin-1"), "UTF-8", ""),
    "NUL bytes": (b"# A\0B\n", "", ""),
    "5 MB": (b"# Large\n\n" + b"word " * 1_000_000, "at most 1 MB", "context"),
    "front matter without an end": (b"---\ntitle: A\n# Brief\n", "front matter", "---"),
    "front matter that is no YAML": (b"---\ntitle: [\n---\n# Brief\n", "front matter", ""),
    "front matter that is a list": (b"---\n- a\n---\n# Brief\n", "front matter", ""),
    "an unknown key": (b"---\ntitel: A\n---\n# Brief\n", "titel", ""),
    "a wrong value": (b"---\nbudget: much\n---\n# Brief\n", "budget", ""),
    "a depth that is none": (b"---\ndepth: abyssal\n---\n# Brief\n", "depth", ""),
}


@pytest.mark.parametrize("kind", BRIEFS)
def test_a_brief_that_cannot_be_read_is_refused(lab: Lab, kind: str) -> None:
    content, what, do = BRIEFS[kind]
    path = lab.home / f"{kind.replace(' ', '-')}.md"
    if content is not None:
        path.write_bytes(content)
    before = belongings(lab.repo)
    told(lab.studio("run", str(path), *lab.model(), code=None), 2, what, do)
    assert belongings(lab.repo) == before
    assert not lab.server.requests


CONFIGURATIONS = {
    "no TOML": ("workers = = 2\n", "cannot be read", "Mend it"),
    "an unknown key": ("sandbocks = 'auto'\n", "sandbocks", "The keys are"),
    "a wrong kind": ("workers = 'two'\n", "workers", "The keys are"),
}


@pytest.mark.parametrize("kind", CONFIGURATIONS)
def test_a_broken_configuration_is_named(lab: Lab, kind: str) -> None:
    text, what, do = CONFIGURATIONS[kind]
    lab.end_host()
    path = lab.repo / ".studio" / "config.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    try:
        done = lab.studio("run", lab.brief(BRIEF), *lab.model(), "--depth", "quick", code=None)
        told(done, 2, what, do)
        assert not lab.server.requests
    finally:
        path.unlink()


@pytest.mark.parametrize(("text", "what"), [("setup = [\n", "environment.toml"), ("setups = ['x']\n", "setups")])
def test_a_broken_environment_file_is_named(lab: Lab, text: str, what: str) -> None:
    path = lab.repo / ".studio" / "environment.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    try:
        done = lab.studio("run", lab.brief(BRIEF), *lab.model(), "--depth", "quick", code=None)
        assert done.returncode == 2, done.stderr
        assert what in done.stdout + done.stderr
        assert not lab.server.requests
    finally:
        path.unlink()


def test_no_host_is_left_where_none_could_start(lab: Lab) -> None:
    lab.end_host()
    path = lab.repo / ".studio" / "config.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text("workers = -\n")
    lab.studio("runs", code=2)
    path.unlink()
    assert wait_for(lambda: not lab.pids("host"), 10)
    assert lab.json("runs") is not None
