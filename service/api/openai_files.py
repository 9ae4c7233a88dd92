"""Files as OpenAI's clients know them: each is a document, under an id that leads back to it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse

from service.api import documents, uploads
from service.api.access import tenant
from service.api.described import UPLOADS
from service.api.openai_errors import Unfit
from service.api.paging import AfterFile
from service.api.wiring import context
from service.domain.documents import Document, DocumentStatus
from service.usecases import read_document
from service.usecases.add_document import Added, add_document
from service.usecases.context import Context
from service.usecases.remove_document import remove_document

router = APIRouter(prefix="/v1/files", tags=["openai"])

Ctx = Annotated[Context, Depends(context)]
Tenant = Annotated[str, Depends(tenant)]

PURPOSES = ("user_data", "assistants")
_STATUSES = {DocumentStatus.READY: "processed", DocumentStatus.FAILED: "error"}


@router.post("", openapi_extra=UPLOADS)
async def upload(request: Request, ctx: Ctx, owner: Tenant) -> dict[str, Any]:
    """Take a file in; it is read afterwards, and `processed` once it can be asked."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/"):
        raise Unfit("Send the file as multipart/form-data, in a part named file.", param="file")
    added: list[Added] = []
    try:
        await _take(request, ctx, owner, added)
    except Unfit:
        for one in added:
            if not one.duplicate:
                await asyncio.to_thread(remove_document, ctx, owner, one.document.id)
        raise
    return described(added[0].document)


@router.get("")
def list_files(
    ctx: Ctx,
    owner: Tenant,
    after: AfterFile = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 10_000,
    order: Literal["asc", "desc"] = "desc",
    purpose: str | None = None,
) -> dict[str, Any]:
    """List the files that were uploaded, the newest first."""
    found: Sequence[Document] = ()
    if purpose in {None, PURPOSES[0]}:
        found = read_document.list_uploads(
            ctx,
            owner,
            after=document_id_of(after) if after else None,
            limit=limit + 1,
            newest_first=order == "desc",
        )
    shown = [described(document) for document in found[:limit]]
    return {
        "object": "list",
        "data": shown,
        "first_id": shown[0]["id"] if shown else None,
        "last_id": shown[-1]["id"] if shown else None,
        "has_more": len(found) > limit,
    }


@router.get("/{file_id}")
def get_file(ctx: Ctx, owner: Tenant, file_id: str) -> dict[str, Any]:
    """Return one file."""
    return described(read_document.get_document(ctx, owner, document_id_of(file_id)))


@router.get("/{file_id}/content")
async def get_content(ctx: Ctx, owner: Tenant, file_id: str) -> StreamingResponse:
    """Return the original bytes."""
    return await documents.get_content(ctx, owner, document_id_of(file_id))


@router.delete("/{file_id}")
def delete_file(ctx: Ctx, owner: Tenant, file_id: str) -> dict[str, Any]:
    """Delete a file; answers that cite it keep their quotes."""
    remove_document(ctx, owner, document_id_of(file_id))
    return {"id": file_id, "object": "file", "deleted": True}


def document_id_of(file_id: str) -> str:
    """Return the id of the document that a file is; a document's own id is taken too."""
    return f"doc_{file_id.removeprefix('file-')}" if file_id.startswith("file-") else file_id


def described(document: Document) -> dict[str, Any]:
    """Return a document as a file; what no field of OpenAI's holds stands under `unabridged`."""
    return {
        "id": f"file-{document.id.removeprefix('doc_')}",
        "object": "file",
        "bytes": document.bytes,
        "created_at": int(document.created_at.timestamp()),
        "filename": document.filename,
        "purpose": PURPOSES[0],
        "status": _STATUSES.get(document.status, "uploaded"),
        "status_details": document.error.detail if document.error else None,
        "unabridged": {"document_id": document.id, "pages": document.pages, "sha256": document.sha256},
    }


async def _take(request: Request, ctx: Context, owner: str, added: list[Added]) -> None:
    """Store what the form holds, whatever the order of its parts.

    Raises:
        Unfit: it is not one file with a purpose; what was stored by then is in `added`.
    """
    purpose = None
    async for part in uploads.parts(request):
        if part.filename is not None and part.name == "file" and not added:
            added.append(await add_document(ctx, owner, filename=part.filename, chunks=part.chunks))
        elif part.name == "purpose" and part.filename is None:
            purpose = await part.text()
        else:
            raise Unfit(f"The form's part {part.name} is not supported here: leave it out.", param=part.name)
    if not added:
        raise Unfit("The form holds no file: send one part named file.", param="file")
    if purpose not in PURPOSES:
        raise Unfit(f"A file's purpose is {' or '.join(PURPOSES)} here.", param="purpose")
