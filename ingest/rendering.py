"""Pages as pictures to send, rendered in a process of their own: the parent's side of `ingest.renderer`.

One process renders all the pages that are wanted of a document, under limits, as `ingest.drawing` draws one.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from ingest.drawing import CRASHED, DRAWING_LIMITS, TOO_SLOW, announced, child, received, verdict
from ingest.errors import ReaderCrashed, TimedOut, UnsupportedFormat
from ingest.formats import IMAGES, PDF
from ingest.formats.pdf_image import MAX_PIXELS, MAX_SIDE
from ingest.limits import Limits
from ingest.renderer import MAX_BYTES, Request

_MAX_LINE: Final = 2_000


@dataclass(frozen=True, slots=True)
class View:
    """A page at the size in which it is to be seen.

    Attributes:
        number: 1-based; a frame's, where the document is an image.
        width, height: pixels; the page is stretched to exactly these.
    """

    number: int
    width: int
    height: int


def is_renderable(media_type: str) -> bool:
    """Whether pages of this type can be made pictures."""
    return media_type == PDF or media_type in IMAGES


def pictures(
    path: Path, views: Sequence[View], *, media_type: str, limits: Limits = DRAWING_LIMITS
) -> Iterator[bytes]:
    """Yield each view as a JPEG, in the order asked; blocks until each is done.

    The process waits while the caller is busy. Closing the iterator early ends it.

    Args:
        path: the file; must stay as it is until the end.
        views: what is wanted.
        media_type: the file's, as reading found it.
        limits: what each page may take.

    Raises:
        IngestError: a page can't be rendered; `str(error)` says why. It is the one after those that came.
        ValueError: a view has no area, or more than any provider takes.
    """
    if not is_renderable(media_type):
        raise UnsupportedFormat(f"Pages of type {media_type} can't be sent as pictures.")
    for view in views:
        _check_size(view)
    pages = tuple((view.number, view.width, view.height) for view in views)
    return _rendered(Request(path.absolute(), media_type, pages, _for_all(limits, len(pages))))


def _check_size(view: View) -> None:
    smaller, larger = sorted((view.width, view.height))
    if smaller < 1 or larger > MAX_SIDE or smaller * larger > MAX_PIXELS:
        raise ValueError(f"a view of {view.width} by {view.height} pixels is none that can be made")


def _for_all(limits: Limits, pages: int) -> Limits:
    """Processor time is bounded for the process as a whole, waiting page by page."""
    return replace(limits, cpu_seconds=limits.cpu_seconds * max(1, pages))


def _rendered(request: Request) -> Iterator[bytes]:
    if not request.pages:
        return
    with child("renderer") as (process, channel):
        channel.settimeout(request.limits.wall_seconds)
        try:
            channel.sendall(request.pack())
            channel.shutdown(socket.SHUT_WR)
            reply = Reply(channel, request.limits.wall_seconds)
            for _ in request.pages:
                yield reply.picture()
        except TimeoutError:
            raise TimedOut(TOO_SLOW) from None
        except (ConnectionError, EOFError):
            channel.close()
            raise verdict(process) from None


class Reply:
    """What the process sends, taken apart; it is not trusted, since a hostile file may have written it."""

    def __init__(self, channel: socket.socket, seconds: float) -> None:
        self._channel = channel
        self._seconds = seconds
        self._held = bytearray()

    def picture(self) -> bytes:
        """Return the next picture.

        Raises:
            IngestError: what the process reports, or that it sends what no honest one does.
            EOFError: it ended.
            TimeoutError: the picture did not come whole in time.
        """
        end = time.monotonic() + self._seconds
        while b"\n" not in self._held:
            if len(self._held) > _MAX_LINE:
                raise ReaderCrashed(CRASHED)
            self._receive(end)
        size = announced(self._taken(self._held.index(b"\n") + 1)).get("bytes")
        if not isinstance(size, int) or not 0 < size <= MAX_BYTES:
            raise ReaderCrashed(CRASHED)
        while len(self._held) < size:
            self._receive(end)
        return self._taken(size)

    def _receive(self, end: float) -> None:
        chunk = received(self._channel, end - time.monotonic())
        if not chunk:
            raise EOFError
        self._held += chunk

    def _taken(self, size: int) -> bytes:
        taken = bytes(self._held[:size])
        del self._held[:size]
        return taken
