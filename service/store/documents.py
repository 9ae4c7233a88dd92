"""Documents and their pages, as rows."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, bindparam, case, delete, func, insert, or_, select, true, tuple_, update

from service.domain.documents import (
    Document,
    DocumentStatus,
    DocumentWarning,
    Failure,
    Heading,
    Margin,
    PageCount,
    PageText,
    Progress,
    Troubles,
)
from service.store.session import Transaction
from service.store.tables import documents, enclosures, page_texts, pages

_PAGES_AT_ONCE = 1000


def add(tx: Transaction, *new: Document) -> None:
    """Record new documents."""
    tx.execute(
        insert(documents),
        [
            {
                "id": document.id,
                "tenant": document.tenant,
                "sha256": document.sha256,
                "filename": document.filename,
                "media_type": document.media_type,
                "bytes": document.bytes,
                "status": document.status.value,
                "progress_done": 0,
                "progress_total": 0,
                "progress_unit": document.progress.unit,
                "pages": 0,
                "pages_tokens": 0,
                "chars": 0,
                "pages_without_text": 0,
                "pack_sha256": "",
                "encoding": "",
                "uploaded": document.uploaded,
                "depth": document.depth,
                "root_id": document.root_id,
                "warnings": [],
                "created_at": document.created_at,
            }
            for document in new
        ],
    )


def get(tx: Transaction, tenant: str, document_id: str) -> Document | None:
    """Return one document of a tenant."""
    row = tx.execute(_rows().where(documents.c.id == document_id, documents.c.tenant == tenant)).one_or_none()
    return None if row is None else _document(row)


def get_any(tx: Transaction, document_id: str) -> Document | None:
    """Return one document, whoever's it is: for the jobs."""
    row = tx.execute(_rows().where(documents.c.id == document_id)).one_or_none()
    return None if row is None else _document(row)


def get_many(tx: Transaction, document_ids: Sequence[str]) -> list[Document]:
    """Return those of these documents that there are, in no order."""
    if not document_ids:
        return []
    return [_document(row) for row in tx.execute(_rows().where(documents.c.id.in_(document_ids)))]


def get_by_hash(tx: Transaction, tenant: str, sha256: str) -> Document | None:
    """Return the tenant's document with these bytes."""
    return get_by_hashes(tx, tenant, [sha256]).get(sha256)


def get_by_hashes(tx: Transaction, tenant: str, sha256s: Sequence[str]) -> dict[str, Document]:
    """Return those of the tenant's documents that have one of these hashes, by it."""
    query = _rows().where(documents.c.sha256.in_(sha256s), documents.c.tenant == tenant)
    return {row.sha256: _document(row) for row in tx.execute(query)}


def page_through(tx: Transaction, tenant: str, *, after: str | None, limit: int) -> list[Document]:
    """Return documents in the order of their ids (that is, of their upload)."""
    query = _rows().where(documents.c.tenant == tenant).order_by(documents.c.id).limit(limit)
    if after:
        query = query.where(documents.c.id > after)
    return [_document(row) for row in tx.execute(query)]


def uploads_through(
    tx: Transaction, tenant: str, *, after: str | None, limit: int, newest_first: bool
) -> list[Document]:
    """Return documents that were uploaded by themselves, in the order of their ids or against it."""
    order = documents.c.id.desc() if newest_first else documents.c.id
    query = _rows().where(documents.c.tenant == tenant, documents.c.uploaded).order_by(order).limit(limit)
    if after:
        query = query.where(documents.c.id < after if newest_first else documents.c.id > after)
    return [_document(row) for row in tx.execute(query)]


def latest(tx: Transaction, *, limit: int) -> list[Document]:
    """Return the documents that came last, whosever they are: for whoever runs the installation."""
    return [_document(row) for row in tx.execute(_rows().order_by(documents.c.id.desc()).limit(limit))]


def start(tx: Transaction, document_id: str) -> bool:
    """Begin (or begin again) the reading; return False where the document is gone or already ready."""
    begun = tx.execute(
        update(documents)
        .where(documents.c.id == document_id, documents.c.status != DocumentStatus.READY.value)
        .values(status=DocumentStatus.PROCESSING.value, progress_done=0, error=None)
    )
    if begun.rowcount == 0:
        return False
    _drop_pages(tx, document_id)
    return True


def identify(tx: Transaction, document_id: str, *, media_type: str, progress: Progress) -> None:
    """Record what the file turned out to be."""
    tx.execute(
        update(documents)
        .where(documents.c.id == document_id)
        .values(media_type=media_type, progress_total=progress.total, progress_unit=progress.unit)
    )


