"""The warden: a small process that forks one cell per command, so that a command does not pay for an interpreter's start.

It is started once per sandbox as `python -I -S` with a seqpacket socket as stdin. A message is one byte with five
descriptors: the specification (JSON in a memory file), the command's stdin, stdout and stderr, and the control socket on
which the cell sends its report. The warden ends when its socket closes; cells end by their own control sockets.

Only the standard library is used: the module runs without site packages.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket

from studio.sandbox import cell, groups

__all__ = ["main"]

_DESCRIPTORS = 5


def main() -> None:
    """Serve until the socket on stdin closes."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # cells are reaped by the kernel
    server = socket.socket(fileno=os.dup(0))
    places = groups.bases()
    groups.sweep(places)
    gc.freeze()
    while True:
        message, descriptors, _, _ = socket.recv_fds(server, 1, _DESCRIPTORS)
        if not message:
            return
        if os.fork() == 0:
            server.close()
            try:
                _serve(descriptors, places)
            finally:
                os._exit(0)
        for descriptor in descriptors:
            os.close(descriptor)


def _serve(descriptors: list[int], places: list[tuple[str, int]]) -> None:
    """Be the cell of one command."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    specification, stdin, stdout, stderr, control = descriptors
    with os.fdopen(specification, "rb") as file:
        spec = json.load(file)
    report = cell.run(spec, (stdin, stdout, stderr, control), places)
    with socket.socket(fileno=control) as answer:
        answer.sendall(json.dumps(report).encode())
