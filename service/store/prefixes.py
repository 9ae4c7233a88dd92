"""Packs that a provider may still hold in its prefix cache, as rows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache, partial
from typing import Any, Final
from weakref import WeakKeyDictionary

from sqlalchemy import (
    Engine,
    Select,
    bindparam,
    delete,
    or_,
    select,
)

from service.domain.caching import NO_TALK, Chain, Named, Sent
from service.store.session import Transaction
from service.store.spelled import Spelled, at_most, put
from service.store.tables import prefixes

MOST = 32
"""So many packs of one beginning or one corpus are compared, the latest of them."""

SWEEP: Final = timedelta(minutes=1)
"""By so much longer than they have to, packs may be kept: looking for old ones takes as long as the rest."""


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
    """Keep a pack that was sent, and once in a while (`SWEEP`) forget those that are older than `oldest`."""
    _sweep(tx, oldest)
    named = {"tenant": tenant, "engine": engine, "model": model, "prefix_sha256": sent.prefix_sha256}
    row = {
        "head": sent.chain.head,
        "corpus_id": sent.corpus_id,
        "lead": sent.lead,
        "used_at": sent.used_at,
        "chain": sent.chain.boundaries,
        "documents": [list(document) for document in documents],
        "talk": None if sent.talk == NO_TALK else sent.talk.boundaries,
        "strategy": sent.strategy,
    }
    _SENT.on(tx, named | row)


def _sweep(tx: Transaction, oldest: datetime) -> None:
    swept = _SWEPT.get(tx.engine)
    if swept is None or not swept <= oldest < swept + SWEEP:
        tx.execute(delete(prefixes).where(prefixes.c.used_at < oldest))
        _SWEPT[tx.engine] = oldest


_SENT = Spelled(lambda: put(prefixes))
_SWEPT: WeakKeyDictionary[Engine, datetime] = WeakKeyDictionary()
"""Up to when packs were forgotten last, by this process."""


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
        for row in _sent(tx, list(heads), named)
    ]
    return sorted(found, key=lambda one: one.used_at, reverse=True)


def _sent(tx: Transaction, heads: Sequence[str], named: Mapping[str, Any]) -> Iterable[Any]:
    """Most plans have one head: a list of any length is spelled out anew for each look."""
    if len(heads) == 1:
        return _LOOK.found(tx, {**named, "head": heads[0]})
    return tx.execute(_resembling(alone=False), {**named, "heads": heads})


@cache
def _resembling(*, alone: bool) -> Select[Any]:
    what = prefixes.c
    begins_so = what.head == bindparam("head") if alone else what.head.in_(bindparam("heads", expanding=True))
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
        .limit(at_most(MOST))
    )


_LOOK = Spelled(partial(_resembling, alone=True))


def documents_of(tx: Transaction, prefix_sha256: str, *, tenant: str, engine: str, model: str) -> list[Named]:
    """Return the documents of a pack, in packed order; none of one that is not kept."""
    query = select(prefixes.c.documents).where(
        prefixes.c.tenant == tenant,
        prefixes.c.engine == engine,
        prefixes.c.model == model,
        prefixes.c.prefix_sha256 == prefix_sha256,
    )
    return [(document_id, name) for document_id, name in tx.execute(query).scalar_one_or_none() or ()]