def add_pages(
    tx: Transaction, document_id: str, batch: Sequence[tuple[PageCount, str]], *, after: int | None = None
) -> bool:
    """Store a batch of pages, each with its text, and move the progress on.

    Args:
        tx: the caller's.
        document_id: which document.
        batch: its next pages.
        after: how many pages this reading has stored before; another number means that another one has begun.

    Returns:
        False where the document is gone, or somebody else reads it: this reading is to end.
    """
    moved = tx.execute(
        update(documents)
        .where(documents.c.id == document_id)
        .where(true() if after is None else documents.c.progress_done == after)
        .values(progress_done=documents.c.progress_done + len(batch))
    )
    if moved.rowcount == 0 or not batch:
        return moved.rowcount == 1
    tx.execute(insert(pages), [_page_row(document_id, page) for page, _ in batch])
    tx.execute(
        insert(page_texts),
        [{"document_id": document_id, "number": page.number, "text": text} for page, text in batch],
    )
    return True


def count_files(tx: Transaction, document_id: str, done: int) -> None:
    """Move the progress of an archive to so many of its files; a total that fell short goes along."""
    total = case((documents.c.progress_total < done, done), else_=documents.c.progress_total)
    moved = update(documents).where(documents.c.id == document_id)
    tx.execute(moved.values(progress_done=done, progress_total=total))


def finish(
    tx: Transaction,
    document_id: str,
    *,
    pack_sha256: str,
    encoding: str,
    title: str | None,
    warnings: Sequence[DocumentWarning],
    at: datetime,
    sketch: Sequence[int] = (),
    outline: Sequence[Heading] = (),
) -> None:
    """Make a document ready: its totals are those of its stored pages.

    Call `is_complete` in the same transaction first, where another reading may have begun.
    """
    without_text, blank = (pages.c.flags.contains(flag) for flag in ("no_text", "blank"))
    totals = tx.execute(
        select(
            func.count(),
            _sum(pages.c.tokens),
            _sum(pages.c.chars),
            _sum(case((without_text, 1), else_=0)),
            _sum(case((pages.c.width.is_not(None), 1), else_=0)),
            _sum(case((blank, 1), else_=0)),
            _sum(case((blank, pages.c.tokens), else_=0)),
            _sum(case((blank | (pages.c.repeated_tokens < 0), 0), else_=pages.c.repeated_tokens)),
        ).where(pages.c.document_id == document_id)
    ).one()
    tx.execute(
        update(documents)
        .where(documents.c.id == document_id)
        .values(
            status=DocumentStatus.READY.value,
            error=None,
            pages=totals[0],
            pages_tokens=totals[1],
            chars=totals[2],
            pages_without_text=totals[3],
            pages_pictured=totals[4],
            pages_blank=totals[5],
            blank_tokens=totals[6],
            repeated_tokens=totals[7],
            sketch=array("I", sketch).tobytes(),
            outline=[asdict(heading) for heading in outline],
            progress_total=documents.c.progress_done,
            pack_sha256=pack_sha256,
            encoding=encoding,
            title=title,
            warnings=[asdict(warning) for warning in warnings],
            ready_at=at,
        )
    )


def is_complete(tx: Transaction, document_id: str, read: int) -> bool:
    """Whether the document is being read and has just the pages that this reading has stored."""
    stored = select(func.count()).where(pages.c.document_id == document_id).scalar_subquery()
    query = select(stored == read).where(
        documents.c.id == document_id, documents.c.status == DocumentStatus.PROCESSING.value
    )
    return bool(tx.execute(query).scalar_one_or_none())


def set_margins(tx: Transaction, document_id: str, margins: Sequence[Margin]) -> None:
    """Record what of each page repeats other pages' headers and footers; such a page is flagged."""
    if not margins:
        return
    repeats = (pages.c.document_id == document_id) & (pages.c.number == bindparam("page"))
    tx.execute(
        update(pages)
        .where(repeats)
        .values(
            head=bindparam("head_chars"),
            foot=bindparam("foot_chars"),
            repeated_tokens=bindparam("less"),
            flags=func.trim(pages.c.flags + " repeated"),
        ),
        [
            {"page": one.page, "head_chars": one.head, "foot_chars": one.foot, "less": one.tokens}
            for one in margins
        ],
    )


