"""Resumable uploads over REST."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from service.api import uploads
from service.api.access import tenant
from service.api.described import RAW
from service.api.documents import described
from service.api.schemas import Document, Listing, NewUpload, Upload, UploadPart
from service.api.wiring import context
from service.usecases import resume_upload
from service.usecases.context import Context

router = APIRouter(prefix="/v1/uploads", tags=["documents"])

Ctx = Annotated[Context, Depends(context)]
Tenant = Annotated[str, Depends(tenant)]


@router.post("", status_code=201)
def begin(ctx: Ctx, owner: Tenant, body: NewUpload) -> Upload:
    """Begin an upload in parts; it is kept for a day."""
    return Upload.of(resume_upload.begin_upload(ctx, owner, filename=body.filename, corpus_id=body.corpus_id))


@router.get("/{upload_id}")
def get_upload(ctx: Ctx, owner: Tenant, upload_id: str) -> Upload:
    """Return what has arrived: after a break, send the parts that are missing."""
    return Upload.of(resume_upload.get_upload(ctx, owner, upload_id))


@router.put("/{upload_id}/parts/{number}", openapi_extra=RAW)
async def put_part(
    request: Request,
    ctx: Ctx,
    owner: Tenant,
    upload_id: str,
    number: int,
    sha256: Annotated[str, Query(pattern=r"^[0-9a-fA-F]{64}$")],
) -> UploadPart:
    """Send one part as the raw body, with its SHA-256; sending it again changes nothing."""
    part = await resume_upload.put_part(
        ctx, owner, upload_id, number, chunks=uploads.body(request), sha256=sha256
    )
    return UploadPart(number=number, bytes=part.bytes, sha256=part.sha256)


@router.post("/{upload_id}/complete", status_code=202)
async def complete(ctx: Ctx, owner: Tenant, upload_id: str) -> Listing[Document]:
    """Make a document of the parts, in the order of their numbers."""
    added = await resume_upload.complete_upload(ctx, owner, upload_id)
    return Listing(data=[described(added.document, duplicate=added.duplicate)])


@router.delete("/{upload_id}", status_code=204)
def abandon(ctx: Ctx, owner: Tenant, upload_id: str) -> Response:
    """Forget an upload and what has arrived of it."""
    resume_upload.abandon_upload(ctx, owner, upload_id)
    return Response(status_code=204)
