"""Delete a document: its rows, its memberships, and its file where nobody else has the same bytes."""

from __future__ import annotations

from service.errors import NotFound
from service.store import documents
from service.usecases.context import Context


def remove_document(ctx: Context, tenant: str, document_id: str) -> None:
    """Delete it for good; answers that cite it keep their quotes.

    Raises:
        NotFound: there is no such document.
    """
    with ctx.db.write() as tx:
        document = documents.get(tx, tenant, document_id)
        if document is None:
            raise NotFound(f"There is no document {document_id}.")
        documents.remove(tx, document_id)
    forget_file(ctx, document.sha256)


def forget_file(ctx: Context, sha256: str) -> None:
    """Delete a stored file unless a document has these bytes.

    In a writing transaction of its own: an upload of the same bytes comes wholly before it or wholly after,
    and a removal that is rolled back has not lost its file.
    """
    with ctx.db.write() as tx:
        if documents.uses_of_blob(tx, sha256) == 0:
            ctx.blobs.delete(sha256)
