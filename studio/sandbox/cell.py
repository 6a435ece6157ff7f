"""One command in one cell: stage, copy in, bubblewrap, wait, copy out.

A cell is a process forked by the warden. It is the only one that both touches the host's tree and sees the private copy,
and it does the second only when every process of the command is dead: it is their reaper, and the process namespace of
bubblewrap ends with its first process. The cell ends the command when its time is over, and when its control socket
closes, be it that the caller cancelled or that the studio died.

Only the standard library is used: the module runs in the warden, which is started without site packages.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from studio.sandbox import groups, kernel, seccomp, stage, tree
from studio.sandbox.watch import Watch

__all__ = ["run"]

_INSIDE_UID = 65534
_OPEN_FILES = 4096
_FIRST_UID = 1_900_000_000
"""Above every range that systemd, useradd and subuid hand out; the cell's pid is added, so no two commands share one."""
_TICK_MS = 50


class Refused(Exception):
    """The command was not run, and the sandbox is not to blame."""


def run(spec: dict[str, Any], descriptors: tuple[int, int, int, int], places: list[tuple[str, int]]) -> dict[str, Any]:
    """Run the command that `spec` describes and return the report.

    Args:
        spec: what `bubblewrap._spec` makes.
        descriptors: stdin, stdout, stderr of the command, and the control socket.
        places: where control groups may be made.

    Returns:
        `{"code", "ending", "skipped"}`; or `{"refused": why}`; or `{"unavailable": why}`.

    """
    os.umask(0o022)
    kernel.become_subreaper()
    name = f"{spec['owner']}-{os.getpid()}"
    group = groups.make(places, name, spec["memory"], spec["processes"] + 2)
    try:
        return _Cell(spec, descriptors, group).run()
    except (Refused, tree.Excess) as refused:
        return {"refused": str(refused)}
    except OSError as error:
        return {"unavailable": error.strerror or str(error)}
    finally:
        if group is not None:
            group.remove()


