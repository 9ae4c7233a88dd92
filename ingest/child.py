"""A reading process as its parent sees it: two sockets, the events that came, and how it ended."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import socket
import time
from collections import deque
from collections.abc import Iterator
from typing import Final

from ingest import wire, zygote
from ingest.errors import IngestError, ReaderCrashed, TimedOut

CRASHED: Final = (
    "The file made its reading process crash or run out of memory. "
    "Open it in its own program, save it anew and upload that file."
)
TOO_SLOW: Final = "Reading the file took too long. Split it, or save it anew, and upload it again."

AHEAD_BYTES: Final = 4 << 20
"""Events that are held for later; a process that is further ahead has to wait."""

_RECEIVE_BYTES: Final = 256 << 10
_GOODBYE_SECONDS: Final = 10.0
"""How long a killed process may take to be gone; more than milliseconds only where the kernel is stuck."""
_LOGGED_CHARS: Final = 10_000

_log = logging.getLogger(__name__)


class Child:
    """A reading process.

    Attributes:
        answer: where its events arrive; readable when there is something to receive.
        over: whether nothing more comes for this document: it has closed its end, or waits for another.
        taken: how many ranges it has taken in hand.
        beats: how often it has said that it is at work on something slow.
        documents: how many it has been given, this one included.
    """

    def __init__(self, answer: socket.socket, lease: socket.socket, documents: int = 1) -> None:
        answer.settimeout(0)
        self.answer = answer
        self.over = False
        self.taken = 0
        self.beats = 0
        self.documents = documents
        self._ready = False
        self._lease = lease
        self._held = bytearray()
        self._events: deque[tuple[wire.Event, int]] = deque()
        self._waiting_bytes = 0
        self._status: int | None = None

    def receive(self) -> None:
        """Take what has arrived.

        Raises:
            ReaderCrashed: it sent what no honest child sends.
        """
        try:
            chunk = self.answer.recv(_RECEIVE_BYTES)
        except BlockingIOError:
            return
        except ConnectionError:  # it died with its last words unread
            chunk = b""
        self.over = not chunk
        self._held += chunk
        for event, size in complete(self._held):
            if isinstance(event, wire.Beat):
                self.beats += 1
                continue
            if isinstance(event, wire.Ended):
                self.over = self._ready = True
                return
            self._events.append((event, size))
            self._waiting_bytes += size
            self.taken += isinstance(event, wire.Taken)

    @property
    def front(self) -> wire.Event | None:
        """The first event that was not popped."""
        return self._events[0][0] if self._events else None

    @property
    def full(self) -> bool:
        """Whether it is so far ahead that nothing more should be received."""
        return self._waiting_bytes > AHEAD_BYTES

    @property
    def closed(self) -> bool:
        """Whether nobody waits for it any more."""
        return self._lease.fileno() < 0

    def rests(self, seconds: float) -> bool:
        """Wait until it says that it can take another document; return whether it does and no more."""
        deadline = time.monotonic() + seconds
        try:
            while not self.over and _has_something(self.answer, deadline - time.monotonic()):
                self.receive()
        except ReaderCrashed:
            return False
        return self._ready and not self._held and not self._events

    def again(self, message: bytes, orders: int) -> Child | None:
        """Give a resting one its next document.

        Args:
            message: the request, its length in front.
            orders: the pipe that the document's ranges are taken from.

        Returns:
            The same process, under a new name; None where it has ended meanwhile.
        """
        if _has_something(self.answer) or _has_something(self._lease):
            return None
        try:
            sent = socket.send_fds(self.answer, [message], [orders])
        except OSError:
            return None
        if sent < len(message):
            return None
        return Child(self.answer, self._lease, self.documents + 1)

    def pop(self) -> wire.Event:
        """Return the front event and forget it."""
        event, size = self._events.popleft()
        self._waiting_bytes -= size
        return event

    def verdict(self) -> IngestError:
        """Return why it ended without a last word."""
        status = self.close()
        if status is not None and os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU:
            return TimedOut(TOO_SLOW)
        return ReaderCrashed(CRASHED)

    def dismiss(self) -> None:
        """Have it killed, without waiting."""
        with contextlib.suppress(OSError):
            self._lease.shutdown(socket.SHUT_WR)

    def forget(self) -> None:
        """Close this process's ends alone: in a fork, the other has the same."""
        self.answer.close()
        self._lease.close()

    def close(self) -> int | None:
        """End it and return its wait status once it is gone; None where nobody knows it any more."""
        if self.closed:
            return self._status
        self.answer.close()
        with self._lease as lease, contextlib.suppress(OSError):
            lease.settimeout(_GOODBYE_SECONDS)
            lease.shutdown(socket.SHUT_WR)
            status = lease.recv(zygote.STATUS_BYTES)
            self._status = int.from_bytes(status, "big") if status else None
        return self._status


def _has_something(end: socket.socket, seconds: float = 0.0) -> bool:
    """Wait so long at most; return whether something can be received, be it the end."""
    poll = select.poll()  # where there is poll(), select() takes no descriptor above 1,023
    poll.register(end, select.POLLIN)
    return bool(poll.poll(max(0.0, seconds) * 1000))


def complete(held: bytearray) -> Iterator[tuple[wire.Event, int]]:
    """Take the whole events off the front of what was received, each with its size in bytes.

    Raises:
        ReaderCrashed: no honest child sends that.
    """
    try:
        while len(held) >= wire.HEADER_BYTES:
            end = wire.HEADER_BYTES + wire.body_size(bytes(held[: wire.HEADER_BYTES]))
            if len(held) < end:
                return
            body = bytes(held[wire.HEADER_BYTES : end])
            del held[:end]
            yield wire.unpack(body), end
    except wire.Malformed as fault:
        _log.error("A reading process sent no event: %s", fault)
        raise ReaderCrashed(CRASHED) from fault


def error_of(event: wire.Failed | wire.Defect) -> IngestError:
    """Return the error that a child reported, as the same class."""
    if isinstance(event, wire.Defect):
        _log.error("A reading process met an unforeseen error:\n%s", event.traceback[-_LOGGED_CHARS:])
        return ReaderCrashed(CRASHED)
    kinds = {kind.__name__: kind for kind in IngestError.__subclasses__()}
    return kinds.get(event.error, ReaderCrashed)(event.message)
