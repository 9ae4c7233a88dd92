"""Look at a page as it was printed, with a quote marked on it."""

from __future__ import annotations

import asyncio
import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from ingest import IngestError
from ingest.drawing import Drawing, draw, is_drawable
from service.domain.documents import Document
from service.errors import NoImage
from service.usecases import read_document
from service.usecases.context import Context

AT_ONCE: Final = 4
"""Pages drawn at the same time; others wait, in threads that nothing else needs."""

_LOOKS: Final = "2"
"""Raise it with whatever changes how a picture looks: clients keep those they have."""
_drawers: Final = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="drawing")


def drawable_document(ctx: Context, tenant: str, document_id: str, number: int) -> Document:
    """Return the document of a page that may be drawn.

    Raises:
        NotFound: there is no such document or page.
        DocumentNotReady, DocumentFailed: it has no pages (yet).
        NoImage: its format can't be drawn.
    """
    read_document.get_page(ctx, tenant, document_id, number)
    document = read_document.get_document(ctx, tenant, document_id)
    if not is_drawable(document.media_type):
        raise NoImage(
            f"{document.filename} can't be drawn: only PDFs and images have pages to look at. "
            "The page's text is at the page itself."
        )
    return document


async def draw_page(
    ctx: Context, document: Document, number: int, *, quote: str | None, width: int
) -> Drawing:
    """Draw a page, the quote marked wherever it stands there.

    Raises:
        NotFound: the original file is gone.
        NoImage: it can't be drawn; the detail says why.
    """
    working = asyncio.get_running_loop()
    return await working.run_in_executor(_drawers, lambda: _drawn(ctx, document, number, quote, width))


def fingerprint(document: Document, number: int, *, quote: str | None, width: int) -> str:
    """Return what is the same for the same picture, and for no other."""
    said = f"{_LOOKS} {document.sha256} {number} {width} {quote!r}"
    return hashlib.sha256(said.encode()).hexdigest()[:32]


def _drawn(ctx: Context, document: Document, number: int, quote: str | None, width: int) -> Drawing:
    try:
        with ctx.blobs.as_path(document.sha256) as path:
            return draw(
                path,
                number,
                media_type=document.media_type,
                quote=quote,
                width=width,
                languages=ctx.terms.languages,
            )
    except IngestError as error:
        raise NoImage(f"{document.filename}, page {number}: {error}") from error