class _Cell:
    def __init__(
        self, spec: dict[str, Any], descriptors: tuple[int, int, int, int], group: groups.Group | None
    ) -> None:
        self._spec = spec
        self._stdio = descriptors[:3]
        self._control = descriptors[3]
        self._group = group
        self._real_root = False
        self._uid = _FIRST_UID + os.getpid()
        self._work = -1
        self._tree = -1

    def run(self) -> dict[str, Any]:
        before = self._prepare()
        status, child = self._start()
        ending = self._wait(child)
        _reap_all()
        answer = _exit_code(status)
        if answer is None and ending == "exited":
            return {"unavailable": ""}
        code = answer if answer is not None and ending == "exited" else 128 + signal.SIGKILL
        if ending == "exited" and code and self._group is not None and self._group.memory_kills():
            ending = "memory"
        skipped: list[str] = []
        if before is not None and ending == "exited":
            skipped = tree.copy_out(self._work, self._tree, before, self._spec["disk"], self._spec["files"])
        return {"code": code, "ending": ending, "skipped": skipped}

    def _prepare(self) -> dict[str, tree.Stamp] | None:
        """Build the stage with the tree in it, and return the stamps to compare with, where changes are wanted."""
        spec = self._spec
        self._real_root = stage.enter()
        binds = [*spec["binds"], *((host, f"/mounts/{at}") for at, (host, _) in enumerate(spec["mounts"]))]
        sources = stage.open_sources([host for host, _ in binds])
        missing = [host for host, _ in spec["mounts"] if host not in sources]
        if missing:
            raise Refused(f"{missing[0]}: no such file or directory to mount")
        self._tree = os.open(spec["tree"], os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        stage.build(spec["stage"], sources, binds, spec["links"], spec["texts"], (spec["disk"], spec["files"]))
        cell = spec["stage"] + stage.CELL
        self._work = os.open(cell + "/work", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        owner = (self._uid, self._uid) if self._real_root else None
        tree.copy_in(self._tree, self._work, owner, spec["disk"], spec["files"])
        if owner is not None:
            for name in ("tmp", "shm"):
                os.chown(f"{cell}/{name}", *owner)
        for path in (spec["cwd"], *(path for _, path in spec["mounts"])):
            if not tree.has_directory(self._work, path, create=path != spec["cwd"]):
                raise Refused(f"{tree.shown(path)}: not a directory of the tree")
        before = tree.survey(self._work, spec["files"])[0] if spec["writable"] else None
        kernel.pivot(spec["stage"])
        return before

    def _start(self) -> tuple[int, int]:
        """Start bubblewrap and return the descriptor of its status and its process id."""
        machine = os.uname().machine
        rules = seccomp.program(machine, accounted=self._group is not None)
        status, status_in = os.pipe()
        filter_file = _memory_file(rules)
        arguments = _memory_file(
            b"".join(os.fsencode(part) + b"\0" for part in self._arguments(filter_file, status_in))
        )
        child = os.fork()
        if child == 0:
            try:
                self._become_bubblewrap(arguments, (filter_file, status_in, arguments))
            finally:
                os._exit(127)
        for descriptor in (filter_file, arguments, status_in, *self._stdio):
            os.close(descriptor)
        return status, child

    def _become_bubblewrap(self, arguments: int, kept: tuple[int, ...]) -> None:
        """Bound this process, give up what it may do, and become bubblewrap. Runs in the child; does not return."""
        for number, descriptor in enumerate(self._stdio):
            os.dup2(descriptor, number)
        for descriptor in kept:
            os.set_inheritable(descriptor, True)  # noqa: FBT003 - it has no keyword
        if self._group is not None:
            self._group.join()
        spec = self._spec
        bounds = {
            resource.RLIMIT_FSIZE: spec["disk"],
            resource.RLIMIT_NPROC: spec["processes"] + 3,
            resource.RLIMIT_NOFILE: _OPEN_FILES,
            resource.RLIMIT_CORE: 0,
            resource.RLIMIT_MSGQUEUE: 0,
        }
        if self._group is None:
            bounds[resource.RLIMIT_DATA] = spec["memory"]
        for which, most in bounds.items():
            hard = resource.getrlimit(which)[1]
            value = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(which, (value, value))
        if self._real_root:
            os.setgroups([])
            os.setresgid(self._uid, self._uid, self._uid)
            os.setresuid(self._uid, self._uid, self._uid)
        bubblewrap = spec["bubblewrap"]
        os.execve(bubblewrap, [bubblewrap, "--args", str(arguments), "--", *_LAUNCH, *spec["argv"]], {})  # noqa: S606 - no shell is wanted

    def _arguments(self, filter_file: int, status: int) -> list[str]:
        """Return bubblewrap's options. They go through a file, since a command line can be read by every user."""
        spec = self._spec
        options = ["--unshare-user", "--unshare-all", "--die-with-parent", "--new-session", "--clearenv"]
        options += ["--share-net"] if spec["network"] else []
        options += ["--disable-userns"] if spec["disable_userns"] else []
        options += ["--uid", str(_INSIDE_UID), "--gid", str(_INSIDE_UID), "--cap-drop", "ALL", "--hostname", "sandbox"]
        for place in sorted(Path("/").iterdir()):
            if place.is_symlink():
                options += ["--symlink", str(place.readlink()), str(place)]
            elif place.name not in {"cell", "mounts", "proc", "dev", "tmp"}:
                options += ["--ro-bind", str(place), str(place)]
        # What pid 1, bubblewrap's own, can be made to do through /proc is hidden: it runs under the command's uid.
        options += ["--proc", "/proc", "--size", "4096", "--tmpfs", "/proc/1", "--remount-ro", "/proc/1"]
        options += ["--dev", "/dev", "--bind", f"{stage.CELL}/shm", "/dev/shm", "--remount-ro", "/dev"]  # noqa: S108 - inside
        options += ["--bind", f"{stage.CELL}/tmp", "/tmp", "--bind", f"{stage.CELL}/work", "/work"]  # noqa: S108 - inside
        for at, (_, path) in enumerate(spec["mounts"]):
            options += ["--ro-bind", f"/mounts/{at}", f"/work/{path}"]
        for name, value in spec["env"]:
            options += ["--setenv", name, value]
        options += ["--chdir", os.path.normpath(f"/work/{spec['cwd']}"), "--remount-ro", "/"]
        return [*options, "--seccomp", str(filter_file), "--json-status-fd", str(status)]

    def _wait(self, child: int) -> str:
        """Wait for bubblewrap's end, or bring it about; return why it ended: exited, timeout, memory or cancelled."""
        process = os.pidfd_open(child)
        poll = select.poll()
        poll.register(process, select.POLLIN)
        poll.register(self._control, select.POLLIN | select.POLLHUP)
        deadline = time.monotonic() + self._spec["seconds"]
        watch = None if self._group is not None else Watch(os.getpid(), self._spec["memory"])
        ending = ""
        while not ending:
            left = deadline - time.monotonic()
            wait = left * 1000 if watch is None else min(left * 1000, _TICK_MS)
            ready = {descriptor for descriptor, _ in poll.poll(max(wait, 0))}
            if process in ready:
                ending = "exited"
            elif self._control in ready:
                ending = "cancelled"
            elif left <= 0:
                ending = "timeout"
            elif watch is not None and watch.exceeded():
                ending = "memory"
        if ending != "exited":
            os.kill(child, signal.SIGKILL)
        os.close(process)
        return ending


_LAUNCH = ("/bin/sh", "-c", 'exec "$@"', "sh")
"""Ends with 127 or 126 where the command is not found or cannot be run, as a shell's user expects."""


def _memory_file(content: bytes) -> int:
    """Return a descriptor of a file in memory, at its start."""
    file = os.memfd_create("studio", os.MFD_CLOEXEC)
    os.write(file, content)
    os.lseek(file, 0, os.SEEK_SET)
    return file


def _reap_all() -> None:
    """Kill and wait for what is left until there is no descendant: as the subreaper this process inherits every orphan.

    The first process of bubblewrap's namespace is killed by name: where bubblewrap was killed before that process asked to
    die with it, nothing else would end it.
    """
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    with suppress(ChildProcessError):
        while True:
            for child in children.read_text(encoding="ascii").split():
                with suppress(ProcessLookupError):
                    os.kill(int(child), signal.SIGKILL)
            os.wait()


def _exit_code(status: int) -> int | None:
    """Return the command's exit code from bubblewrap's status lines, or None where it never started."""
    with os.fdopen(status, "rb") as file:
        for line in file.read().splitlines():
            with suppress(ValueError):
                code = json.loads(line).get("exit-code")
                if code is not None:
                    return int(code)
    return None
