"""What happens inside a reading process: one file in, the events of some ranges of its pages out.

A document that can be read from any page on is shared by several processes. The numbers of its ranges lie in
a pipe, and whichever process is free takes the next: nobody has to wait for an order.
"""

from __future__ import annotations

import math
import os
import pickle
import socket
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

from ingest import tokens, wire
from ingest.confinement import confine
from ingest.document import Enclosed, Heading, Notice, Page, Piece, Sealed, Started, Unit
from ingest.errors import EmptyDocument, IngestError, ReaderCrashed, TooLarge
from ingest.formats import Enclosing, Named, Outlined, RawPage, Reading, open_document
from ingest.limits import Limits
from ingest.normalize import normalize
from ingest.quality import flags_of
from ingest.resemblance import Sketch
from ingest.scans import Scans
from ingest.sniff import sniff

Frame = Callable[[Page], str]
"""Turns a page into the exact text that is sent for it, which is what its tokens count."""

OUT_OF_MEMORY: Final = (
    "Reading the file took more memory than allowed. Split it, or save it anew, and upload it again."
)
MAX_NOTICES: Final = 200
MAX_HEADINGS: Final = 2_000
ORDER_BYTES: Final = 4
RANGE_PAGES: Final = 20
SCAN_RANGE_PAGES: Final = 4
"""Pages of a range where pages are scans, of which each takes as long as hundreds of others."""
PROBED_PAGES: Final = 8
"""With fewer pages, nobody looks whether they are scans before the ranges are laid out."""
MAX_RANGES: Final = 16_000
"""A pipe holds as many orders (Linux: 64 KiB), so that they can be left in it without waiting."""

_BATCH_BYTES: Final = 64 << 10
_BATCH_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Request:
    """One file to read. Travels from the parent as a pickle; nothing comes back as one.

    Attributes:
        leads: this process is the document's first: it says what the file is and takes the first range.
        languages: what to recognise on scanned pages; none of them are read without any.
        until: of `time.monotonic`, up to which scanned pages are recognised.
    """

    path: Path
    filename: str
    frame: Frame | None
    limits: Limits
    leads: bool = True
    languages: tuple[str, ...] = ()
    until: float = math.inf


@runtime_checkable
class Divisible(Protocol):
    """A `Reading` that can be read from any page on."""

    def part(self, first: int, stop: int) -> Iterator[RawPage]:
        """Yield the pages from index `first` (0-based) up to and without `stop`."""
        ...


def serve(payload: bytes, out: socket.socket, orders: int) -> bool:
    """Read the pickled request's file and send its events.

    Args:
        payload: the pickled request.
        out: where the events go.
        orders: the pipe that the ranges are taken from.

    Returns:
        Whether all went well; a process in which it did not is not to be trusted with another file.
    """
    batch = _Batch(out)
    well = False
    try:
        request: Request = pickle.loads(payload)  # noqa: S301 - comes from the parent process
        confine(request.limits)
        for event in events(request, _taken(orders)):
            batch.add(event)
        well = True
    except IngestError as error:
        batch.add(wire.Failed(type(error).__name__, str(error)))
    except BrokenPipeError:
        return False
    except MemoryError:
        batch.add(wire.Failed(ReaderCrashed.__name__, OUT_OF_MEMORY))
    except Exception:  # noqa: BLE001 - the process ends here, and its parent must learn why
        batch.add(wire.Defect(traceback.format_exc()))
    batch.flush()
    return well


def events(request: Request, orders: Iterable[int] = ()) -> Iterator[wire.Event]:
    """Read the ranges of the file that start at these page indices, and the first one where it leads.

    Raises:
        IngestError: it can't be read or passes a limit.
    """
    media_type = sniff(request.path, request.filename)
    reading = open_document(request.path, media_type)
    try:
        if isinstance(reading, Named):
            reading.called(request.filename)
        _check_total(reading, request.limits)
        step = _step(reading, request.languages)
        scans = Scans(reading, request.languages, limits=request.limits, until=request.until)
        if request.leads:
            yield wire.Opened(Started(reading.media_type, reading.unit, reading.total), step)
            yield from _range(reading, request, 0, step, scans)
        for first in orders:
            yield from _range(reading, request, first, step, scans)
    finally:
        reading.close()


def _taken(orders: int) -> Iterator[int]:
    """Yield orders until there are no more; each goes to one process alone."""
    while order := os.read(orders, ORDER_BYTES):
        yield int.from_bytes(order, "big")


