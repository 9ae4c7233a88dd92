"""Packs that a provider may still hold in its prefix cache, as rows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Delete, Select, and_, bindparam, delete, insert, or_, select

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
    named = {"tenant": tenant, "engine": engine, "model": model, "prefix_sha256": sent.prefix_sha256}
    tx.execute(_forgotten(), {f"of_{name}": value for name, value in named.items()} | {"oldest": oldest})
    row = {
        "tenant": tenant,
        "engine": engine,
        "model": model,
        "prefix_sha256": sent.prefix_sha256,
        "head": sent.chain.head,
        "corpus_id": sent.corpus_id,
        "lead": sent.lead,
        "used_at": sent.used_at,
        "chain": sent.chain.boundaries,
        "documents": [list(document) for document in documents],
        "talk": None if sent.talk == NO_TALK else sent.talk.boundaries,
        "strategy": sent.strategy,
    }
    tx.execute(insert(prefixes), row)


@cache
def _forgotten() -> Delete:
    named = ("tenant", "engine", "model", "prefix_sha256")
    same = and_(*(prefixes.c[name] == bindparam(f"of_{name}") for name in named))
    return delete(prefixes).where(or_(prefixes.c.used_at < bindparam("oldest"), same))


def resembling(
    tx: Transaction, *, tenant: str, engine: str, model: str, corpus_id: str, heads: Collection[str]
) -> list[Sent]:
    """Return packs of a corpus, and those that begin as one of these heads, latest first.

    Where there are many, those that begin so: packs of ranked pages, each for its question, are no news.
    """
    named = {"of_tenant": tenant, "of_engine": engine, "of_model": model, "of_corpus": corpus_id}
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
        for row in tx.execute(_resembling(), {**named, "heads": list(heads)})
    ]
    return sorted(found, key=lambda one: one.used_at, reverse=True)


@cache
def _resembling() -> Select[Any]:
    what = prefixes.c
    begins_so = what.head.in_(bindparam("heads", expanding=True))
    return (
        select(
            what.prefix_sha256, what.corpus_id, what.used_at, what.lead, what.chain, what.talk, what.strategy
        )
        .where(
            what.tenant == bindparam("of_tenant"),
            what.engine == bindparam("of_engine"),
            what.model == bindparam("of_model"),
            or_(what.corpus_id == bindparam("of_corpus"), begins_so),
        )
        .order_by(begins_so.desc(), what.used_at.desc())
        .limit(MOST)
    )


def documents_of(tx: Transaction, prefix_sha256: str, *, tenant: str, engine: str, model: str) -> list[Named]:
    """Return the documents of a pack, in packed order; none of one that is not kept."""
    query = select(prefixes.c.documents).where(
        prefixes.c.tenant == tenant,
        prefixes.c.engine == engine,
        prefixes.c.model == model,
        prefixes.c.prefix_sha256 == prefix_sha256,
    )
    return [(document_id, name) for document_id, name in tx.execute(query).scalar_one_or_none() or ()]
