"""Look at documents: their state, their pages as they will be packed, their original bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from service.domain.documents import Document, DocumentStatus, Heading, PageCount, PageText
from service.errors import DocumentFailed, DocumentNotReady, NotFound
from service.store import documents, enclosures
from service.store.enclosures import EnclosedFile
from service.usecases.context import Context

POLL_SECONDS = 0.2
MAX_FILES = 10_000
"""Files of one document that are listed at once."""


def get_document(ctx: Context, tenant: str, document_id: str) -> Document:
    """Return a document.

    Raises:
        NotFound: there is none.
    """
    with ctx.db.read() as tx:
        document = documents.get(tx, tenant, document_id)
    if document is None:
        raise NotFound(f"There is no document {document_id}.")
    return document


def list_documents(ctx: Context, tenant: str, *, after: str | None, limit: int) -> list[Document]:
    """Return documents, oldest first."""
    with ctx.db.read() as tx:
        return documents.page_through(tx, tenant, after=after, limit=limit)


def list_uploads(
    ctx: Context, tenant: str, *, after: str | None, limit: int, newest_first: bool
) -> list[Document]:
    """Return the documents that were uploaded by themselves, and not only inside another."""
    with ctx.db.read() as tx:
        return documents.uploads_through(tx, tenant, after=after, limit=limit, newest_first=newest_first)


def get_documents(ctx: Context, tenant: str, document_ids: Sequence[str]) -> dict[str, Document]:
    """Return those of these documents that there are, by their ids."""
    with ctx.db.read() as tx:
        return {one.id: one for one in documents.get_many(tx, document_ids) if one.tenant == tenant}


def list_files(
    ctx: Context, tenant: str, document_id: str, *, after: int = -1, limit: int = MAX_FILES
) -> list[EnclosedFile]:
    """Return at most so many files directly inside a document, in order, as far as they are recorded.

    Args:
        ctx: the world.
        tenant: whose it is.
        document_id: what they lie in.
        after: the ordinal that the first one comes after.
        limit: how many at most.

    Raises:
        NotFound: there is no such document.
    """
    get_document(ctx, tenant, document_id)
    with ctx.db.read() as tx:
        return enclosures.files_of(tx, document_id, after=after, limit=limit)


def get_outline(ctx: Context, tenant: str, document_id: str) -> list[Heading]:
    """Return a ready document's own table of contents; empty where it has none."""
    _require_ready(get_document(ctx, tenant, document_id))
    with ctx.db.read() as tx:
        return documents.outline_of(tx, document_id)


def list_pages(ctx: Context, tenant: str, document_id: str) -> list[PageCount]:
    """Return a ready document's pages without their texts."""
    _require_ready(get_document(ctx, tenant, document_id))
    with ctx.db.read() as tx:
        return documents.page_counts(tx, document_id)


def get_page(ctx: Context, tenant: str, document_id: str, number: int) -> PageText:
    """Return one page as it is packed.

    Raises:
        NotFound: there is no such document or page.
    """
    document = get_document(ctx, tenant, document_id)
    _require_ready(document)
    if 1 <= number <= document.pages:
        with ctx.db.read() as tx:
            page = next(documents.page_texts_of(tx, document_id, first=number, last=number), None)
        if page is not None:
            return page
    raise NotFound(f"{document.filename} has pages 1 to {document.pages}, not {number}.")


async def follow_document(ctx: Context, tenant: str, document_id: str) -> AsyncIterator[Document]:
    """Yield a document whenever it has moved on, until it is ready or failed."""
    last: Document | None = None
    while True:
        document = await asyncio.to_thread(get_document, ctx, tenant, document_id)
        if document != last:
            yield document
            last = document
        if document.is_settled:
            return
        await asyncio.sleep(POLL_SECONDS)


def _require_ready(document: Document) -> None:
    if document.status is DocumentStatus.FAILED:
        detail = document.error.detail if document.error else "It could not be read."
        raise DocumentFailed(f"{document.filename} has no pages: {detail}")
    if document.status is not DocumentStatus.READY:
        raise DocumentNotReady(f"{document.filename} is still being read.")