def _step(reading: Reading, languages: tuple[str, ...]) -> int:
    """Return the pages of one range; 0 where the document has to be read in one go."""
    if not isinstance(reading, Divisible):
        return 0
    pages = SCAN_RANGE_PAGES if languages and _looks_scanned(reading, reading.total) else RANGE_PAGES
    return max(pages, -(-reading.total // MAX_RANGES))


def _looks_scanned(reading: Divisible, total: int) -> bool:
    """Whether the page in the middle is a scan: then most are."""
    middle = total // 2
    return total >= PROBED_PAGES and next(reading.part(middle, middle + 1)).picture is not None


def _range(reading: Reading, request: Request, first: int, step: int, scans: Scans) -> Iterator[wire.Event]:
    yield wire.Taken(first)
    if step and isinstance(reading, Divisible):
        raws = reading.part(first, min(first + step, reading.total))
    else:
        raws = reading.pages()
    notices: list[Notice] = []
    sketch = Sketch()
    chars = 0
    for unseen in _bounded(raws, request.limits):
        raw = yield from scans.read(unseen)
        notices.extend(raw.notices)
        chars += raw.size()
        page = _page(raw, request.frame)
        sketch.add(page.text)
        yield page
    outline: tuple[Heading, ...] = ()
    if first == 0:
        yield from _files(reading, request.limits)
        outline = _outline(reading)
        notices = [*reading.notices, *notices]
    kept = tuple(notices[:MAX_NOTICES])
    yield wire.Given(
        _title(reading.title),
        tokens.ENCODING,
        kept,
        len(notices) - len(kept),
        chars,
        sketch.values(),
        outline,
    )


def _files(reading: Reading, limits: Limits) -> Iterator[Enclosed | Piece | Sealed | wire.Beat]:
    """Yield the files inside, up to the limits on their number and their size."""
    files = size = 0
    for event in reading.files() if isinstance(reading, Enclosing) else ():
        files += isinstance(event, Enclosed)
        size += len(event.data) if isinstance(event, Piece) else 0
        if files > limits.max_files or size > limits.max_files_bytes:
            raise too_many_files(limits)
        yield event


def too_many_files(limits: Limits) -> TooLarge:
    """Return the error of a document with too much inside."""
    return TooLarge(
        f"More than {limits.max_files:,} files or {limits.max_files_bytes:,} bytes are inside. "
        "Unpack it and upload what you want to ask about."
    )


def _outline(reading: Reading) -> tuple[Heading, ...]:
    entries = reading.outline() if isinstance(reading, Outlined) else ()
    titled = (replace(entry, title=_title(entry.title) or "") for entry in entries[:MAX_HEADINGS])
    return tuple(entry for entry in titled if entry.title)


def _page(raw: RawPage, frame: Frame | None) -> Page:
    own = normalize(raw.text)
    text = normalize("\n".join([own, *raw.comments])) if raw.comments else own
    label = raw.label and raw.label[: wire.MAX_LABEL]
    page = Page(raw.number, text, label, flags=flags_of(raw, own), picture=raw.picture)
    return replace(page, tokens=tokens.count_tokens(text if frame is None else frame(page)))


def _check_total(reading: Reading, limits: Limits) -> None:
    parts = f"{reading.unit.value}s"
    if reading.total == 0:
        raise EmptyDocument(f"There are no {parts} in it. Upload one with text in it.")
    if reading.unit is Unit.FILE and reading.total > limits.max_files:
        raise too_many_files(limits)
    if reading.total > limits.max_pages:
        raise TooLarge(
            f"The file has {reading.total:,} {parts}, more than the {limits.max_pages:,} that can be read. "
            "Split it and upload the parts."
        )


def _bounded(pages: Iterator[RawPage], limits: Limits) -> Iterator[RawPage]:
    chars = 0
    for raw in pages:
        chars += raw.size()
        if raw.size() > limits.max_page_chars or chars > limits.max_chars:
            raise too_much_text(limits)
        yield raw


def too_much_text(limits: Limits) -> TooLarge:
    """Return the error of a document with too many characters."""
    return TooLarge(
        f"The file's text passes the limit of {limits.max_page_chars:,} characters on one page or "
        f"{limits.max_chars:,} in all. Split it and upload the parts."
    )


def _title(title: str | None) -> str | None:
    """Return the title on one line; None where nothing of it is left or a program made it up."""
    line = " ".join(normalize(title or "").split())
    return None if line.casefold() in {"", "untitled"} else line


class _Batch:
    """Sends events some at a time: a system call for each small page would cost more than the page."""

    def __init__(self, out: socket.socket) -> None:
        self._out = out
        self._held = bytearray()
        self._sent_at = time.monotonic()

    def add(self, event: wire.Event) -> None:
        """Send the event now or soon; blocks while the parent is busy, which bounds both sides' memory."""
        self._held += wire.pack(event)
        full = len(self._held) > _BATCH_BYTES or time.monotonic() - self._sent_at > _BATCH_SECONDS
        awaited = isinstance(event, wire.Opened | wire.Taken | wire.Beat | wire.Given)
        if full or awaited or (isinstance(event, Page) and event.number == 1):
            self.flush()

    def flush(self) -> None:
        """Send what is held back."""
        self._out.sendall(self._held)
        self._held.clear()
        self._sent_at = time.monotonic()
