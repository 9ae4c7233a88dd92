"""Read a stored file into pages: the job behind every upload, safe to run again after any crash."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ingest import Enclosed, Finished, IngestError, Page, Piece, Sealed, Started, read
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
from service.errors import NotFound
from service.store import documents
from service.usecases.context import Context

Event = Started | Page | Enclosed | Piece | Sealed | Finished

BATCH_PAGES = 64
BATCH_SECONDS = 1.0


def extract_document(ctx: Context, document_id: str) -> None:
    """Read a document and store its pages; a file that cannot be read becomes `failed` with the reason.

    Pages are stored in batches while the reading goes on, so no transaction stays open over it and progress
    shows; an interrupted reading starts over.
    """
    with ctx.db.write() as tx:
        document = documents.get_any(tx, document_id)
        if document is None or not documents.start(tx, document_id):
            return
    try:
        with ctx.blobs.as_path(document.sha256) as path, _held(path, document_id) as held:
            _store(ctx, document, held)
    except (IngestError, NotFound) as error:  # the latter: the stored file itself is gone
        fail(ctx, document_id, Failure(error.code, str(error)))


def fail(ctx: Context, document_id: str, failure: Failure) -> None:
    """Record why a document could not be read."""
    with ctx.db.write() as tx:
        documents.fail(tx, document_id, failure)


@contextmanager
def _held(path: Path, document_id: str) -> Iterator[Path]:
    """Give the file a second name while it is read: a removal of the document takes the first one only.

    The name is the document's, so that a reading which starts over takes the place of one that was killed.

    Raises:
        NotFound: it has been removed just now.
    """
    held = path.with_name(f"{path.name}.{document_id}")
    try:
        held.unlink(missing_ok=True)
        held.hardlink_to(path)
    except FileNotFoundError as error:
        raise NotFound("The original file is gone.") from error
    except OSError:  # a file system without hard links
        held = path
    try:
        yield held
    finally:
        if held != path:
            held.unlink(missing_ok=True)


@dataclass(slots=True)
class _Reading:
    """What adds up while pages come."""

    digest: hashlib._Hash = field(default_factory=hashlib.sha256)
    finished: Finished | None = None


def _store(ctx: Context, document: Document, path: Path) -> None:
    reading = _Reading()
    events = read(path, filename=document.filename, frame=packing.frame, limits=ctx.limits)
    for batch in _batches(_pages(ctx, document, events, reading)):
        with ctx.db.write() as tx:
            if not documents.add_pages(tx, document.id, batch):
                return  # removed meanwhile
    if reading.finished is None:
        return
    with ctx.db.write() as tx:
        margins = [Margin(one.page, one.head, one.foot, one.tokens) for one in reading.finished.margins]
        documents.set_margins(tx, document.id, margins)
        documents.finish(
            tx,
            document.id,
            pack_sha256=reading.digest.hexdigest(),
            encoding=reading.finished.encoding,
            title=reading.finished.title,
            sketch=reading.finished.sketch,
            outline=[Heading(one.title, one.level, one.page) for one in reading.finished.outline],
            warnings=[DocumentWarning(w.code, w.detail, w.page) for w in reading.finished.warnings],
            at=ctx.now(),
        )


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
        elif isinstance(event, Page):
            reading.digest.update(packing.frame(event).encode("utf-8", "surrogatepass"))
            text = packing.defuse(event.text)
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
