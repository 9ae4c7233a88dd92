"""Documents over REST."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import PurePosixPath
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse

from ingest import count_tokens, drawing
from service.api import events, paging, uploads
from service.api.access import tenant
from service.api.described import EVENTS, UPLOADS
from service.api.paging import AfterDocument, Part, Place, Size
from service.api.schemas import Document, EnclosedFile, Heading, Listing, Page, PageText
from service.api.wiring import context
from service.domain import documents as domain
from service.domain import packing
from service.errors import Invalid, NotFound
from service.usecases import arrange_corpus, draw_page, read_document
from service.usecases.add_document import Added, add_document
from service.usecases.context import Context
from service.usecases.remove_document import remove_document

router = APIRouter(prefix="/v1/documents", tags=["documents"])

Ctx = Annotated[Context, Depends(context)]
Tenant = Annotated[str, Depends(tenant)]

MAX_QUOTE_CHARS = 10_000
MAX_ORDINAL = 2**31 - 1


@router.post("", status_code=202, openapi_extra=UPLOADS)
async def upload(
    request: Request, ctx: Ctx, owner: Tenant, filename: str | None = None, corpus_id: str | None = None
) -> Listing[Document]:
    """Upload files: multipart with `file` parts, or one file as the raw body with `?filename=`."""
    if request.headers.get("content-type", "").lower().startswith("multipart/"):
        added = await _upload_parts(request, ctx, owner, corpus_id)
    else:
        if not filename:
            raise Invalid("Name the file: ?filename=report.pdf")
        chunks = uploads.body(request)
        added = [await add_document(ctx, owner, filename=filename, chunks=chunks, corpus_id=corpus_id)]
    return Listing(data=[described(one.document, duplicate=one.duplicate) for one in added])


@router.get("")
def list_documents(
    ctx: Ctx,
    owner: Tenant,
    named: Annotated[list[str] | None, Query(alias="id", max_length=100)] = None,
    after: AfterDocument = None,
    limit: Size = 100,
) -> Listing[Document]:
    """List documents, oldest first; with `id`, those that are named and there."""
    if named is not None:
        known = read_document.get_documents(ctx, owner, named)
        return Listing(data=[described(known[one]) for one in dict.fromkeys(named) if one in known])
    found = read_document.list_documents(ctx, owner, after=after, limit=limit + 1)
    shown = [described(document) for document in found[:limit]]
    more = len(found) > limit
    return Listing(data=shown, has_more=more, next=shown[-1].id if more else None)


@router.get("/{document_id}")
def get_document(ctx: Ctx, owner: Tenant, document_id: str) -> Document:
    """Return one document."""
    return described(read_document.get_document(ctx, owner, document_id))


@router.get("/{document_id}/events", response_class=StreamingResponse, responses=EVENTS)
async def follow(ctx: Ctx, owner: Tenant, document_id: str) -> StreamingResponse:
    """Follow a document's progress until it is ready or failed."""
    moves = read_document.follow_document(ctx, owner, document_id)
    first = await anext(moves)  # an unknown document is a 404, not a stream

    async def sent() -> AsyncGenerator[bytes]:
        yield _event(first)
        try:
            async for document in moves:
                yield _event(document)
        except NotFound:
            yield events.event("deleted", {"id": document_id})

    return events.stream(sent())


@router.get("/{document_id}/files")
def list_files(
    ctx: Ctx,
    owner: Tenant,
    document_id: str,
    after: Annotated[int, Query(ge=-1, le=MAX_ORDINAL)] = -1,
    limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
) -> Listing[EnclosedFile]:
    """List the files inside a document, an archive or a mail, in their order; each is a document itself."""
    found = read_document.list_files(ctx, owner, document_id, after=after, limit=limit + 1)
    more = len(found) > limit
    return Listing(
        data=[EnclosedFile(name=one.name, document=described(one.document)) for one in found[:limit]],
        has_more=more,
        next=str(found[limit - 1].ordinal) if more else None,
    )


@router.get("/{document_id}/outline")
def get_outline(
    ctx: Ctx, owner: Tenant, document_id: str, after: Place = 0, limit: Part = None
) -> Listing[Heading]:
    """Return the document's own table of contents; empty where it has none."""
    entries = read_document.get_outline(ctx, owner, document_id)
    shown = [Heading(title=one.title, level=one.level, page=one.page) for one in entries]
    return paging.listed(shown, after, limit)


