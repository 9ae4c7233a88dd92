"""What the reading process tells its parent, as bytes.

JSON and not pickle: a hostile file may take over the process that reads it, and must gain nothing in its
parent by that. Each event is its length in four bytes and a JSON list.
"""

from __future__ import annotations

import base64
import json
import socket
from dataclasses import dataclass
from typing import Any, Final

from ingest import resemblance
from ingest.document import (
    Enclosed,
    Flag,
    Heading,
    Notice,
    Page,
    Picture,
    Piece,
    Sealed,
    Started,
    Unit,
)

HEADER_BYTES: Final = 4
MAX_EVENT_BYTES: Final = 128 << 20
"""More than any page within the default limits takes, where each character costs up to 12 bytes."""


MAX_SIDE: Final = 1_000_000
"""Pixels on one side of a page that is seen as a picture."""
MAX_COUNT: Final = 1 << 40
"""Tokens, characters, notices: more than any file has, and few enough that sums of them fit 64 bits."""
MAX_LABEL: Final = 1_000
"""Characters of a page's printed number; readers cut longer ones."""


class Malformed(Exception):
    """The bytes are no event, which no honest reading process sends."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The file could be opened; `step` pages make a range, 0 where it has to be read in one go."""

    started: Started
    step: int


@dataclass(frozen=True, slots=True)
class Taken:
    """The pages from this index (0-based) on come next, as many as make a range."""

    first: int


@dataclass(frozen=True, slots=True)
class Given:
    """The last event of a range.

    Attributes:
        title, encoding: of the document.
        notices: of the range; of the document too where it begins with the first page.
        more_notices: how many are left out of them.
        chars: the range's characters before cleaning.
        sketch: of the range's text, see `ingest.resemblance`.
        outline: of the document where the range begins with the first page, else empty.
    """

    title: str | None
    encoding: str
    notices: tuple[Notice, ...]
    more_notices: int
    chars: int
    sketch: tuple[int, ...] = ()
    outline: tuple[Heading, ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """The document could not be read; `error` is the name of a class in `ingest.errors`."""

    error: str
    message: str


@dataclass(frozen=True, slots=True)
class Defect:
    """The reading process met an exception nobody foresaw."""

    traceback: str


@dataclass(frozen=True, slots=True)
class Beat:
    """The process is at work on something slow, such as a scanned page: this is no silence."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The reading process has closed the document in good order and can take another."""


Event = Opened | Taken | Beat | Page | Enclosed | Piece | Sealed | Given | Failed | Defect | Ended


def pack(event: Event) -> bytes:
    """Return the event with its length in front."""
    return framed(json.dumps(_fields(event), separators=(",", ":")).encode())


def framed(body: bytes) -> bytes:
    """Return the body with its length in front."""
    return len(body).to_bytes(HEADER_BYTES, "big") + body


def received(source: socket.socket, size: int) -> bytes:
    """Return so many bytes from a socket; fewer where it ends."""
    data = bytearray()
    while len(data) < size:
        chunk = source.recv(size - len(data))
        if not chunk:
            break
        data += chunk
    return bytes(data)


def body_size(header: bytes) -> int:
    """Return how many bytes follow the header.

    Raises:
        Malformed: they are more than any honest event takes.
    """
    size = int.from_bytes(header, "big")
    if size > MAX_EVENT_BYTES:
        raise Malformed("an event is too large")
    return size


def unpack(body: bytes) -> Event:
    """Return the event in `body`.

    Raises:
        Malformed: it holds none.
    """
    try:
        kind, *fields = json.loads(body)
        return _event(kind, fields)
    except (ArithmeticError, TypeError, ValueError, RecursionError) as fault:
        raise Malformed("not an event") from fault


def _fields(event: Event) -> list[Any]:  # noqa: C901, PLR0911 - one for each kind of event
    match event:
        case Page():
            size = event.picture and [event.picture.width, event.picture.height]
            return ["page", event.number, event.text, event.label, event.tokens, list(event.flags), size]
        case Enclosed():
            return ["enclosed", event.name]
        case Piece():
            return ["piece", base64.b64encode(event.data).decode()]
        case Sealed():
            return ["sealed", event.fault and _said(event.fault)]
        case Opened():
            started = event.started
            return ["opened", started.media_type, started.unit, started.total, event.step]
        case Taken():
            return ["taken", event.first]
        case Beat():
            return ["beat"]
        case Given():
            notices = [_said(notice) for notice in event.notices]
            outline = [[entry.title, entry.level, entry.page] for entry in event.outline]
            said = [event.title, event.encoding, notices, event.more_notices, event.chars]
            return ["given", *said, list(event.sketch), outline]
        case Failed():
            return ["failed", event.error, event.message]
        case Defect():
            return ["defect", event.traceback]
        case Ended():
            return ["ended"]


def _event(kind: str, fields: list[Any]) -> Event:  # noqa: C901, PLR0911 - one for each kind of event
    """Build an event; every field is brought to its type, since the sender can't be trusted."""
    match kind, fields:
        case "page", [int(number), str(text), str() | None as label, int(tokens), list(flags), size]:
            if not 0 <= tokens <= MAX_COUNT or (label is not None and len(label) > MAX_LABEL):
                raise Malformed("no page has that")
            flagged = tuple(Flag(flag) for flag in flags)
            return Page(number, text, label, tokens, flagged, None if size is None else _picture(*size))
        case "enclosed", [str(name)]:
            return Enclosed(name)
        case "piece", [str(data)]:
            return Piece(base64.b64decode(data, validate=True))
        case "sealed", [fault]:
            return Sealed(None if fault is None else _notice(*fault))
        case "opened", [str(media_type), str(unit), int(total), int(step)]:
            return Opened(Started(media_type, Unit(unit), total), step)
        case "taken", [int(first)]:
            return Taken(first)
        case "beat", []:
            return Beat()
        case "given", [
            str() | None as title,
            str(encoding),
            list(notices),
            int(more),
            int(chars),
            list(sketch),
            list(outline),
        ]:
            told = tuple(_notice(*notice) for notice in notices)
            entries = tuple(_heading(*entry) for entry in outline)
            return Given(title, encoding, told, _count(more), _count(chars), _sketch(sketch), entries)
        case "failed", [str(error), str(message)]:
            return Failed(error, message)
        case "defect", [str(traceback)]:
            return Defect(traceback)
        case "ended", []:
            return Ended()
    raise Malformed("not an event")


def _said(notice: Notice) -> list[str | int | None]:
    return [notice.code, notice.detail, notice.page]


def _picture(width: int, height: int) -> Picture:
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise Malformed("no picture has this size")
    return Picture(int(width), int(height))


def _sketch(values: list[int]) -> tuple[int, ...]:
    if len(values) > resemblance.SIZE or not all(0 <= value <= resemblance.HIGHEST for value in values):
        raise Malformed("not a sketch")
    return tuple(map(int, values))


def _heading(title: str, level: int, page: int | None) -> Heading:
    return Heading(str(title), _count(level), None if page is None else _count(page))


def _notice(code: str, detail: str, page: int | None) -> Notice:
    return Notice(str(code), str(detail), None if page is None else _count(page))


def _count(value: int) -> int:
    if not 0 <= value <= MAX_COUNT:
        raise Malformed("nothing is counted so")
    return int(value)
