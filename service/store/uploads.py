"""Resumable uploads and their parts, as rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select, update

from service.store.blobs import ReceivedBlob
from service.store.session import Transaction
from service.store.tables import upload_parts, uploads


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that comes in parts; `document_id` is what it became, once it is complete."""

    id: str
    tenant: str
    filename: str
    corpus_id: str | None
    created_at: datetime
    document_id: str | None = None


def add(tx: Transaction, upload: Upload) -> None:
    """Record a new upload."""
    tx.execute(
        insert(uploads).values(
            id=upload.id,
            tenant=upload.tenant,
            filename=upload.filename,
            corpus_id=upload.corpus_id,
            created_at=upload.created_at,
        )
    )


def get(tx: Transaction, tenant: str, upload_id: str) -> Upload | None:
    """Return one upload of a tenant."""
    row = tx.execute(
        select(uploads).where(uploads.c.id == upload_id, uploads.c.tenant == tenant)
    ).one_or_none()
    return None if row is None else Upload(**row._asdict())


def put_part(tx: Transaction, upload_id: str, number: int, part: ReceivedBlob) -> ReceivedBlob | None:
    """Record a part in place of an earlier one of that number, which is returned."""
    earlier = parts_of(tx, upload_id).get(number)
    tx.execute(
        delete(upload_parts).where(upload_parts.c.upload_id == upload_id, upload_parts.c.number == number)
    )
    tx.execute(
        insert(upload_parts).values(
            upload_id=upload_id, number=number, blob_key=part.key, sha256=part.sha256, bytes=part.bytes
        )
    )
    return earlier


def parts_of(tx: Transaction, upload_id: str) -> dict[int, ReceivedBlob]:
    """Return an upload's parts by their numbers, in order."""
    query = select(upload_parts).where(upload_parts.c.upload_id == upload_id).order_by(upload_parts.c.number)
    return {row.number: ReceivedBlob(row.blob_key, row.sha256, row.bytes) for row in tx.execute(query)}


def complete(tx: Transaction, upload_id: str, document_id: str) -> list[ReceivedBlob]:
    """Record what the upload became; return its parts, which are not needed any more."""
    parts = list(parts_of(tx, upload_id).values())
    tx.execute(delete(upload_parts).where(upload_parts.c.upload_id == upload_id))
    tx.execute(update(uploads).where(uploads.c.id == upload_id).values(document_id=document_id))
    return parts


def remove(tx: Transaction, upload_id: str) -> list[ReceivedBlob]:
    """Forget an upload; return its parts."""
    parts = list(parts_of(tx, upload_id).values())
    tx.execute(delete(uploads).where(uploads.c.id == upload_id))
    return parts
