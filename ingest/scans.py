"""Recognises scanned pages, each in a process of its own: a slow or broken one costs itself alone."""

from __future__ import annotations

import ctypes
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, NoReturn

from ingest import highlights, recognition, wire
from ingest.document import Notice
from ingest.formats import Pictured, RawPage, Reading
from ingest.limits import Limits
from ingest.normalize import normalize
from ingest.quality import SCAN_VISIBLE, visible
from ingest.raster import EVEN_SHADES, NO_SHADES

BEAT_SECONDS: Final = 1.0
WALL_FACTOR: Final = 4
"""A page may wait for a processor as well: so many times as long as it may use one."""

_EMPTY: Final = b"\0"
_SHOWN: Final = b"\1"
_CHUNK: Final = 64 << 10
_MAX_BYTES: Final = 4 << 20
"""More than Tesseract finds in the largest picture."""
_PARENT_DEATH: Final = 1
"""PR_SET_PDEATHSIG of Linux's prctl(2)."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What looking at a page gave: nothing but an empty sheet, or its text."""

    is_blank: bool
    text: str


class Scans:
    """Looks at the pages of one document.

    Args:
        languages: what to recognise; without any, pages are only looked at to see whether they are blank.
        until: of `time.monotonic`; later pages are not looked at.
    """

    def __init__(self, reading: Reading, languages: tuple[str, ...], *, limits: Limits, until: float) -> None:
        self._reading = reading
        self._languages = languages
        self._limits = limits
        self._until = until

    def read(self, raw: RawPage) -> Generator[wire.Beat, None, RawPage]:
        """Return the page with the text that it shows; yields now and then, to say that it is at work."""
        if raw.picture is None or not isinstance(self._reading, Pictured):
            return raw
        yield wire.Beat()
        if time.monotonic() > self._until:
            return _unread(raw, "was left out: recognising the pages before it took too long")
        sight = yield from self._sight(self._reading, raw.number - 1)
        if sight is None:
            return _unread(raw, "could not be recognised")
        if sight.is_blank and not raw.text.strip():
            return replace(raw, is_blank=True, picture=None)
        if self._recognizer is not None and not _is_news(sight.text, raw.text):
            return replace(raw, picture=None)
        return _with_text(raw, sight.text)

    @cached_property
    def _recognizer(self) -> recognition.Recognizer | None:
        """Loaded once, before the first fork, whose memory all forks share."""
        return recognition.open_recognizer(self._languages)

    def _sight(self, reading: Pictured, index: int) -> Generator[wire.Beat, None, Sight | None]:
        """Look at a page in a fork; None where that takes too long, too much memory, or fails."""
        seconds = WALL_FACTOR * self._limits.page_seconds
        said = bytearray()
        with self._fork(reading, index) as answer:
            end = time.monotonic() + seconds
            while time.monotonic() < end and len(said) <= _MAX_BYTES:
                if not select.select([answer], [], [], BEAT_SECONDS)[0]:
                    yield wire.Beat()
                    continue
                chunk = os.read(answer, _CHUNK)
                if not chunk:
                    break
                said += chunk
        if not said or len(said) > _MAX_BYTES:
            return None
        return Sight(said[:1] == _EMPTY, said[1:].decode("utf-8", "replace"))

    @contextmanager
    def _fork(self, reading: Pictured, index: int) -> Iterator[int]:
        """Lend the end of a pipe on which another process says what it sees; it is gone afterwards."""
        recognizer = self._recognizer
        answer, theirs = os.pipe()
        parent = os.getpid()
        try:
            pid = os.fork()
            if pid == 0:
                _look(reading, index, recognizer, self._limits.page_seconds, theirs, parent)
        except OSError:  # no process to be had: the page says nothing
            pid = 0
        finally:
            os.close(theirs)
        try:
            yield answer
        finally:
            os.close(answer)
            if pid:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


def _look(
    reading: Pictured,
    index: int,
    recognizer: recognition.Recognizer | None,
    seconds: int,
    out: int,
    parent: int,
) -> NoReturn:
    """In the fork: say what is on the page, and end."""
    try:
        _become_bounded(seconds, parent)
        bitmap = reading.bitmap(index)
        lines = []
        if recognizer is not None and not bitmap.is_even(0):
            lines = recognizer.lines(bitmap, seconds=WALL_FACTOR * seconds)
        empty = not lines and bitmap.is_even(NO_SHADES if recognizer is None else EVEN_SHADES)
        said = (_EMPTY if empty else _SHOWN) + recognition.text_of(lines).encode("utf-8", "replace")
        while said:
            said = said[os.write(out, said) :]
    finally:
        os._exit(0)  # whatever happened: what was not said is missing


def _become_bounded(seconds: int, parent: int) -> None:
    """Take so much processor time at most, and do not outlive the parent."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PARENT_DEATH, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(0)
    before = resource.getrlimit(resource.RLIMIT_CPU)[1]
    bound = seconds if before == resource.RLIM_INFINITY else min(seconds, before)
    resource.setrlimit(resource.RLIMIT_CPU, (bound, bound))
    signal.alarm(WALL_FACTOR * seconds)


def _is_news(text: str, own: str) -> bool:
    """Whether what was recognised goes beyond what a page with words of its own says anyway.

    A slide on a background picture shows its own words, and a few that were misread.
    """
    if visible(own) < SCAN_VISIBLE:
        return True
    known = highlights.fold(own)
    words = map(highlights.fold, normalize(text).split())
    return sum(len(word) for word in words if word not in known) >= SCAN_VISIBLE


def _with_text(raw: RawPage, text: str) -> RawPage:
    """The page with what was recognised, and what of its own text (stamps, page numbers) is not in there."""
    if not text.strip():
        return raw
    known = highlights.fold(text)
    own = [line for line in raw.text.splitlines() if line.strip() and highlights.fold(line) not in known]
    return replace(raw, text="\n".join([text.rstrip("\n"), *own]), recognized=True)


def _unread(raw: RawPage, why: str) -> RawPage:
    notice = Notice("page_not_recognized", f"Page {raw.number} is a picture and {why}.", raw.number)
    return replace(raw, notices=(*raw.notices, notice))
