"""Corpora: make, name, fill and empty them, and read the meter that says how full the window is."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ingest import count_tokens
from service.domain import packing
from service.domain.corpora import Corpus, Member
from service.domain.documents import Document
from service.domain.enclosures import in_order, only_inside
from service.errors import Invalid, NotFound
from service.store import corpora, documents, enclosures
from service.store.session import Transaction
from service.usecases.context import Context, new_id

MAX_NAME = 200


@dataclass(frozen=True, slots=True)
class PlacedDocument:
    """A document in a corpus.

    Attributes:
        ordinal: its place, 1-based; none is given twice, so it stays one where the document is taken out.
    """

    ordinal: int
    document: Document


def create(ctx: Context, tenant: str, *, name: str, document_ids: Sequence[str] = ()) -> Corpus:
    """Make a corpus, with these documents in this order.

    Raises:
        Invalid: the name is empty or too long.
        NotFound: a document does not exist; nothing is made then.
    """
    corpus = Corpus(id=new_id("cor"), tenant=tenant, name=_checked(name), created_at=ctx.now())
    with ctx.db.write() as tx:
        corpora.add(tx, corpus)
        for document_id in document_ids:
            append_in(tx, corpus.id, _document(tx, tenant, document_id))
        return _corpus(tx, tenant, corpus.id)


def get(ctx: Context, tenant: str, corpus_id: str) -> Corpus:
    """Return a corpus.

    Raises:
        NotFound: there is none.
    """
    with ctx.db.read() as tx:
        return _corpus(tx, tenant, corpus_id)


def find_or_create(ctx: Context, tenant: str, name: str) -> Corpus:
    """Return the corpus of that name, new where there is none."""
    corpus = Corpus(id=new_id("cor"), tenant=tenant, name=_checked(name), created_at=ctx.now())
    with ctx.db.write() as tx:
        known = corpora.get_by_name(tx, tenant, corpus.name)
        if known is None:
            corpora.add(tx, corpus)
    return known or corpus


def find(ctx: Context, tenant: str, name: str) -> Corpus:
    """Return the corpus of that name or id.

    Raises:
        NotFound: there is none; the message names those there are.
    """
    with ctx.db.read() as tx:
        corpus = corpora.get(tx, tenant, name) or corpora.get_by_name(tx, tenant, name)
        if corpus is None:
            known = ", ".join(one.name for one in corpora.page_through(tx, tenant, after=None, limit=10))
            raise NotFound(
                f"There is no corpus “{name}”. " + (f"There are: {known}." if known else "None yet.")
            )
        return corpus


def list_corpora(ctx: Context, tenant: str, *, after: str | None, limit: int) -> list[Corpus]:
    """Return corpora, oldest first."""
    with ctx.db.read() as tx:
        return corpora.page_through(tx, tenant, after=after, limit=limit)


def list_documents(
    ctx: Context, tenant: str, corpus_id: str, *, after: int, limit: int
) -> list[PlacedDocument]:
    """Return at most so many of a corpus's documents behind an ordinal, in packed order."""
    with ctx.db.read() as tx:
        _corpus(tx, tenant, corpus_id)
        places = [one for one in corpora.members_of(tx, corpus_id) if one.ordinal > after][:limit]
        known = {one.id: one for one in documents.get_many(tx, [place.document_id for place in places])}
    return [PlacedDocument(place.ordinal, known[place.document_id]) for place in places]


def members(ctx: Context, tenant: str, corpus_id: str) -> list[Member]:
    """Return a corpus's members in order, with their counts."""
    with ctx.db.read() as tx:
        _corpus(tx, tenant, corpus_id)
        return corpora.members_of(tx, corpus_id)


def rename(ctx: Context, tenant: str, corpus_id: str, name: str) -> Corpus:
    """Give a corpus another name."""
    with ctx.db.write() as tx:
        _corpus(tx, tenant, corpus_id)
        corpora.rename(tx, corpus_id, _checked(name))
        return _corpus(tx, tenant, corpus_id)


