"""A warm process that forks the reading processes.

Started by `ingest.sandbox` as a fresh interpreter, so nothing of the parent is in it: no threads, no locks,
no database handles, no secrets of its environment, and its `__main__` is never run again. It has everything
loaded that reading takes; a fork then costs milliseconds.

For each reading process the parent sends the first request with a socket to answer on, the pipe that the
document's ranges are taken from, and a lease that stays here. The zygote accepts the request on the lease,
which keeps requests of several threads apart. The parent ends the lease to have the reading process killed;
the zygote reports its exit status there once it is gone. The zygote ends when its parent does, with all
readings.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import pickle
import selectors
import signal
import socket
from typing import Final

from ingest import counter, tokens, turns, wire
from ingest.formats import READERS

ACCEPTED: Final = b"\1"
STATUS_BYTES: Final = 4
DESCRIPTORS: Final = 3
"""Sent with each request: answer, lease, orders."""

_CHUNK: Final = 64 << 10


def main(descriptor: int) -> None:
    """Serve the parent at the other end of the socket `descriptor` until it closes it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C belongs to the parent
    for module in sorted(set(READERS.values())):
        importlib.import_module(module)
    tokens.warm()
    gc.collect()
    gc.freeze()
    _silence()
    with socket.socket(fileno=descriptor) as parent:
        _Zygote(parent).serve()


class _Zygote:
    """The loop: requests in, forks out, the dead reaped."""

    def __init__(self, parent: socket.socket) -> None:
        self._parent = parent
        self._leases: dict[int, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._deaths, self._wake_up = socket.socketpair()

    def serve(self) -> None:
        """Work until the parent is gone, then end every reading."""
        self._watch_deaths()
        self._selector.register(self._parent, selectors.EVENT_READ)
        self._selector.register(self._deaths, selectors.EVENT_READ)
        while self._turn():
            pass
        for pid in self._leases:
            os.kill(pid, signal.SIGKILL)

    def _turn(self) -> bool:
        """Handle what has come; False once the parent is gone."""
        ready = [key.fileobj for key, _ in self._selector.select()]
        if self._deaths in ready:
            self._deaths.recv(_CHUNK)
            self._reap()
        for pid in [pid for pid, lease in self._leases.items() if lease in ready]:
            self._stop(pid)
        return self._parent not in ready or self._accept()

    def _watch_deaths(self) -> None:
        for end in (self._deaths, self._wake_up):
            end.settimeout(0)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_up.fileno(), warn_on_full_buffer=False)

    def _accept(self) -> bool:
        """Take one request and fork for it; False once the parent is gone."""
        header, descriptors, _, _ = socket.recv_fds(self._parent, wire.HEADER_BYTES, DESCRIPTORS)
        if len(header) < wire.HEADER_BYTES or len(descriptors) < DESCRIPTORS:
            return False
        payload = wire.received(self._parent, int.from_bytes(header, "big"))
        answer, lease = (socket.socket(fileno=descriptor) for descriptor in descriptors[:2])
        orders = descriptors[2]
        if payload != counter.REQUEST:
            _load_frame(payload)
        try:
            with answer, contextlib.suppress(BrokenPipeError):  # a parent that gave up meanwhile
                lease.sendall(ACCEPTED)
                self._fork(payload, answer, lease, orders)
        finally:
            os.close(orders)
        return True

    def _fork(self, payload: bytes, answer: socket.socket, lease: socket.socket, orders: int) -> None:
        try:
            pid = os.fork()
        except OSError:  # no process to be had: the parent sees a lease that ends without a status
            lease.close()
            return
        if pid == 0:
            self._become_reader(payload, answer, lease, orders)
        self._leases[pid] = lease
        self._selector.register(lease, selectors.EVENT_READ)

    def _become_reader(
        self, payload: bytes, answer: socket.socket, lease: socket.socket, orders: int
    ) -> None:
        """In the child: drop what is the zygote's, read, and end."""
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._selector.close()
            for kept in (self._parent, self._deaths, self._wake_up, lease, *self._leases.values()):
                kept.close()
            if payload == counter.REQUEST:
                counter.serve(answer)
            else:
                turns.serve(payload, answer, orders)
            status = 0
        finally:
            os._exit(status)  # without the clean-up of the process it was forked from

    def _stop(self, pid: int) -> None:
        """Kill a reading whose lease the parent has ended; it is reaped like any other."""
        self._selector.unregister(self._leases[pid])
        os.kill(pid, signal.SIGKILL)

    def _reap(self) -> None:
        """Collect all readings that are over and report how each ended."""
        while self._leases:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            with contextlib.suppress(KeyError):  # already unregistered when it was stopped
                self._selector.unregister(self._leases[pid])
            with self._leases.pop(pid) as lease, contextlib.suppress(OSError):
                lease.sendall(status.to_bytes(STATUS_BYTES, "big"))


def _load_frame(payload: bytes) -> None:
    """Load the module of the request's frame here, once, rather than in every fork.

    What fails here fails again in the reading process, which reports it.
    """
    try:  # noqa: SIM105 - a broad except is easier to find than a broad suppress
        pickle.loads(payload)  # noqa: S301 - comes from the parent process
    except (Exception, SystemExit):  # noqa: BLE001, S110 - a module may raise anything, and the zygote goes on
        pass


def _silence() -> None:
    """Leave the parent's terminal alone: the libraries print what they dislike."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    os.close(nothing)
