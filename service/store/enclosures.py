"""Which documents lie in which others, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, insert, select

from service.domain.documents import Document
from service.domain.enclosures import Link
from service.store import documents as rows
from service.store.session import Transaction
from service.store.tables import documents, enclosures


@dataclass(frozen=True, slots=True)
class EnclosedFile:
    """A file inside a document.

    Attributes:
        ordinal: 0-based, among all that the document encloses; unreadable ones leave gaps.
        name: its path inside.
    """

    ordinal: int
    name: str
    document: Document


def put(tx: Transaction, parent_id: str, places: Sequence[tuple[int, str, str]]) -> None:
    """Record files at their places inside a document; what an earlier reading recorded there gives way.

    Args:
        tx: the caller's transaction.
        parent_id: what they lie in.
        places: of each its ordinal, the document that it is and its name.
    """
    here = (enclosures.c.parent_id == parent_id) & (enclosures.c.ordinal.in_([place[0] for place in places]))
    tx.execute(delete(enclosures).where(here))
    tx.execute(
        insert(enclosures),
        [
            {"parent_id": parent_id, "ordinal": ordinal, "document_id": document_id, "name": name}
            for ordinal, document_id, name in places
        ],
    )


def cut(tx: Transaction, parent_id: str, *, first: int) -> None:
    """Forget the places from this ordinal on; the documents stay."""
    tx.execute(delete(enclosures).where(enclosures.c.parent_id == parent_id, enclosures.c.ordinal >= first))


def files_of(tx: Transaction, parent_id: str, *, after: int, limit: int) -> list[EnclosedFile]:
    """Return what lies directly in a document, in order."""
    query = (
        select(enclosures.c.ordinal, enclosures.c.name, enclosures.c.document_id)
        .where(enclosures.c.parent_id == parent_id, enclosures.c.ordinal > after)
        .order_by(enclosures.c.ordinal)
        .limit(limit)
    )
    places = tx.execute(query).all()
    known = {one.id: one for one in rows.get_many(tx, [place.document_id for place in places])}
    return [EnclosedFile(place.ordinal, place.name, known[place.document_id]) for place in places]


def links_below(tx: Transaction, document_id: str) -> list[Link]:
    """Return all links to documents inside this one at any depth, those of one parent in their order.

    Links from parents that lie elsewhere are among them.
    """
    below = (
        select(enclosures.c.document_id)
        .where(enclosures.c.parent_id == document_id)
        .cte("below", recursive=True)
    )
    below = below.union(
        select(enclosures.c.document_id).join(below, enclosures.c.parent_id == below.c.document_id)
    )
    query = (
        select(
            enclosures.c.parent_id,
            enclosures.c.document_id,
            documents.c.filename,
            documents.c.sha256,
            documents.c.uploaded,
        )
        .join(documents, documents.c.id == enclosures.c.document_id)
        .where(enclosures.c.document_id.in_(select(below.c.document_id)))
        .order_by(enclosures.c.parent_id, enclosures.c.ordinal)
    )
    return [Link(*row) for row in tx.execute(query)]


def size_of_root(tx: Transaction, root_id: str) -> tuple[int, int]:
    """Return how many documents came in an upload, over all levels, and their bytes."""
    query = select(func.count(), func.coalesce(func.sum(documents.c.bytes), 0))
    files, size = tx.execute(query.where(documents.c.root_id == root_id)).one()
    return int(files), int(size)