def remove(ctx: Context, tenant: str, corpus_id: str) -> None:
    """Forget a corpus; its documents and its answers stay."""
    with ctx.db.write() as tx:
        _corpus(tx, tenant, corpus_id)
        corpora.remove(tx, corpus_id)
    ctx.index.forget(corpus_id)


def append(ctx: Context, tenant: str, corpus_id: str, document_id: str) -> Corpus:
    """Put a document and all files inside it at the end of a corpus; what is in stays in its place."""
    with ctx.db.write() as tx:
        _corpus(tx, tenant, corpus_id)
        append_in(tx, corpus_id, _document(tx, tenant, document_id))
        return _corpus(tx, tenant, corpus_id)


def take_out(ctx: Context, tenant: str, corpus_id: str, document_id: str) -> None:
    """Take a document out of a corpus, and with it the files that are in the corpus only through it.

    Raises:
        NotFound: it is not in it.
    """
    with ctx.db.write() as tx:
        _corpus(tx, tenant, corpus_id)
        if not corpora.take_out(tx, corpus_id, document_id):
            raise NotFound(f"Document {document_id} is not in corpus {corpus_id}.")
        links = enclosures.links_below(tx, document_id)
        others = {member.document_id for member in corpora.members_of(tx, corpus_id)} if links else set()
        for link in only_inside(document_id, links, among=others):
            corpora.take_out(tx, corpus_id, link.document_id)


def hold_exactly(
    ctx: Context, tenant: str, corpus_id: str, document_ids: Sequence[str], *, but: Collection[str] = ()
) -> None:
    """Have a corpus hold these documents and all files inside them `but` these, and nothing else.

    Those that are new to it are appended in their order.

    Raises:
        NotFound: there is no such corpus, or a document does not exist.
    """
    with ctx.db.write() as tx:
        _corpus(tx, tenant, corpus_id)
        wanted = set(document_ids)
        for document_id in document_ids:
            document = _document(tx, tenant, document_id)
            append_in(tx, corpus_id, document)
            links = enclosures.links_below(tx, document_id) if document.files else []
            wanted.update(link.document_id for link in in_order(document_id, links))
        for member in corpora.members_of(tx, corpus_id):
            if member.document_id not in wanted - set(but):
                corpora.take_out(tx, corpus_id, member.document_id)


def append_in(tx: Transaction, corpus_id: str, document: Document) -> None:
    """Append within the caller's transaction, and right after it all files inside it, at any depth."""
    _append_one(tx, corpus_id, document.id, document.filename)
    links = enclosures.links_below(tx, document.id) if document.files else []
    for link in in_order(document.id, links):
        _append_one(tx, corpus_id, link.document_id, link.filename)


def _append_one(tx: Transaction, corpus_id: str, document_id: str, filename: str) -> None:
    """Append where it is not in yet; the document's tags are counted now, once and for all."""
    if corpora.has_member(tx, corpus_id, document_id):
        return
    ordinal = corpora.next_ordinal(tx, corpus_id)
    tokens = count_tokens(packing.wrapper(ordinal, filename))
    corpora.append(tx, corpus_id, document_id, ordinal=ordinal, wrapper_tokens=tokens)


def _corpus(tx: Transaction, tenant: str, corpus_id: str) -> Corpus:
    corpus = corpora.get(tx, tenant, corpus_id)
    if corpus is None:
        raise NotFound(f"There is no corpus {corpus_id}.")
    return corpus


def _document(tx: Transaction, tenant: str, document_id: str) -> Document:
    document = documents.get(tx, tenant, document_id)
    if document is None:
        raise NotFound(f"There is no document {document_id}.")
    return document


def _checked(name: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > MAX_NAME:
        raise Invalid(f"A corpus's name has 1 to {MAX_NAME} characters.")
    return name
