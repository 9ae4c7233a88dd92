"""The life of a reading process: one file, and others after it as long as all goes well.

A process that has read a file to its end and closed it says so and waits for the next one: a fork costs more
than reading a short file. It ends after any fault, after some idle time, and once it has grown, left a file
open or taken as much processor time as one file may; whatever a library keeps hold of is gone with it. Whose
files follow each other in one process, and how many, is the parent's choice (`ingest.sandbox`).
"""

from __future__ import annotations

import os
import pickle
import resource
import socket
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from ingest import reader, wire

IDLE_SECONDS: Final = 60.0
MAX_GROWTH_BYTES: Final = 64 << 20
"""Of the address space, which the limit on memory bounds: a later file must not fail for want of it."""


def serve(payload: bytes, out: socket.socket, orders: int) -> None:
    """Read one file after another; the caller ends the process afterwards.

    Args:
        payload: the first file's pickled request.
        out: where the events go, and where further requests come from.
        orders: the pipe that the first file's ranges are taken from.
    """
    room = _address_space() + MAX_GROWTH_BYTES
    files: int | None = None
    turn: tuple[bytes, int] | None = (payload, orders)
    while turn is not None:
        payload, orders = turn
        with closing(os.fdopen(orders, "rb", buffering=0)):
            well = reader.serve(payload, out, orders)
        files = files or _open_files()  # a library may open one for good at its first use
        if not well or _address_space() > room or _open_files() > files or _is_spent(payload):
            return
        turn = _next(out)


def _next(out: socket.socket) -> tuple[bytes, int] | None:
    """Say that this process is free, and wait for a request and its pipe; None where none comes."""
    with suppress(OSError):  # the time is over, or the parent gone
        out.sendall(wire.pack(wire.Ended()))
        out.settimeout(IDLE_SECONDS)
        header, descriptors, _, _ = socket.recv_fds(out, wire.HEADER_BYTES, 1)
        out.settimeout(None)
        if descriptors:
            payload = wire.received(out, int.from_bytes(header, "big"))
            return payload, descriptors[0]
    return None


def _is_spent(payload: bytes) -> bool:
    """Whether this process has taken the processor time of one file: the limit on it leaves no more."""
    request: reader.Request = pickle.loads(payload)  # noqa: S301 - comes from the parent process
    return time.process_time() > request.limits.cpu_seconds


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - the names alone, quickly


def _address_space() -> int:
    """Return the size of this process's address space in bytes."""
    pages = int(Path("/proc/self/statm").read_bytes().split()[0])
    return pages * resource.getpagesize()
