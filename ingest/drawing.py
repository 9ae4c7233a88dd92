"""Drawing a page in a process of its own, under limits: the parent's side of `ingest.drawer`.

A fresh interpreter for each page, with none of this one's environment or descriptors: it starts in less than
a tenth of a second, and nothing of a hostile file stays behind.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ingest.drawer import Request
from ingest.errors import IngestError, ReaderCrashed, TimedOut, UnsupportedFormat
from ingest.formats import IMAGES, PDF
from ingest.limits import Limits

WIDTH: Final = 1000
MIN_WIDTH: Final = 100
MAX_WIDTH: Final = 3000
DRAWING_LIMITS: Final = Limits(cpu_seconds=10, silent_seconds=20.0, wall_seconds=20.0)

CRASHED: Final = (
    "The page made its drawing process crash or run out of memory. Its text is at the page itself."
)
TOO_SLOW: Final = "Drawing the page took too long. Its text is at the page itself."
NOT_STARTED: Final = "The drawing process could not be started. Try again; the server's log says more."

_BOOT: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[2]); "
    "from ingest import {side}; {side}.main(int(sys.argv[1]))"
)
_MAX_BYTES: Final = 130_000_000
"""More than the largest picture takes that does not compress at all."""
_RECEIVE_BYTES: Final = 256 << 10
_LOGGED_BYTES: Final = 10_000
_GOODBYE_SECONDS: Final = 5.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Drawing:
    """A drawn page.

    Attributes:
        png: the picture.
        found: whether the quote, or a part of it, stands on the page; it is marked then.
    """

    png: bytes
    found: bool


def is_drawable(media_type: str) -> bool:
    """Whether files of this type have pages to look at."""
    return media_type == PDF or media_type in IMAGES


def draw(
    path: Path,
    page: int,
    *,
    media_type: str,
    quote: str | None = None,
    width: int = WIDTH,
    limits: Limits = DRAWING_LIMITS,
    languages: tuple[str, ...] = (),
) -> Drawing:
    """Draw a page with a quote marked wherever it stands on it; blocks until it is done.

    Args:
        path: the file.
        page: 1-based.
        media_type: the file's, as reading found it.
        quote: its letters and digits count; of one that runs over a page break its part here is marked.
        width: pixels, MIN_WIDTH to MAX_WIDTH; very long pages come out narrower.
        limits: what the page may take.
        languages: what to recognise where the page is a picture, to find the quote on it.

    Raises:
        IngestError: it can't be drawn; `str(error)` says why.
    """
    if not is_drawable(media_type):
        raise UnsupportedFormat(f"Pages of type {media_type} can't be drawn, only those of PDFs and images.")
    width = min(max(width, MIN_WIDTH), MAX_WIDTH)
    request = Request(path.absolute(), page, quote, width, limits, media_type, languages)
    with child("drawer") as (process, channel):
        reply = _exchange(channel, request)
        channel.close()
        if not reply:
            raise verdict(process)
        return unpacked(reply)


@contextlib.contextmanager
def child(side: str) -> Iterator[tuple[subprocess.Popen[bytes], socket.socket]]:
    """Lend a drawing process and the socket to it; both are gone afterwards.

    Args:
        side: the module of `ingest` whose `main` it runs.
    """
    channel, theirs = socket.socketpair()
    search = json.dumps([place or str(Path.cwd()) for place in sys.path])
    with channel:
        with theirs:
            process = _started(_BOOT.format(side=side), theirs.fileno(), search)
        try:
            yield process, channel
        finally:
            _end(process)


def _started(boot: str, descriptor: int, search: str) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            [sys.executable, "-I", "-X", "utf8", "-c", boot, str(descriptor), search],
            pass_fds=(descriptor,),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={"OMP_THREAD_LIMIT": "1"},
            start_new_session=True,
        )
    except OSError as fault:
        _log.exception("A drawing process could not be started")
        raise ReaderCrashed(NOT_STARTED) from fault


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # whatever it may have started goes with it
    process.wait()
    if process.stderr is not None:
        process.stderr.close()


def _exchange(channel: socket.socket, request: Request) -> bytes:
    """Send the request and return the whole answer; nothing where the process ended without one.

    Raises:
        TimedOut: it took too long.
        ReaderCrashed: it sent more than any honest process does.
    """
    end = time.monotonic() + request.limits.wall_seconds
    held = bytearray()
    try:
        channel.settimeout(request.limits.wall_seconds)
        channel.sendall(request.pack())
        channel.shutdown(socket.SHUT_WR)
        while chunk := received(channel, end - time.monotonic()):
            held += chunk
            if len(held) > _MAX_BYTES:
                raise ReaderCrashed(CRASHED)
    except TimeoutError:
        raise TimedOut(TOO_SLOW) from None
    except ConnectionError:  # it died with the request unread
        return b""
    return bytes(held)


def received(channel: socket.socket, seconds: float) -> bytes:
    """Return what comes next; nothing at the end.

    Raises:
        TimeoutError: nothing came in that time.
    """
    if seconds <= 0:
        raise TimeoutError
    channel.settimeout(seconds)
    return channel.recv(_RECEIVE_BYTES)


def verdict(process: subprocess.Popen[bytes]) -> IngestError:
    """Return why the process ended without an answer, and log what it said."""
    try:
        status = process.wait(_GOODBYE_SECONDS)
    except subprocess.TimeoutExpired:
        return ReaderCrashed(CRASHED)
    if status == -signal.SIGXCPU:
        return TimedOut(TOO_SLOW)
    _log.error("A drawing process ended with %d: %s", status, _last_words(process))
    return ReaderCrashed(CRASHED)


def _last_words(process: subprocess.Popen[bytes]) -> str:
    if process.stderr is None:
        return ""
    os.set_blocking(process.stderr.fileno(), False)  # something it started may hold the other end
    return (process.stderr.read(_LOGGED_BYTES) or b"").decode(errors="replace")


def unpacked(reply: bytes) -> Drawing:
    """Read the answer; nothing in it is trusted, since a hostile file may have written it.

    Raises:
        IngestError: what the process reported, or that its answer is none.
    """
    head, _, png = reply.partition(b"\n")
    said = announced(head)
    if said.get("bytes") != len(png) or not isinstance(said.get("found"), bool):
        _log.error("A drawing process sent no picture")
        raise ReaderCrashed(CRASHED)
    return Drawing(png, said["found"])


def announced(head: bytes) -> dict[str, Any]:
    """Read the line that goes ahead of a picture.

    Raises:
        IngestError: the error that it reports, or that it is no such line.
    """
    try:
        said = json.loads(head)
        if "error" not in said:
            return dict(said)
        kinds = {kind.__name__: kind for kind in IngestError.__subclasses__()}
        error = kinds[said["error"]](str(said["message"]))
    except (KeyError, TypeError, ValueError, RecursionError) as fault:
        _log.exception("A drawing process sent no picture")
        raise ReaderCrashed(CRASHED) from fault
    raise error