@router.get("/{document_id}/pages")
def list_pages(
    ctx: Ctx, owner: Tenant, document_id: str, after: Place = 0, limit: Part = None
) -> Listing[Page]:
    """List a document's pages with their tokens."""
    return paging.listed(
        [
            Page(number=p.number, label=p.label, tokens=p.tokens, chars=p.chars, flags=list(p.flags))
            for p in read_document.list_pages(ctx, owner, document_id)
        ],
        after,
        limit,
    )


@router.get("/{document_id}/pages/{number}")
def get_page(ctx: Ctx, owner: Tenant, document_id: str, number: int) -> PageText:
    """Return a page's text exactly as it is packed."""
    page = read_document.get_page(ctx, owner, document_id, number)
    return PageText(number=page.number, label=page.label, tokens=page.tokens, text=page.text)


@router.get(
    "/{document_id}/pages/{number}/image",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}, "description": "The page as a PNG"}},
)
async def get_page_image(
    request: Request,
    ctx: Ctx,
    owner: Tenant,
    document_id: str,
    number: int,
    quote: Annotated[str | None, Query(max_length=MAX_QUOTE_CHARS)] = None,
    width: Annotated[int, Query(ge=drawing.MIN_WIDTH, le=drawing.MAX_WIDTH)] = drawing.WIDTH,
) -> Response:
    """Return a picture of the page, the quote marked; `X-Quote-Found` says whether it stands there."""
    document = await asyncio.to_thread(draw_page.drawable_document, ctx, owner, document_id, number)
    tag = f'"{draw_page.fingerprint(document, number, quote=quote, width=width)}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "X-Content-Type-Options": "nosniff"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    drawn = await draw_page.draw_page(ctx, document, number, quote=quote, width=width)
    if quote is not None:
        headers["X-Quote-Found"] = "true" if drawn.found else "false"
    return Response(drawn.png, media_type="image/png", headers=headers)


@router.get("/{document_id}/content")
async def get_content(ctx: Ctx, owner: Tenant, document_id: str) -> StreamingResponse:
    """Return the original bytes."""
    document = await asyncio.to_thread(read_document.get_document, ctx, owner, document_id)
    chunks = ctx.blobs.stream(document.sha256)
    name = quote(PurePosixPath(document.filename).name, safe="")
    first = await anext(chunks, b"")  # a file that is gone is a 404, not a broken download

    async def sent() -> AsyncGenerator[bytes]:
        yield first
        async for chunk in chunks:
            yield chunk

    return StreamingResponse(
        sent(),
        media_type="application/octet-stream",
        headers={
            "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
            "Content-Length": str(document.bytes),
            "X-Content-Type-Options": "nosniff",
        },
    )


@router.delete("/{document_id}", status_code=204)
def delete_document(ctx: Ctx, owner: Tenant, document_id: str) -> Response:
    """Delete a document and the files that came only in it; answers that cite them keep their quotes."""
    remove_document(ctx, owner, document_id)
    return Response(status_code=204)


async def _upload_parts(request: Request, ctx: Context, owner: str, corpus_id: str | None) -> list[Added]:
    added: list[Added] = []
    placed = corpus_id
    async for part in uploads.parts(request):
        if part.filename is not None:
            added.append(
                await add_document(ctx, owner, filename=part.filename, chunks=part.chunks, corpus_id=placed)
            )
        elif part.name == "corpus_id":
            placed = await part.text()
            for one in added:  # the field came after files
                await asyncio.to_thread(arrange_corpus.append, ctx, owner, placed, one.document.id)
    if not added:
        raise Invalid("The form holds no file: send one or more parts named file.")
    return added


def described(document: domain.Document, *, duplicate: bool = False) -> Document:
    """Return a stored document in the contract's words, its wrapper counted in."""
    wrapper = count_tokens(packing.wrapper(1, document.filename)) if document.pages else 0
    return Document.of(document, tokens=document.pages_tokens + wrapper, duplicate=duplicate)


def _event(document: domain.Document) -> bytes:
    return events.event(document.status.value, described(document).model_dump(mode="json"))
