"""Read a stored file into pages: the job behind every upload, safe to run again after any crash."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from ingest import (
    Enclosed,
    Finished,
    IngestError,
    Page,
    Piece,
    ReaderCrashed,
    Sealed,
    Started,
    TimedOut,
    read,
)
from service.domain import packing
from service.domain.documents import (
    Document,
    DocumentWarning,
    Failure,
    Heading,
    Margin,
    PageCount,
    Progress,
)
from service.domain.enclosures import MAX_DEPTH
from service.errors import NotFound, StoreUnavailable
from service.store import documents
from service.usecases.context import Context
from service.usecases.index_pages import index_corpora_of
from service.usecases.remove_document import forget_files, remove_enclosed_in
from service.usecases.unpack_document import Unpacking

Event = Started | Page | Enclosed | Piece | Sealed | Finished

BATCH_PAGES = 64
BATCH_SECONDS = 1.0
TOO_DEEP = Failure(
    "nested_too_deeply",
    f"It lies more than {MAX_DEPTH} levels deep inside other files. Unpack them and upload it by itself.",
)
HURRIED_SECONDS = 4.0
"""Nearly every document has shown its first page by then; the others are read apart, with all their time."""


def extract_document(
    ctx: Context, document_id: str, *, hurried: bool = False, stopping: Callable[[], bool] = lambda: False
) -> bool:
    """Read a document and store its pages; a file that cannot be read becomes `failed` with the reason.

    Pages are stored in batches while the reading goes on, so no transaction stays open over it and progress
    shows; an interrupted reading starts over. Files inside become documents as they come (`unpack_document`).

    A hurried reading gives up where nothing comes soon and returns False: the document waits for another one,
    that has time. While the process is `stopping`, what its readers die of is no fault of the document.
    """
    if hurried:
        ctx = replace(ctx, limits=replace(ctx.limits, first_seconds=HURRIED_SECONDS))
    with ctx.db.write() as tx:
        document = documents.get_any(tx, document_id)
        if document is None or not documents.start(tx, document_id):
            return True
    if document.depth > MAX_DEPTH:
        fail(ctx, document_id, TOO_DEEP)
        return True
    came: _Watched | None = None
    try:
        with ctx.blobs.hold(document.sha256) as path:
            events = read(
                path,
                filename=document.filename,
                frame=packing.frame,
                limits=ctx.limits,
                languages=ctx.terms.languages,
                owner=document.tenant,
            )
            came = _Watched(events)
            store_events(ctx, document, came)
    except (IngestError, NotFound, StoreUnavailable) as error:  # NotFound: the stored file itself is gone
        if stopping() and isinstance(error, ReaderCrashed):
            raise
        if hurried and isinstance(error, TimedOut) and not (came and came.something):
            return False
        fail(ctx, document_id, Failure(error.code, str(error)))
    return True


def fail(ctx: Context, document_id: str, failure: Failure) -> None:
    """Record why a document could not be read; what came only inside it goes, as its pages do."""
    with ctx.db.write() as tx:
        failed = documents.fail(tx, document_id, failure)
        gone = remove_enclosed_in(tx, document_id) if failed else []
    forget_files(ctx, gone)


class _Watched:
    """The events of a reading, and whether anything of the document has come."""

    def __init__(self, events: Iterable[Event]) -> None:
        self._events = events
        self.something = False

    def __iter__(self) -> Iterator[Event]:
        for event in self._events:
            self.something = self.something or not isinstance(event, Started)
            yield event


@dataclass(slots=True)
class _Reading:
    """What adds up while pages come."""

    inside: Unpacking
    stored: int = 0
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)
    finished: Finished | None = None


def store_events(ctx: Context, document: Document, events: Iterable[Event]) -> None:
    """Store what a reading yields, up to its end.

    Raises:
        ingest.IngestError: what the reading raises, or too much is inside.
        NotFound, StoreUnavailable: see `Unpacking.take`.
    """
    with Unpacking(ctx, document) as inside:
        reading = _Reading(inside)
        for batch in _batches(_pages(ctx, document, events, reading)):
            with ctx.db.write() as tx:
                if not documents.add_pages(tx, document.id, batch, after=reading.stored):
                    return  # removed meanwhile, or begun again by another reading
            reading.stored += len(batch)
        if reading.finished is not None:
            inside.record()
            _finish(ctx, document, reading, reading.finished)


def _finish(ctx: Context, document: Document, reading: _Reading, finished: Finished) -> None:
    warnings = [DocumentWarning(w.code, w.detail, w.page) for w in finished.warnings]
    with ctx.db.write() as tx:
        if not documents.is_complete(tx, document.id, reading.stored):
            return
        gone = remove_enclosed_in(tx, document.id, first=reading.inside.done)
        margins = [Margin(one.page, one.head, one.foot, one.tokens) for one in finished.margins]
        documents.set_margins(tx, document.id, margins)
        documents.finish(
            tx,
            document.id,
            pack_sha256=reading.digest.hexdigest(),
            encoding=finished.encoding,
            title=finished.title,
            sketch=finished.sketch,
            outline=[Heading(one.title, one.level, one.page) for one in finished.outline],
            warnings=[*warnings, *reading.inside.warnings],
            at=ctx.now(),
        )
    forget_files(ctx, gone)
    index_corpora_of(ctx, document.id)


def _pages(
    ctx: Context, document: Document, events: Iterable[Event], reading: _Reading
) -> Iterator[tuple[PageCount, str]]:
    for event in events:
        if isinstance(event, Started):
            with ctx.db.write() as tx:
                progress = Progress(0, event.total, event.unit.value)
                documents.identify(tx, document.id, media_type=event.media_type, progress=progress)
        elif isinstance(event, Finished):
            reading.finished = event
        elif isinstance(event, Enclosed | Piece | Sealed):
            reading.inside.take(event)
        else:
            text = packing.defuse(event.text)
            reading.digest.update(packing.block(event.number, text).encode("utf-8", "surrogatepass"))
            yield _count(event, text), text


def _count(page: Page, text: str) -> PageCount:
    return PageCount(
        number=page.number,
        tokens=page.tokens,
        chars=len(text),
        label=page.label,
        flags=tuple(flag.value for flag in page.flags),
        width=page.picture.width if page.picture else None,
        height=page.picture.height if page.picture else None,
    )


def _batches(pages: Iterable[tuple[PageCount, str]]) -> Iterator[list[tuple[PageCount, str]]]:
    held: list[tuple[PageCount, str]] = []
    since = time.monotonic()
    for page in pages:
        held.append(page)
        if len(held) >= BATCH_PAGES or time.monotonic() - since > BATCH_SECONDS:
            yield held
            held, since = [], time.monotonic()
    if held:
        yield held
