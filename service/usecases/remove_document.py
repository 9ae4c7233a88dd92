"""Delete a document and what came only with it: rows, memberships, and files that nobody else has."""

from __future__ import annotations

from collections.abc import Sequence

from service.domain.enclosures import in_order, only_inside
from service.errors import NotFound
from service.store import documents, enclosures, shown_images
from service.store.session import Transaction
from service.usecases.context import Context

AT_ONCE = 100
"""Files deleted in one transaction: nobody else writes meanwhile."""


def remove_document(ctx: Context, tenant: str, document_id: str) -> None:
    """Delete it for good, with the files that came only inside it; answers that cite them keep their quotes.

    Raises:
        NotFound: there is no such document.
    """
    with ctx.db.write() as tx:
        document = documents.get(tx, tenant, document_id)
        if document is None:
            raise NotFound(f"There is no document {document_id}.")
        inside = remove_enclosed_in(tx, document_id)
        documents.remove(tx, document_id)
    forget_files(ctx, [document.sha256, *inside])


def remove_enclosed_in(tx: Transaction, document_id: str, *, first: int = 0) -> list[str]:
    """Forget, within the caller's transaction, what lies in a document from this place on.

    Documents that came only there are removed.

    Returns:
        The hashes of their files, for `forget_files` once the transaction is over.
    """
    before = enclosures.links_below(tx, document_id)
    enclosures.cut(tx, document_id, first=first)
    left = {link.document_id for link in in_order(document_id, enclosures.links_below(tx, document_id))}
    gone = [link for link in only_inside(document_id, before) if link.document_id not in left]
    for link in gone:
        documents.remove(tx, link.document_id)
    return [link.sha256 for link in gone]


def forget_files(ctx: Context, sha256s: Sequence[str]) -> None:
    """Delete stored files unless a document, or a picture that a question shows, has their bytes.

    In writing transactions of their own: an upload of the same bytes comes wholly before it or wholly after,
    and a removal that is rolled back has not lost its file.
    """
    for start in range(0, len(sha256s), AT_ONCE):
        with ctx.db.write() as tx:
            for sha256 in sha256s[start : start + AT_ONCE]:
                if documents.uses_of_blob(tx, sha256) == 0 and not shown_images.is_kept(tx, sha256):
                    ctx.blobs.delete(sha256)
