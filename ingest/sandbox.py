"""Reading a document in processes of its own, under limits: whatever it does, only those processes suffer.

This is where the parent starts them. `ingest.crew` puts together what they send, `ingest.zygote` forks them,
`ingest.reader` is what they do.
"""

from __future__ import annotations

import atexit
import dataclasses
import json
import logging
import os
import pickle
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ingest import counter, wire, zygote
from ingest.child import Child
from ingest.crew import Crew
from ingest.document import Enclosed, Finished, Page, Piece, Sealed, Started
from ingest.errors import ReaderCrashed
from ingest.limits import Limits
from ingest.reader import Frame, Request

DEFAULT_LIMITS: Final = Limits()
LANGUAGES: Final = ("eng",)
"""Recognised where nobody says which; their data is installed with this package where there is any."""

MAX_DOCUMENTS: Final = 50
"""Files that one process reads one after another, at most."""

NOT_STARTED: Final = "The reading process could not be started. Try again; the server's log says more."

_BOOT: Final = (
    "import json, os, sys; os.environ.clear(); sys.path[:] = json.loads(sys.argv[2]); "
    "from ingest import zygote; zygote.main(int(sys.argv[1]))"
)
_ENVIRONMENT: Final = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1", "OMP_THREAD_LIMIT": "1"}
"""Memory in large pages where glibc and the kernel know how: a fork then takes a third of the time. One
thread a process: pages are recognised side by side in several."""
_START_SECONDS: Final = 60.0
_GOODBYE_SECONDS: Final = 10.0
_CLOSE_SECONDS: Final = 0.5
"""How long a process may take to close a file that it has read."""

_Key = tuple[str, Limits]
"""Whose files a process may read, and under which limits."""

_log = logging.getLogger(__name__)


def read(
    path: Path,
    *,
    filename: str,
    frame: Frame | None = None,
    limits: Limits = DEFAULT_LIMITS,
    languages: tuple[str, ...] = LANGUAGES,
    owner: str | None = None,
) -> Iterator[Started | Page | Enclosed | Piece | Sealed | Finished]:
    """Yield `Started`, every page in order as it is read, the files inside, and `Finished`.

    The work happens in child processes, in more than one for a large PDF, which wait while the caller is
    busy. Closing the iterator early, or an error in the loop over it, ends them before control returns. Works
    from several threads at once.

    Args:
        path: the file; must stay as it is until the end.
        filename: what its sender calls it, a hint for kinds of text.
        frame: a module-level function (or a partial of one) that turns a page into the exact text that is
            sent for it; `Page.tokens` counts that. Without one it counts the bare text.
        limits: what the file may take.
        languages: what to recognise on pages without text, as Tesseract names them. Without any, and where
            `ingest.recognition.missing` names one, such pages are flagged `no_text`.
        owner: whose file it is. A process that has read a file to its end reads further ones of the same
            owner and limits, which spares a short file most of its time; without an owner they end with it.

    Raises:
        ingest.errors.IngestError: it can't be read; `str(error)` says why and what to do. Pages that came
            before are not to be used.
        ValueError: `frame` lives in `__main__`, where the child can't find it.
    """
    if getattr(frame, "__module__", None) == "__main__":
        raise ValueError("frame must be a function of an importable module, not of __main__")
    until = time.monotonic() + limits.scan_seconds
    request = Request(path.absolute(), filename, frame, limits, languages=languages, until=until)
    with Crew(_Employer(home, request, owner), limits) as crew:
        yield from crew.events()


def warm() -> None:
    """Start what reads documents, ahead of the first one, without waiting for it; safe at any time."""
    home.warm()


