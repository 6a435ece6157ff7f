from __future__ import annotations

import io
import os
import sys
import tarfile
from pathlib import Path

import pytest

from studio.domain.config import Config
from studio.domain.errors import SandboxUnavailable, UsageError
from studio.domain.sandbox import Command
from studio.sandbox import pack, toolchains, tree
from studio.sandbox.bubblewrap import BubblewrapSandbox
from studio.sandbox.choose import choose
from studio.sandbox.output import Output
from studio.sandbox.terms import check, environment


def test_output_keeps_the_first_and_counts_the_rest() -> None:
    seen: list[bytes] = []
    output = Output(5, seen.append)
    output.add(b"abc", stdout=True)
    output.add(b"defg", stdout=False)
    output.add(b"hij", stdout=True)
    assert (output.both, output.stdout, output.dropped, seen) == (b"abcde", b"abc", 5, [b"abc", b"de"])


def test_environment_is_overridden_by_the_command() -> None:
    got = dict(environment(Command(("x",), env=(("HOME", "/work"),)), ("/a", "/b")))
    assert (got["PATH"], got["HOME"]) == ("/a:/b", "/work")


def test_check_names_what_is_wrong(tmp_path: Path) -> None:
    assert check(tmp_path, Command(("true",), cwd="a/../b")) == ""
    assert "out of the tree" in check(tmp_path, Command(("true",), cwd="a/../../b"))
    assert "no such directory" in check(tmp_path / "none", Command(("true",)))
    assert "surrogate" in check(tmp_path, Command(("echo", "\ud800")))
    assert check(tmp_path, Command(("echo", os.fsdecode(b"\xff")))) == ""
    assert "too long" in check(tmp_path, Command(("echo", "x" * 131_072)))
    assert "too long" in check(tmp_path, Command(("echo", *(["x" * 100_000] * 11))))


