"""What is asked of a Docker engine: hardened containers with a runner in them, and the removal of what is left over."""

from __future__ import annotations

import inspect
import json
import os
import socket
from pathlib import Path
from types import ModuleType
from typing import Any

from studio.domain.errors import SandboxUnavailable
from studio.domain.sandbox import Command
from studio.domain.value import Value
from studio.sandbox import pack, runner, tree
from studio.sandbox.link import Link, LinkClosed

__all__ = ["Engine", "Profile", "Warm"]

_LABEL = "quantumlayer-studio"
_TIMEOUT = 30
_DEFAULT_HOST = "unix:///var/run/docker.sock"
_RUNNER_MEMORY = 64 * 1024 * 1024
_RUNNER_PROCESSES = 8
_START = "start a Docker engine and let this user reach it (`docker info` must work)"
_BUILD = (
    "build the image: `studio/sandbox/image/build-image`, or `docker build -t quantumlayer-studio studio/sandbox/image`"
)
_BOOT = """
import json, os, sys, types
def read(n):
    data = b""
    while len(data) < n:
        data += os.read(0, n - len(data)) or sys.exit(0)
    return data
for name, source in json.loads(read(int.from_bytes(read(4), "big"))):
    module = sys.modules[name] = types.ModuleType(name)
    module.__path__ = []
    exec(compile(source, name, "exec"), module.__dict__)
    parent, _, last = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], last, module)
sys.modules["studio.sandbox.runner"].serve()
"""


class Profile(Value, frozen=True):
    """What a container is made for; commands of one profile can use the same container, one after the other."""

    memory: int
    processes: int
    disk: int
    files: int
    network: bool
    mounts: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, command: Command) -> Profile:
        """Return the profile of `command`."""
        limits = command.limits
        sizes = (limits.memory_bytes, limits.processes, limits.disk_bytes, limits.files)
        return cls(*sizes, command.network, command.mounts)

    @property
    def reusable(self) -> bool:
        """Whether a container of this profile carries nothing from one command to the next."""
        return not self.network and not self.mounts


class Warm:
    """A container with a runner that waits."""

    def __init__(self, container: Any, link: Link) -> None:
        self.container = container
        self.link = link
        self._used = 0

    def next_uid(self) -> int:
        """Return a uid that no command in this container has had."""
        self._used += 1
        return 100_000 + self._used

    def memory_killed(self) -> bool:
        """Tell whether the kernel ended the runner itself for memory."""
        self.container.reload()
        return bool(self.container.attrs["State"].get("OOMKilled"))

    def remove(self) -> None:
        """Let go of the stream first (a container whose output nobody drains cannot be killed), then remove it."""
        self.link.close()
        _remove(self.container)


class Engine:
    """A connection to an engine. Its methods block."""

    def __init__(self, image: str) -> None:
        """Connect to the engine of the environment (`DOCKER_HOST`), and remove containers of dead processes of ours.

        Raises:
            SandboxUnavailable: there is no engine, or no such image.

        """
        import docker
        import docker.errors

        self._image = image
        _try_socket(os.environ.get("DOCKER_HOST") or _DEFAULT_HOST)
        try:
            self._client: Any = docker.from_env(timeout=_TIMEOUT)
            self._client.images.get(image)
        except docker.errors.ImageNotFound as error:
            self._client.close()
            raise SandboxUnavailable(f"the Docker engine has no image {image}", _BUILD) from error
        except (docker.errors.DockerException, OSError) as error:
            raise SandboxUnavailable(f"no Docker engine answers: {_first_line(error)}", _START) from error
        self._sweep()

    def boot(self, profile: Profile) -> Warm:
        """Start a container of `profile` and put the runner into it.

        Raises:
            SandboxUnavailable: the engine refused.

        """
        import docker.errors

        container: Any = None
        try:
            container = self._client.containers.create(self._image, **_arguments(profile))
            params = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
            link = Link(container.attach_socket(params=params))
            container.start()
            sources = json.dumps([(module.__name__, _source(module)) for module in _modules()]).encode()
            link.send_raw(len(sources).to_bytes(4, "big") + sources)
        except (docker.errors.DockerException, OSError, LinkClosed) as error:
            if container is not None:
                _remove(container)
            raise SandboxUnavailable(f"the Docker engine refused a container: {_first_line(error)}", _START) from error
        return Warm(container, link)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _sweep(self) -> None:
        """Remove containers whose process of ours died without removing them."""
        for container in self._client.containers.list(all=True, filters={"label": _LABEL}):
            host, _, pid = container.labels.get(_LABEL, "").rpartition(":")
            if host == socket.gethostname() and pid.isdigit() and not Path("/proc", pid).exists():
                _remove(container)


def _try_socket(host: str) -> None:
    """Connect to a local engine once: docker-py leaks its socket where this fails.

    Raises:
        SandboxUnavailable: nothing listens there, or this user may not connect.

    """
    scheme, _, path = host.partition("://")
    if scheme == "unix":
        with socket.socket(socket.AF_UNIX) as attempt:
            attempt.settimeout(_TIMEOUT)
            try:
                attempt.connect(path)
            except OSError as error:
                raise SandboxUnavailable(f"no Docker engine answers at {path}: {error.strerror}", _START) from error


def _modules() -> list[ModuleType]:
    import studio
    import studio.sandbox

    return [studio, studio.sandbox, tree, pack, runner]


def _source(module: ModuleType) -> str:
    return inspect.getsource(module)


def _arguments(profile: Profile) -> dict[str, Any]:
    """Return the hardened arguments of `containers.create`."""
    from docker.types import LogConfig, Ulimit

    inodes = f"nr_inodes={profile.files},mode=1777"
    return {
        "command": ["python3", "-I", "-S", "-c", _BOOT],
        "labels": {_LABEL: f"{socket.gethostname()}:{os.getpid()}"},
        "stdin_open": True,
        "user": "0:0",
        "hostname": "sandbox",
        "network_mode": "bridge" if profile.network else "none",
        "read_only": True,
        "tmpfs": {
            "/work": f"rw,exec,nosuid,nodev,size={profile.disk},{inodes}",
            "/tmp": f"rw,exec,nosuid,nodev,size={profile.disk},{inodes}",  # noqa: S108 - the container's own
            "/dev/shm": f"rw,noexec,nosuid,nodev,size={profile.disk},{inodes}",  # noqa: S108 - as above
        },
        "volumes": {host: {"bind": f"/work/{path}", "mode": "ro"} for host, path in profile.mounts},
        "mem_limit": profile.memory + _RUNNER_MEMORY,
        "memswap_limit": profile.memory + _RUNNER_MEMORY,
        "pids_limit": profile.processes + _RUNNER_PROCESSES,
        "ulimits": [Ulimit(name="core", soft=0, hard=0), Ulimit(name="nofile", soft=4096, hard=4096)],
        "cap_drop": ["ALL"],
        "cap_add": ["SETUID", "SETGID", "KILL"],
        "security_opt": ["no-new-privileges"],
        "ipc_mode": "private",
        "cgroupns": "private",
        "log_config": LogConfig(type="none"),
    }


def _remove(container: Any) -> None:
    """Kill and remove a container; one that is gone already is as good."""
    import docker.errors

    try:
        container.remove(force=True, v=True)
    except (docker.errors.APIError, OSError):
        return


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:300]
