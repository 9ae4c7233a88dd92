"""Server-sent events out of bytes, however the network cut them."""

from __future__ import annotations

from typing import NamedTuple

MAX_EVENT_BYTES = 8 * 1024 * 1024
"""Far above any chat chunk; a server that sends more is broken or hostile."""

_BOM = b"\xef\xbb\xbf"
_BETWEEN = b"\n\ndata: "


class EventTooLarge(ValueError):
    """One event holds more than the limit."""


class Event(NamedTuple):
    """One event: its data lines joined by newlines, and its name (`message` where none was sent)."""

    data: str
    name: str = "message"


class EventParser:
    """Feed it bytes, take events; memory stays within one event.

    Follows the WHATWG HTML standard, section 9.2.6: lines end with LF, CR or CRLF, a byte order mark may open
    the stream, bytes that are no UTF-8 become U+FFFD, lines that start with a colon say nothing. `id` and
    `retry` are dropped: a paid answer is never reconnected to.
    """

    def __init__(self, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._limit = max_event_bytes
        self._pending = bytearray()
        self._after_cr = False
        self._at_start = True
        self._data: list[str] = []
        self._size = 0
        self._name = ""

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that `chunk` completes, in order.

        Raises:
            EventTooLarge: a line, or an event's lines together, pass the limit.
        """
        if (plain := self._plain(chunk)) is not None:
            return plain
        if self._after_cr and chunk:
            chunk = chunk.removeprefix(b"\n")  # the second half of a CRLF that the network cut
            self._after_cr = False
        if b"\n" not in chunk and b"\r" not in chunk:
            self._keep(chunk)
            return []
        lines = (bytes(self._pending) + chunk).splitlines(keepends=True)
        self._pending.clear()
        if not lines[-1].endswith((b"\n", b"\r")):
            self._keep(lines.pop())
        self._after_cr = chunk.endswith(b"\r")
        return self._events(lines)

    def close(self) -> list[Event]:
        """The event that the stream's end completes, if any: chat servers forget the last blank line."""
        lines = [bytes(self._pending), b""]
        self._pending.clear()
        return self._events(lines)

    def _plain(self, chunk: bytes) -> list[Event] | None:
        """The events of a chunk that holds whole ones as chat servers write them: `data: …` and a blank line.

        None for every other chunk, and within an event: the lines are looked at then.
        """
        if self._pending or self._size or self._after_cr or b"\r" in chunk or len(chunk) > self._limit:
            return None
        if not chunk.startswith(b"data: ") or not chunk.endswith(b"\n\n"):
            return None
        if chunk.count(b"\n") != 2 * chunk.count(_BETWEEN) + 2:
            return None  # a line end that stands neither between two such events nor at the end
        try:
            text = chunk.decode()
        except UnicodeDecodeError:
            return None
        self._at_start = False
        return [Event(data) for data in text[6:-2].split(_BETWEEN.decode())]

    def _keep(self, rest: bytes) -> None:
        self._pending += rest
        if len(self._pending) + self._size > self._limit:
            raise EventTooLarge(f"An event passes {self._limit} bytes.")

    def _events(self, lines: list[bytes]) -> list[Event]:
        found = [self._line(line.rstrip(b"\r\n")) for line in lines]
        return [event for event in found if event is not None]

    def _line(self, line: bytes) -> Event | None:
        if self._at_start:
            line = line.removeprefix(_BOM)
            self._at_start = False
        if not line:
            return self._dispatch()
        self._size += len(line)
        if self._size > self._limit:
            raise EventTooLarge(f"An event passes {self._limit} bytes.")
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value.decode("utf-8", errors="replace"))
        elif field == b"event":
            self._name = value.decode("utf-8", errors="replace")
        return None

    def _dispatch(self) -> Event | None:
        event = Event("\n".join(self._data), self._name or "message") if self._data else None
        self._data = []
        self._size = 0
        self._name = ""
        return event
