"""Reading a document in a process of its own, under limits: whatever it does, only that process suffers.

This is the parent's side. `ingest.zygote` forks the processes; `ingest.reader` is what they do.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import logging
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ingest import wire, zygote
from ingest.document import Finished, Page, Started
from ingest.errors import IngestError, ReaderCrashed, TimedOut
from ingest.limits import Limits
from ingest.reader import Frame, Request

DEFAULT_LIMITS: Final = Limits()

CRASHED: Final = (
    "The file made its reading process crash or run out of memory. "
    "Open it in its own program, save it anew and upload that file."
)
TOO_SLOW: Final = "Reading the file took too long. Split it, or save it anew, and upload it again."
NOT_STARTED: Final = "The reading process could not be started. Try again; the server's log says more."

_BOOT: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[2]); "
    "from ingest import zygote; zygote.main(int(sys.argv[1]))"
)
_RECEIVE_BYTES: Final = 256 << 10
_START_SECONDS: Final = 60.0
_GOODBYE_SECONDS: Final = 10.0
"""How long a killed process may take to be gone; more than milliseconds only where the kernel is stuck."""
_LOGGED_CHARS: Final = 10_000

_log = logging.getLogger(__name__)


def read(
    path: Path, *, filename: str, frame: Frame | None = None, limits: Limits = DEFAULT_LIMITS
) -> Iterator[Started | Page | Finished]:
    """Yield `Started`, every page in order as it is read, and `Finished`.

    The work happens in a child process, which waits while the caller is busy. Closing the iterator early, or
    an error in the loop over it, ends the child before control returns. Works from several threads at once.

    Args:
        path: the file; must stay as it is until the end.
        filename: what its sender calls it, a hint for kinds of text.
        frame: a module-level function (or a partial of one) that turns a page into the exact text that is
            sent for it; `Page.tokens` counts that. Without one it counts the bare text.
        limits: what the file may take.

    Raises:
        ingest.errors.IngestError: it can't be read; `str(error)` says why and what to do. Pages that came
            before are not to be used.
        ValueError: `frame` lives in `__main__`, where the child can't find it.
    """
    if getattr(frame, "__module__", None) == "__main__":
        raise ValueError("frame must be a function of an importable module, not of __main__")
    with home.fork(Request(path.absolute(), filename, frame, limits)) as child:
        for event in child.events(limits):
            if isinstance(event, wire.Failed | wire.Defect):
                raise _error(event)
            yield event
            if isinstance(event, Finished):
                return
        raise child.verdict()


def _error(event: wire.Failed | wire.Defect) -> IngestError:
    """Return the error that the child reported, as the same class."""
    if isinstance(event, wire.Defect):
        _log.error("A reading process met an unforeseen error:\n%s", event.traceback[-_LOGGED_CHARS:])
        return ReaderCrashed(CRASHED)
    kinds = {kind.__name__: kind for kind in IngestError.__subclasses__()}
    return kinds.get(event.error, ReaderCrashed)(event.message)


class _Child:
    """A reading process, by its two sockets."""

    def __init__(self, answer: socket.socket, lease: socket.socket) -> None:
        self._answer = answer
        self._lease = lease

    def events(self, limits: Limits) -> Iterator[wire.Event]:
        """Yield what the child sends until it closes its end.

        Only time spent waiting counts against the limits: a caller may take as long as it likes.

        Raises:
            TimedOut: it was silent for too long, or slow in all.
            ReaderCrashed: it sent what no honest child sends.
        """
        held = bytearray()
        silent = waited = 0.0
        while True:
            began = time.monotonic()
            chunk = self._receive(min(limits.silent_seconds - silent, limits.wall_seconds - waited))
            waited += time.monotonic() - began
            silent += time.monotonic() - began
            if not chunk:
                return
            held += chunk
            for event in complete(held):
                silent = 0.0
                yield event

    def _receive(self, seconds: float) -> bytes:
        if seconds <= 0:
            raise TimedOut(TOO_SLOW)
        self._answer.settimeout(seconds)
        try:
            return self._answer.recv(_RECEIVE_BYTES)
        except TimeoutError:
            raise TimedOut(TOO_SLOW) from None
        except ConnectionError:  # the child died with its last words unread
            return b""

    def verdict(self) -> IngestError:
        """Return why the child ended without a last word."""
        status = self.close()
        if status is not None and os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU:
            return TimedOut(TOO_SLOW)
        return ReaderCrashed(CRASHED)

    def close(self) -> int | None:
        """End the child and return its wait status once it is gone; None where nobody knows it any more."""
        self._answer.close()
        with self._lease as lease, contextlib.suppress(OSError):
            lease.settimeout(_GOODBYE_SECONDS)
            lease.shutdown(socket.SHUT_WR)
            status = lease.recv(zygote.STATUS_BYTES)
            return int.from_bytes(status, "big") if status else None
        return None


def complete(held: bytearray) -> Iterator[wire.Event]:
    """Take the whole events off the front of what was received."""
    try:
        while len(held) >= wire.HEADER_BYTES:
            end = wire.HEADER_BYTES + wire.body_size(bytes(held[: wire.HEADER_BYTES]))
            if len(held) < end:
                return
            body = bytes(held[wire.HEADER_BYTES : end])
            del held[:end]
            yield wire.unpack(body)
    except wire.Malformed as fault:
        _log.error("A reading process sent no event: %s", fault)
        raise ReaderCrashed(CRASHED) from fault


class _Home:
    """Where this process's readings come from: one zygote, started at the first document."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._hooked = False

    @property
    def pid(self) -> int | None:
        """The zygote's process id; None while there is none."""
        return None if self._process is None else self._process.pid

    @contextlib.contextmanager
    def fork(self, request: Request) -> Iterator[_Child]:
        """Run a reading process for the request; it is gone when the context ends.

        Raises:
            ReaderCrashed: none could be started.
        """
        payload = pickle.dumps(request)
        with self._lock:
            child = self._asked(payload)
        try:
            yield child
        finally:
            child.close()

    def close(self) -> None:
        """End the zygote and with it every reading."""
        if self._channel is not None:
            self._channel.close()
        if self._process is not None:
            try:
                self._process.wait(_GOODBYE_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._channel = self._process = None

    def _asked(self, payload: bytes) -> _Child:
        """Ask the zygote for a child; a zygote that died meanwhile is replaced, once."""
        for _ in range(2):
            try:
                return self._ask(self._channel or self._start(), payload)
            except OSError as fault:
                _log.warning("The zygote of the reading processes does not answer: %s", fault)
                if self._process is not None:
                    self._process.kill()
                self.close()
        raise ReaderCrashed(NOT_STARTED)

    def _ask(self, channel: socket.socket, payload: bytes) -> _Child:
        answer, their_answer = socket.socketpair()
        lease, their_lease = socket.socketpair()
        child = _Child(answer, lease)
        try:
            with their_answer, their_lease:
                header = len(payload).to_bytes(zygote.LENGTH_BYTES, "big")
                socket.send_fds(channel, [header], [their_answer.fileno(), their_lease.fileno()])
            channel.sendall(payload)
            if channel.recv(len(zygote.ACCEPTED)) != zygote.ACCEPTED:
                raise ConnectionError("it ended")
        except OSError:
            answer.close()
            lease.close()
            raise
        return child

    def _start(self) -> socket.socket:
        """Start a fresh interpreter with this one's import path and an empty environment."""
        self._hook()
        channel, theirs = socket.socketpair()
        search = json.dumps([place or str(Path.cwd()) for place in sys.path])
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-X", "utf8", "-c", _BOOT, str(theirs.fileno()), search],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env={},
                start_new_session=True,
            )
        channel.settimeout(_START_SECONDS)
        self._channel = channel
        return channel

    def _hook(self) -> None:
        """See to a clean end, and to a fresh start where this process is forked."""
        if not self._hooked:
            self._hooked = True
            atexit.register(self.close)
            os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        """In a fork of this process: the zygote is the other's."""
        self._lock = threading.Lock()
        if self._channel is not None:
            self._channel.close()
        if self._process is not None:
            self._process.returncode = 0  # nobody here may wait for it
        self._channel = self._process = None


home: Final = _Home()
"""Shared by all threads: one zygote serves them all."""
