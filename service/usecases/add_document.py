"""Take a file in: stored durably while it is hashed, then recorded and queued in one transaction."""

from __future__ import annotations

import asyncio
import mimetypes
from collections.abc import AsyncIterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import PurePath

from service.domain.documents import Document, DocumentStatus, Progress
from service.domain.enclosures import in_order
from service.errors import NotFound, StoreUnavailable
from service.store import corpora, documents, enclosures
from service.store.blobs import ReceivedBlob
from service.store.session import Transaction
from service.usecases.arrange_corpus import append_in
from service.usecases.context import Context, new_id
from service.usecases.remove_document import forget_files

MAX_NAME = 255


@dataclass(frozen=True, slots=True)
class Added:
    """An upload's outcome; a duplicate is the document that was there before."""

    document: Document
    duplicate: bool


async def add_document(
    ctx: Context, tenant: str, *, filename: str, chunks: AsyncIterator[bytes], corpus_id: str | None = None
) -> Added:
    """Store a file and have it read.

    The same bytes again are the same document; if it had failed before, it is read again, and so is what
    failed inside it.

    Raises:
        NotFound: no such corpus (any more); nothing is kept.
        TooLarge, StoreUnavailable: see `Blobs.receive`.
    """
    if corpus_id is not None:
        await asyncio.to_thread(require_corpus, ctx, tenant, corpus_id)
    received = await ctx.blobs.receive(chunks, max_bytes=ctx.terms.max_upload_bytes)
    return await asyncio.to_thread(_record, ctx, tenant, safe_name(filename), received, corpus_id)


def safe_name(filename: str) -> str:
    """Return a name without folders and control characters, never empty and not too long."""
    name = PurePath(filename.replace("\\", "/")).name
    name = "".join(char for char in name if char.isprintable()).strip()
    if len(name) > MAX_NAME:
        suffix = PurePath(name).suffix[:20]
        name = name[: MAX_NAME - len(suffix)] + suffix
    return name or "unnamed"


def require_corpus(ctx: Context, tenant: str, corpus_id: str) -> None:
    """Raise NotFound unless the tenant has that corpus."""
    with ctx.db.read() as tx:
        _require_corpus(tx, tenant, corpus_id)


def _require_corpus(tx: Transaction, tenant: str, corpus_id: str) -> None:
    if corpora.get(tx, tenant, corpus_id) is None:
        raise NotFound(f"There is no corpus {corpus_id}.")


def _record(ctx: Context, tenant: str, filename: str, received: ReceivedBlob, corpus_id: str | None) -> Added:
    with ExitStack() as failing:
        failing.callback(_withdraw, ctx, received)
        with ctx.db.write() as tx:
            if corpus_id is not None:
                _require_corpus(tx, tenant, corpus_id)
            known = documents.get_by_hash(tx, tenant, received.sha256)
            document = known or _new(ctx, tenant, filename, received)
            if known is None:
                ctx.blobs.keep(received)
                documents.add(tx, document)
                ctx.queue.extract(tx, document.id)
            else:
                if not known.uploaded:  # it came inside another until now
                    documents.place(tx, known.id, uploaded=True, depth=0, root_id=None)
                if known.status is DocumentStatus.FAILED:
                    _read_again(tx, ctx, known)
                elif known.status is DocumentStatus.READY:
                    _read_failed_inside(tx, ctx, known)
            if corpus_id is not None:
                append_in(tx, corpus_id, document)
            stored = documents.get(tx, tenant, document.id)
        failing.pop_all()
    ctx.queue.wake()
    if known is not None:
        ctx.blobs.discard(received)
    return Added(document=stored or document, duplicate=known is not None)


def _read_again(tx: Transaction, ctx: Context, failed: Document) -> None:
    documents.requeue(tx, failed.id)
    ctx.queue.extract(tx, failed.id)


def _read_failed_inside(tx: Transaction, ctx: Context, ready: Document) -> None:
    """Have what failed inside a document, at any depth, read again."""
    inside = in_order(ready.id, enclosures.links_below(tx, ready.id)) if ready.files else []
    found = {one.id: one for one in documents.get_many(tx, [link.document_id for link in inside])}
    for link in inside:
        if found[link.document_id].status is DocumentStatus.FAILED:
            _read_again(tx, ctx, found[link.document_id])


def _withdraw(ctx: Context, received: ReceivedBlob) -> None:
    """Drop what was received and could not be recorded, under its waiting name or its last one."""
    with suppress(FileNotFoundError):  # it was kept already
        ctx.blobs.discard(received)
    with suppress(StoreUnavailable):  # what is told is why it could not be recorded
        forget_files(ctx, [received.sha256])


def _new(ctx: Context, tenant: str, filename: str, received: ReceivedBlob) -> Document:
    return Document(
        id=new_id("doc"),
        tenant=tenant,
        sha256=received.sha256,
        filename=filename,
        media_type=mimetypes.guess_type(filename)[0] or "application/octet-stream",
        bytes=received.bytes,
        status=DocumentStatus.QUEUED,
        progress=Progress(),
        created_at=ctx.now(),
    )