def outline_of(tx: Transaction, document_id: str) -> list[Heading]:
    """Return a document's own table of contents."""
    entries = tx.execute(select(documents.c.outline).where(documents.c.id == document_id)).scalar_one()
    return [Heading(**entry) for entry in entries or ()]


def sketches_of(tx: Transaction, document_ids: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Return the samples of documents' texts, to compare them by."""
    query = select(documents.c.id, documents.c.sketch).where(documents.c.id.in_(document_ids))
    return {name: tuple(array("I", sketch or b"")) for name, sketch in tx.execute(query)}


def fail(tx: Transaction, document_id: str, failure: Failure) -> bool:
    """Record why a document could not be read; none of its pages stay. One that is ready stays so.

    Returns:
        Whether it failed: False where it is ready or gone.
    """
    failed = tx.execute(
        update(documents)
        .where(documents.c.id == document_id, documents.c.status != DocumentStatus.READY.value)
        .values(status=DocumentStatus.FAILED.value, progress_done=0, error=asdict(failure))
    )
    if failed.rowcount == 1:
        _drop_pages(tx, document_id)
    return failed.rowcount == 1


def requeue(tx: Transaction, document_id: str) -> None:
    """Put a failed document back to the start of its life."""
    tx.execute(
        update(documents)
        .where(documents.c.id == document_id)
        .values(status=DocumentStatus.QUEUED.value, error=None, progress_done=0, progress_total=0)
    )


def place(tx: Transaction, document_id: str, *, uploaded: bool, depth: int, root_id: str | None) -> None:
    """Record another way in which a document came."""
    tx.execute(
        update(documents)
        .where(documents.c.id == document_id)
        .values(uploaded=uploaded, depth=depth, root_id=root_id)
    )


def remove(tx: Transaction, document_id: str) -> None:
    """Forget a document with its pages and memberships."""
    tx.execute(delete(documents).where(documents.c.id == document_id))


def uses_of_blob(tx: Transaction, sha256: str) -> int:
    """Return how many documents (of any tenant) have these bytes."""
    return tx.execute(
        select(func.count()).select_from(documents).where(documents.c.sha256 == sha256)
    ).scalar_one()


def page_counts(tx: Transaction, document_id: str) -> list[PageCount]:
    """Return a document's pages without their texts, in order."""
    query = select(pages).where(pages.c.document_id == document_id).order_by(pages.c.number)
    return [_page_count(row) for row in tx.execute(query)]


def blank_pages(tx: Transaction, document_ids: Sequence[str]) -> dict[str, list[PageCount]]:
    """Return the pages with nothing on them, by document and in order."""
    query = (
        select(pages)
        .where(pages.c.document_id.in_(document_ids), pages.c.flags.contains("blank"))
        .order_by(pages.c.document_id, pages.c.number)
    )
    found: dict[str, list[PageCount]] = {}
    for row in tx.execute(query):
        found.setdefault(row.document_id, []).append(_page_count(row))
    return found


def pictured_pages(tx: Transaction, document_ids: Sequence[str]) -> dict[str, tuple[str, list[PageCount]]]:
    """Return the hash of each document's bytes, and its pages that say little and can be seen, in order."""
    query = (
        select(pages, documents.c.sha256)
        .join(documents, documents.c.id == pages.c.document_id)
        .where(pages.c.document_id.in_(document_ids), pages.c.width.is_not(None))
        .where(or_(*(pages.c.flags.contains(flag) for flag in ("no_text", "scan", "ocr"))))
        .order_by(pages.c.document_id, pages.c.number)
    )
    found: dict[str, tuple[str, list[PageCount]]] = {}
    for row in tx.execute(query):
        found.setdefault(row.document_id, (row.sha256, []))[1].append(_page_count(row))
    return found


def sizes_without_text(tx: Transaction, document_ids: Sequence[str]) -> list[tuple[int, int, int]]:
    """Return the sizes of pages without text that can be seen, blank ones aside, each with their number."""
    query = (
        select(pages.c.width, pages.c.height, func.count())
        .where(pages.c.document_id.in_(document_ids), pages.c.width.is_not(None))
        .where(pages.c.flags.contains("no_text"), ~pages.c.flags.contains("blank"))
        .group_by(pages.c.width, pages.c.height)
    )
    return [(width, height, count) for width, height, count in tx.execute(query)]


def troubles_of(tx: Transaction, document_ids: Sequence[str]) -> dict[str, Troubles]:
    """Return how many pages of documents repeat margins or can't be read, and what those count."""
    blank = pages.c.flags.contains("blank")
    without_text = pages.c.flags.contains("no_text") & ~blank
    garbled = pages.c.flags.contains("garbled") & ~blank
    query = (
        select(
            pages.c.document_id,
            _sum(case((~blank & (pages.c.repeated_tokens > 0), 1), else_=0)),
            _sum(case((without_text, 1), else_=0)),
            _sum(case((without_text, pages.c.tokens), else_=0)),
            _sum(case((garbled, 1), else_=0)),
            _sum(case((garbled, pages.c.tokens), else_=0)),
        )
        .where(pages.c.document_id.in_(document_ids))
        .group_by(pages.c.document_id)
    )
    return {document_id: Troubles(*counts) for document_id, *counts in tx.execute(query)}


def page_texts_of(
    tx: Transaction, document_id: str, *, first: int = 1, last: int | None = None
) -> Iterator[PageText]:
    """Yield a document's pages with their texts, in order."""
    query = (
        select(pages, page_texts.c.text)
        .join(
            page_texts,
            (page_texts.c.document_id == pages.c.document_id) & (page_texts.c.number == pages.c.number),
        )
        .where(pages.c.document_id == document_id, pages.c.number >= first)
        .order_by(pages.c.number)
    )
    if last is not None:
        query = query.where(pages.c.number <= last)
    for row in tx.execute(query):
        yield PageText(text=row.text, **_measures(row))


def counts_of_pages(tx: Transaction, wanted: Sequence[tuple[str, int]]) -> dict[tuple[str, int], PageCount]:
    """Return those of these pages (document, number) that there are, without their texts."""
    found: dict[tuple[str, int], PageCount] = {}
    for at in range(0, len(wanted), _PAGES_AT_ONCE):
        some = wanted[at : at + _PAGES_AT_ONCE]
        query = select(pages).where(tuple_(pages.c.document_id, pages.c.number).in_(some))
        found.update({(row.document_id, row.number): _page_count(row) for row in tx.execute(query)})
    return found


def _drop_pages(tx: Transaction, document_id: str) -> None:
    tx.execute(delete(page_texts).where(page_texts.c.document_id == document_id))
    tx.execute(delete(pages).where(pages.c.document_id == document_id))


def _page_row(document_id: str, page: PageCount) -> dict[str, Any]:
    return {"document_id": document_id, **asdict(page), "flags": " ".join(page.flags)}


def _page_count(row: Row[Any]) -> PageCount:
    return PageCount(chars=row.chars, **_measures(row))


def _measures(row: Row[Any]) -> dict[str, Any]:
    """What a page has with and without its text."""
    return {
        "number": row.number,
        "tokens": row.tokens,
        "label": row.label,
        "flags": tuple(row.flags.split()),
        "head": row.head,
        "foot": row.foot,
        "repeated_tokens": row.repeated_tokens,
        "width": row.width,
        "height": row.height,
    }


def _sum(values: Any) -> Any:  # noqa: ANN401 - expressions of SQLAlchemy
    return func.coalesce(func.sum(values), 0)


def _rows() -> Select[Any]:
    """Select documents, each with the number of the files in it and what it lies in."""
    files = select(func.count()).where(enclosures.c.parent_id == documents.c.id).scalar_subquery()
    parents = (
        select(func.aggregate_strings(enclosures.c.parent_id, " "))
        .where(enclosures.c.document_id == documents.c.id)
        .scalar_subquery()
    )
    return select(documents, files.label("files"), parents.label("parents"))


def _document(row: Row[Any]) -> Document:
    return Document(
        id=row.id,
        tenant=row.tenant,
        sha256=row.sha256,
        filename=row.filename,
        media_type=row.media_type,
        bytes=row.bytes,
        status=DocumentStatus(row.status),
        progress=Progress(row.progress_done, row.progress_total, row.progress_unit),
        created_at=row.created_at,
        pages=row.pages,
        pages_tokens=row.pages_tokens,
        chars=row.chars,
        pages_without_text=row.pages_without_text,
        title=row.title,
        pack_sha256=row.pack_sha256,
        warnings=tuple(DocumentWarning(**warning) for warning in row.warnings),
        error=Failure(**row.error) if row.error else None,
        ready_at=row.ready_at,
        uploaded=row.uploaded,
        depth=row.depth,
        root_id=row.root_id,
        parent_ids=tuple(sorted(set((row.parents or "").split()))),
        files=row.files,
    )
