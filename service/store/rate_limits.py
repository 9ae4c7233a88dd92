"""Providers' limits of tokens per minute, as rows."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Select, bindparam, delete, insert, select

from service.domain.catalog import Band
from service.domain.rates import RateLimits
from service.store.session import Transaction
from service.store.tables import rate_limits


def remember(
    tx: Transaction, limit_tokens: int, *, engine: str, model: str, band: Band, at: datetime
) -> None:
    """Keep what a provider told of a band; what it told last holds."""
    tx.execute(
        delete(rate_limits).where(
            rate_limits.c.engine == engine, rate_limits.c.model == model, rate_limits.c.band == band
        )
    )
    row = {"engine": engine, "model": model, "band": band, "limit_tokens": limit_tokens, "seen_at": at}
    tx.execute(insert(rate_limits).values(row))


def known(tx: Transaction, *, engine: str, model: str, since: datetime) -> RateLimits:
    """Return the limits that were told since that moment."""
    at = {"of_engine": engine, "of_model": model, "since": since}
    found = {row.band: row.limit_tokens for row in tx.execute(_known(), at)}
    return RateLimits(short=found.get("short"), long=found.get("long"))


@cache
def _known() -> Select[Any]:
    what = rate_limits.c
    of_model = (what.engine == bindparam("of_engine"), what.model == bindparam("of_model"))
    return select(what.band, what.limit_tokens).where(*of_model, what.seen_at > bindparam("since"))


def forget(tx: Transaction, *, engine: str, model: str) -> None:
    """Forget what a provider told of a model, whichever account and tier it was for."""
    of_engine = rate_limits.c.engine.startswith(f"{engine}/", autoescape=True)
    tx.execute(delete(rate_limits).where(of_engine, rate_limits.c.model == model))
