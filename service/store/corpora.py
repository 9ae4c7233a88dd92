"""Corpora and their members, as rows."""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import ColumnElement, Select, bindparam, delete, func, insert, select, update

from service.domain.corpora import Corpus, Member
from service.store.rosters import Rosters
from service.store.session import Transaction
from service.store.spelled import Spelled
from service.store.tables import answers, corpora, documents, members, plans

_ROSTERS = Rosters()


def add(tx: Transaction, corpus: Corpus) -> None:
    """Record a new, empty corpus."""
    tx.execute(
        insert(corpora).values(
            id=corpus.id,
            tenant=corpus.tenant,
            name=corpus.name,
            next_ordinal=1,
            created_at=corpus.created_at,
        )
    )


def get(tx: Transaction, tenant: str, corpus_id: str) -> Corpus | None:
    """Return one corpus of a tenant."""
    found = _ONE_OF.found(tx, {"corpus_id": corpus_id, "of_tenant": tenant})
    return _corpus(found[0]) if found else None


def exists(tx: Transaction, corpus_id: str) -> bool:
    """Whether there is such a corpus, whoever's it is: for the jobs."""
    return tx.execute(select(corpora.c.id).where(corpora.c.id == corpus_id)).one_or_none() is not None


def is_of(tx: Transaction, tenant: str, corpus_id: str) -> bool:
    """Whether a tenant has that corpus."""
    return bool(_IS_OF.raw(tx, {"corpus_id": corpus_id, "of_tenant": tenant}))


def all_ids(tx: Transaction) -> set[str]:
    """Return the ids of all corpora, whosever they are."""
    return set(tx.execute(select(corpora.c.id)).scalars())


def get_by_name(tx: Transaction, tenant: str, name: str) -> Corpus | None:
    """Return the oldest corpus of that name."""
    query = _with_sizes().where(corpora.c.name == name, corpora.c.tenant == tenant)
    row = tx.execute(query.order_by(corpora.c.id).limit(1)).one_or_none()
    return None if row is None else _corpus(row)


def names_of(tx: Transaction, tenant: str) -> dict[str, str]:
    """Return the name of every corpus by its id."""
    rows = tx.execute(select(corpora.c.id, corpora.c.name).where(corpora.c.tenant == tenant))
    return {row.id: row.name for row in rows}


def page_through(tx: Transaction, tenant: str, *, after: str | None, limit: int) -> list[Corpus]:
    """Return corpora in the order in which they were made."""
    query = _with_sizes().where(corpora.c.tenant == tenant).order_by(corpora.c.id).limit(limit)
    if after:
        query = query.where(corpora.c.id > after)
    return [_corpus(row) for row in tx.execute(query)]


def rename(tx: Transaction, corpus_id: str, name: str) -> None:
    """Give a corpus another name."""
    tx.execute(update(corpora).where(corpora.c.id == corpus_id).values(name=name))


def remove(tx: Transaction, corpus_id: str) -> None:
    """Forget a corpus; its documents stay, and so do the plans that answers were made from."""
    answered = select(answers.c.plan_id).where(answers.c.corpus_id == corpus_id)
    tx.execute(delete(plans).where(plans.c.corpus_id == corpus_id, plans.c.id.not_in(answered)))
    tx.execute(delete(corpora).where(corpora.c.id == corpus_id))


def has_member(tx: Transaction, corpus_id: str, document_id: str) -> bool:
    """Whether the document is in the corpus."""
    query = select(members.c.ordinal).where(
        members.c.corpus_id == corpus_id, members.c.document_id == document_id
    )
    return tx.execute(query).one_or_none() is not None


def next_ordinal(tx: Transaction, corpus_id: str) -> int:
    """Take the corpus's next ordinal; none is ever given twice."""
    following: int = tx.execute(
        update(corpora)
        .where(corpora.c.id == corpus_id)
        .values(next_ordinal=corpora.c.next_ordinal + 1)
        .returning(corpora.c.next_ordinal)
    ).scalar_one()
    return following - 1


def append(tx: Transaction, corpus_id: str, document_id: str, *, ordinal: int, wrapper_tokens: int) -> None:
    """Put a document at the end of a corpus."""
    tx.execute(
        insert(members).values(
            corpus_id=corpus_id,
            document_id=document_id,
            ordinal=ordinal,
            wrapper_tokens=wrapper_tokens,
        )
    )


def take_out(tx: Transaction, corpus_id: str, document_id: str) -> bool:
    """Take a document out of a corpus; return whether it was in it."""
    result = tx.execute(
        delete(members).where(members.c.corpus_id == corpus_id, members.c.document_id == document_id)
    )
    return result.rowcount == 1


def holding(tx: Transaction, document_id: str) -> list[str]:
    """Return the corpora that the document is in, oldest first."""
    query = select(members.c.corpus_id).where(members.c.document_id == document_id)
    return list(tx.execute(query.order_by(members.c.corpus_id)).scalars())


def members_of(tx: Transaction, corpus_id: str) -> list[Member]:
    """Return a corpus's members in order, with their counts and no text."""
    rows = _MEMBERS_OF.raw(tx, {"of_corpus": corpus_id})
    return _ROSTERS.members(corpus_id, rows)


def _members_of() -> Select[Any]:
    return (
        select(
            documents.c.id,
            members.c.ordinal,
            documents.c.filename,
            documents.c.status,
            members.c.wrapper_tokens,
            documents.c.pages_tokens,
            documents.c.pages,
            documents.c.chars,
            documents.c.pages_without_text,
            documents.c.pack_sha256,
            documents.c.uploaded,
            documents.c.pages_pictured,
            documents.c.pages_blank,
            documents.c.blank_tokens,
            documents.c.repeated_tokens,
            documents.c.title,
        )
        .join(documents, documents.c.id == members.c.document_id)
        .where(members.c.corpus_id == bindparam("of_corpus"))
        .order_by(members.c.ordinal)
    )


def _one_of() -> Select[Any]:
    return cast("Select[Any]", _with_sizes().where(*_named()))


def _named() -> tuple[ColumnElement[bool], ...]:
    return corpora.c.id == bindparam("corpus_id"), corpora.c.tenant == bindparam("of_tenant")


_IS_OF = Spelled(lambda: select(corpora.c.id).where(*_named()))
_ONE_OF, _MEMBERS_OF = Spelled(_one_of), Spelled(_members_of)


def _with_sizes() -> Any:  # noqa: ANN401 - a select whose row type says nothing more
    size = (
        select(func.count()).select_from(members).where(members.c.corpus_id == corpora.c.id).scalar_subquery()
    )
    return select(corpora, size.label("size"))


def _corpus(row: Any) -> Corpus:  # noqa: ANN401 - a row of either kind
    return Corpus(id=row.id, tenant=row.tenant, name=row.name, created_at=row.created_at, documents=row.size)