def executable(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def furnished(home: Path, monkeypatch: pytest.MonkeyPatch, *path: Path) -> toolchains.Furnishing:
    monkeypatch.setenv("HOME", str(home))
    return toolchains.furnish({"PATH": ":".join(map(str, path))})


def test_a_version_managers_node_is_shown_without_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version = tmp_path / ".nvm/versions/node/v22"
    executable(version / "bin/node")
    got = furnished(tmp_path, monkeypatch, version / "bin")
    assert (str(version), str(version)) in got.binds
    assert str(version / "bin") in got.path
    assert not any(Path(host) in {tmp_path, tmp_path / ".nvm"} for host, _ in got.binds)


def test_rustups_proxy_leads_to_the_default_toolchain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("rustc", "rustup"):
        executable(tmp_path / ".cargo/bin" / name)
    executable(tmp_path / ".rustup/toolchains/stable/bin/rustc")
    (tmp_path / ".rustup/settings.toml").write_text('default_toolchain = "stable"\n')
    got = furnished(tmp_path, monkeypatch, tmp_path / ".cargo/bin")
    stable = str(tmp_path / ".rustup/toolchains/stable")
    assert (stable, stable) in got.binds
    assert not any(".cargo" in host for host, _ in got.binds)


def test_a_shim_leads_to_the_global_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    executable(tmp_path / ".rbenv/shims/ruby")
    executable(tmp_path / ".rbenv/versions/3.3.0/bin/ruby")
    (tmp_path / ".rbenv/version").write_text("3.3.0\n")
    got = furnished(tmp_path, monkeypatch, tmp_path / ".rbenv/shims")
    version = str(tmp_path / ".rbenv/versions/3.3.0")
    assert (version, version) in got.binds


@pytest.mark.parametrize("place", ["bin", ".local/bin", "go"])
def test_a_program_in_a_home_shows_nothing_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    home = tmp_path / "go" if place == "go" else tmp_path
    executable(tmp_path / place / "node")
    got = furnished(home, monkeypatch, tmp_path / place)
    assert not any(Path(host).is_relative_to(tmp_path) for host, _ in got.binds)


def test_private_keys_are_not_shown() -> None:
    hosts = [host for host, _ in toolchains.furnish().binds]
    assert "/etc/ssl" not in hosts
    assert "/etc" not in hosts
    assert "/" not in hosts


def test_a_tool_by_its_path_is_named_as_it_is_inside() -> None:
    assert toolchains.command_for((f"{sys.prefix}/bin/ruff", "check")) == ("/opt/studio/bin/ruff", "check")
    assert toolchains.command_for(("ruff",)) == ("ruff",)


async def test_unknown_level() -> None:
    with pytest.raises(UsageError):
        await choose("chroot", Config())


async def test_missing_bubblewrap_is_told(tmp_path: Path) -> None:
    sandbox = BubblewrapSandbox(str(tmp_path / "bwrap"))
    probe = await sandbox.probe()
    assert (probe.works, bool(probe.do)) == (False, True)
    with pytest.raises(SandboxUnavailable):
        await sandbox.run(tmp_path, Command(("true",)))
    await sandbox.close()


async def test_docker_without_an_image_is_an_error_not_something_weaker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent.sock")
    with pytest.raises(SandboxUnavailable):
        await choose("docker", Config())


async def test_a_bubblewrap_that_fails_is_told_with_its_words(tmp_path: Path) -> None:
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    broken.chmod(0o755)
    sandbox = BubblewrapSandbox(str(broken))
    probe = await sandbox.probe()
    await sandbox.close()
    assert not probe.works


def tar_of(*members: tuple[tarfile.TarInfo, bytes]) -> io.BytesIO:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:") as tar:
        for member, content in members:
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    file.seek(0)
    return file


def test_hostile_tar_does_not_lead_out(tmp_path: Path) -> None:
    host = tmp_path / "host"
    host.mkdir()
    (host / "kept").touch()
    link = tarfile.TarInfo("link")
    link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path)
    listing = b'{"gone": [["../outside", false], ["/etc/x", false], ["kept/../../outside", false]], "skipped": []}'
    (tmp_path / "outside").touch()
    members = [
        (tarfile.TarInfo(".studio-changes"), listing),
        (link, b""),
        (tarfile.TarInfo("link/through"), b"x"),
        (tarfile.TarInfo("../escaped"), b"x"),
        (tarfile.TarInfo(str(tmp_path / "absolute")), b"x"),
        (tarfile.TarInfo(".git/config"), b"x"),
        (tarfile.TarInfo("big"), b"x" * 2000),
        (tarfile.TarInfo("fine"), b"x"),
    ]
    root = os.open(host, os.O_RDONLY)
    try:
        skipped = pack.unpack_changes(tar_of(*members), root, 1000, 100)
    finally:
        os.close(root)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["host", "outside"]
    assert sorted(str(p.relative_to(host)) for p in host.rglob("*")) == ["fine", "kept", "link", "link/through"]
    assert not (host / "link").is_symlink()
    assert len(skipped) >= 5


def test_packed_tree_unpacks_the_same(tmp_path: Path) -> None:
    source, target = tmp_path / "a", tmp_path / "b"
    (source / "d").mkdir(parents=True)
    target.mkdir()
    (source / "d/x").write_text("x")
    (source / "run").write_text("#!/bin/sh\n")
    (source / "run").chmod(0o755)
    (source / "link").symlink_to("d/x")
    (source / ".git").mkdir()
    file = io.BytesIO()
    root = os.open(source, os.O_RDONLY)
    try:
        pack.pack_tree(root, file, 1000, 100)
        with pytest.raises(tree.Excess):
            pack.pack_tree(root, io.BytesIO(), 1000, 2)
    finally:
        os.close(root)
    file.seek(0)
    pack.unpack_tree(file, target)
    assert sorted(str(p.relative_to(target)) for p in target.rglob("*")) == ["d", "d/x", "link", "run"]
    assert (target / "link").readlink() == Path("d/x")
    assert os.access(target / "run", os.X_OK)