class _Employer:
    """Starts the processes of one document."""

    def __init__(self, home: _Home, request: Request, owner: str | None) -> None:
        self._home = home
        self._request = request
        self._key = None if owner is None else (owner, request.limits)

    def hire(self, orders: int, *, leads: bool) -> Child:
        message = wire.framed(pickle.dumps(dataclasses.replace(self._request, leads=leads)))
        return self._home.rehire(self._key, message, orders) or self._home.fork(message, orders)

    def keep(self, child: Child) -> bool:
        return self._key is not None and self._home.keep(self._key, child)

    def is_busy(self) -> bool:
        return self._home.running >= _processors()


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Home:
    """Where this process's readings come from: one zygote, started at the first document."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._hooked = False
        self._children: weakref.WeakSet[Child] = weakref.WeakSet()
        self._resting: list[tuple[_Key, Child]] = []

    @property
    def pid(self) -> int | None:
        """The zygote's process id; None while there is none."""
        return None if self._process is None else self._process.pid

    @property
    def running(self) -> int:
        """How many reading processes there are that have not ended by themselves."""
        with self._lock:
            return sum(not child.over and not child.closed for child in self._children)

    def warm(self) -> None:
        """Start the zygote where there is none."""
        with self._lock:
            if self._channel is None:
                self._start()

    def keep(self, key: _Key, child: Child) -> bool:
        """Let a process that has done well rest until `rehire`; False where it is of no more use.

        At most one more rests than there are processors; the one that has rested longest makes room.
        """
        if child.documents >= MAX_DOCUMENTS or not child.rests(_CLOSE_SECONDS):
            return False
        with self._lock:
            self._resting.append((key, child))
            surplus = max(0, len(self._resting) - _processors() - 1)
            leaving = self._resting[:surplus]
            del self._resting[:surplus]
        for _, old in leaving:
            old.close()
        return True

    def rehire(self, key: _Key | None, message: bytes, orders: int) -> Child | None:
        """Give the request to a process that rests under the key; None where none does."""
        while (resting := self._take(key)) is not None:
            child = resting.again(message, orders)
            if child is not None:
                with self._lock:
                    self._children.add(child)
                return child
            resting.close()
        return None

    def _take(self, key: _Key | None) -> Child | None:
        """Return the process that has rested shortest, no longer as a resting one."""
        with self._lock:
            for place in reversed(range(len(self._resting))):
                if self._resting[place][0] == key:
                    return self._resting.pop(place)[1]
        return None

    def fork(self, message: bytes, orders: int) -> Child:
        """Start a reading process; whoever asks for it must close it. Works from several threads at once.

        A zygote that died meanwhile is replaced, once.

        Raises:
            ReaderCrashed: none could be started.
        """
        for _ in range(2):
            with self._lock:
                channel = self._channel or self._start()
            try:
                return self._ask(channel, message, orders)
            except OSError as fault:
                _log.warning("The zygote of the reading processes does not answer: %s", fault)
                self._drop(channel)
        raise ReaderCrashed(NOT_STARTED)

    def hire_counter(self) -> Child:
        """Start a process that counts tokens and reads nothing; whoever asks for it must close it.

        Raises:
            ReaderCrashed: none could be started.
        """
        orders = os.open(os.devnull, os.O_RDONLY)
        try:
            child = self.fork(wire.framed(counter.REQUEST), orders)
        finally:
            os.close(orders)
        with self._lock:
            self._children.discard(child)
        return child

    def close(self) -> None:
        """End the zygote and with it every reading."""
        self.dismiss()
        if self._channel is not None:
            self._channel.close()
        if self._process is not None:
            try:
                self._process.wait(_GOODBYE_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._channel = self._process = None

    def dismiss(self) -> None:
        """End the processes that rest."""
        resting, self._resting = self._resting, []
        for _, child in resting:
            child.close()

    def _drop(self, channel: socket.socket) -> None:
        """End a zygote that does not answer, unless another thread has done so."""
        with self._lock:
            if self._channel is channel:
                if self._process is not None:
                    self._process.kill()
                self.close()

    def _ask(self, channel: socket.socket, message: bytes, orders: int) -> Child:
        """Send the request, and wait until it is accepted: others may send theirs meanwhile."""
        answer, their_answer = socket.socketpair()
        lease, their_lease = socket.socketpair()
        try:
            with their_answer, their_lease, self._lock:
                descriptors = [their_answer.fileno(), their_lease.fileno(), orders]
                sent = socket.send_fds(channel, [message], descriptors)
                channel.sendall(message[sent:])
            lease.settimeout(_START_SECONDS)
            if lease.recv(len(zygote.ACCEPTED)) != zygote.ACCEPTED:
                raise ConnectionError("it ended")
        except OSError:
            answer.close()
            lease.close()
            raise
        child = Child(answer, lease)
        with self._lock:
            self._children.add(child)
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
                env=_ENVIRONMENT,
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
        self._children = weakref.WeakSet()
        for _, child in self._resting:
            child.forget()
        self._resting = []
        if self._channel is not None:
            self._channel.close()
        if self._process is not None:
            self._process.returncode = 0  # nobody here may wait for it
        self._channel = self._process = None


home: Final = _Home()
"""Shared by all threads: one zygote serves them all."""
