"""Packs that a provider may still hold in its prefix cache, as rows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import delete, insert, or_, select

from service.domain.caching import NO_TALK, Chain, Named, Sent
from service.store.session import Transaction
from service.store.tables import prefixes

MOST = 32
"""So many packs of one beginning or one corpus are compared, the latest of them."""


def remember(
    tx: Transaction,
    sent: Sent,
    documents: Sequence[Named],
    *,
    tenant: str,
    engine: str,
    model: str,
    oldest: datetime,
) -> None:
    """Keep a pack that was sent, and forget those that are older than `oldest`."""
    tx.execute(
        delete(prefixes).where(
            or_(
                prefixes.c.used_at < oldest,
                (prefixes.c.tenant == tenant)
                & (prefixes.c.engine == engine)
                & (prefixes.c.model == model)
                & (prefixes.c.prefix_sha256 == sent.prefix_sha256),
            )
        )
    )
    tx.execute(
        insert(prefixes).values(
            tenant=tenant,
            engine=engine,
            model=model,
            prefix_sha256=sent.prefix_sha256,
            head=sent.chain.head,
            corpus_id=sent.corpus_id,
            lead=sent.lead,
            used_at=sent.used_at,
            chain=sent.chain.boundaries,
            documents=[list(document) for document in documents],
            talk=None if sent.talk == NO_TALK else sent.talk.boundaries,
            strategy=sent.strategy,
        )
    )


def resembling(
    tx: Transaction, *, tenant: str, engine: str, model: str, corpus_id: str, heads: Collection[str]
) -> list[Sent]:
    """Return packs of a corpus, and those that begin as one of these heads, latest first.

    Where there are many, those that begin so: packs of ranked pages, each for its question, are no news.
    """
    what = prefixes.c
    query = (
        select(
            what.prefix_sha256, what.corpus_id, what.used_at, what.lead, what.chain, what.talk, what.strategy
        )
        .where(
            prefixes.c.tenant == tenant,
            prefixes.c.engine == engine,
            prefixes.c.model == model,
            or_(prefixes.c.corpus_id == corpus_id, prefixes.c.head.in_(heads)),
        )
        .order_by(prefixes.c.head.in_(heads).desc(), prefixes.c.used_at.desc())
        .limit(MOST)
    )
    found = [
        Sent(
            prefix_sha256=row.prefix_sha256,
            corpus_id=row.corpus_id,
            used_at=row.used_at,
            lead=row.lead,
            chain=Chain(row.chain),
            talk=Chain(row.talk) if row.talk else NO_TALK,
            strategy=row.strategy,
        )
        for row in tx.execute(query)
    ]
    return sorted(found, key=lambda one: one.used_at, reverse=True)


def documents_of(tx: Transaction, prefix_sha256: str, *, tenant: str, engine: str, model: str) -> list[Named]:
    """Return the documents of a pack, in packed order; none of one that is not kept."""
    query = select(prefixes.c.documents).where(
        prefixes.c.tenant == tenant,
        prefixes.c.engine == engine,
        prefixes.c.model == model,
        prefixes.c.prefix_sha256 == prefix_sha256,
    )
    return [(document_id, name) for document_id, name in tx.execute(query).scalar_one_or_none() or ()]
