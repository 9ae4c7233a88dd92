"""Upload a large file in numbered parts: any can be sent again, and nothing that arrived is sent twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from service.errors import Conflict, Invalid, NotFound
from service.store import documents, uploads
from service.store.blobs import ReceivedBlob
from service.store.uploads import Upload
from service.usecases.add_document import Added, add_document, require_corpus, safe_name
from service.usecases.context import Context, new_id

MAX_PARTS = 10_000


@dataclass(frozen=True, slots=True)
class Arrived:
    """An upload with the parts that have arrived, by number."""

    upload: Upload
    parts: dict[int, ReceivedBlob]


def begin_upload(ctx: Context, tenant: str, *, filename: str, corpus_id: str | None) -> Arrived:
    """Begin an upload; it is kept for a day.

    Raises:
        NotFound: no such corpus.
    """
    if corpus_id is not None:
        require_corpus(ctx, tenant, corpus_id)
    upload = Upload(
        id=new_id("upl"),
        tenant=tenant,
        filename=safe_name(filename),
        corpus_id=corpus_id,
        created_at=ctx.now(),
    )
    with ctx.db.write() as tx:
        uploads.add(tx, upload)
    return Arrived(upload, {})


def get_upload(ctx: Context, tenant: str, upload_id: str) -> Arrived:
    """Return an upload and what has arrived of it.

    Raises:
        NotFound: there is none.
    """
    with ctx.db.read() as tx:
        upload = uploads.get(tx, tenant, upload_id)
        if upload is None:
            raise NotFound(f"There is no upload {upload_id}.")
        return Arrived(upload, uploads.parts_of(tx, upload_id))


async def put_part(
    ctx: Context, tenant: str, upload_id: str, number: int, *, chunks: AsyncIterator[bytes], sha256: str
) -> ReceivedBlob:
    """Store one part; the same part again changes nothing, another one of its number replaces it.

    Raises:
        NotFound: no such upload.
        Conflict: the upload is complete already.
        Invalid: the number is out of range, or the bytes are not those of the hash.
    """
    if not 1 <= number <= MAX_PARTS:
        raise Invalid(f"Parts are numbered from 1 to {MAX_PARTS:,}.")
    arrived = await asyncio.to_thread(get_upload, ctx, tenant, upload_id)
    if arrived.upload.document_id is not None:
        raise Conflict("The upload is complete already.")
    part = await ctx.blobs.receive(chunks, max_bytes=ctx.terms.max_upload_bytes)
    if part.sha256 != sha256.lower():
        await asyncio.to_thread(ctx.blobs.discard, part)
        raise Invalid(f"Part {number} arrived changed: its SHA-256 is {part.sha256}. Send it again.")
    await asyncio.to_thread(_record_part, ctx, upload_id, number, part)
    return part


async def complete_upload(ctx: Context, tenant: str, upload_id: str) -> Added:
    """Make a document of the parts, in order; a complete upload answers with its document again.

    Raises:
        NotFound: no such upload, or its document is gone.
        Invalid: there is no part, or one is missing.
    """
    arrived = await asyncio.to_thread(get_upload, ctx, tenant, upload_id)
    upload = arrived.upload
    if upload.document_id is not None:
        return await asyncio.to_thread(_known, ctx, tenant, upload.document_id)
    _check_numbers(list(arrived.parts))
    added = await add_document(
        ctx,
        tenant,
        filename=upload.filename,
        chunks=_joined(ctx, list(arrived.parts.values())),
        corpus_id=upload.corpus_id,
    )
    await asyncio.to_thread(_close, ctx, upload_id, added.document.id)
    return added


def abandon_upload(ctx: Context, tenant: str, upload_id: str) -> None:
    """Forget an upload and what has arrived of it; a document it became stays.

    Raises:
        NotFound: there is none.
    """
    get_upload(ctx, tenant, upload_id)
    with ctx.db.write() as tx:
        parts = uploads.remove(tx, upload_id)
    _discard(ctx, parts)


def _record_part(ctx: Context, upload_id: str, number: int, part: ReceivedBlob) -> None:
    with ctx.db.write() as tx:
        earlier = uploads.put_part(tx, upload_id, number, part)
    if earlier is not None:
        _discard(ctx, [earlier])


def _check_numbers(numbers: Sequence[int]) -> None:
    if not numbers:
        raise Invalid("No part has arrived yet.")
    missing = sorted(set(range(1, numbers[-1] + 1)) - set(numbers))
    if missing:
        named = ", ".join(str(number) for number in missing[:10])
        raise Invalid(f"Parts are missing: {named}. Send them, then complete the upload.")


async def _joined(ctx: Context, parts: Sequence[ReceivedBlob]) -> AsyncIterator[bytes]:
    for part in parts:
        async for chunk in ctx.blobs.read_received(part):
            yield chunk


def _known(ctx: Context, tenant: str, document_id: str) -> Added:
    with ctx.db.read() as tx:
        document = documents.get(tx, tenant, document_id)
    if document is None:
        raise NotFound("The document that this upload became was deleted.")
    return Added(document=document, duplicate=True)


def _close(ctx: Context, upload_id: str, document_id: str) -> None:
    with ctx.db.write() as tx:
        parts = uploads.complete(tx, upload_id, document_id)
    _discard(ctx, parts)


def _discard(ctx: Context, parts: Sequence[ReceivedBlob]) -> None:
    for part in parts:
        ctx.blobs.discard(part)
