"""Providers' limits of tokens per minute, as rows."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete

from service.domain.catalog import Band
from service.store.session import Transaction
from service.store.spelled import Spelled, put
from service.store.tables import rate_limits


def remember(
    tx: Transaction, limit_tokens: int, *, engine: str, model: str, band: Band, at: datetime
) -> None:
    """Keep what a provider told of a band; what it told last holds."""
    row = {"engine": engine, "model": model, "band": band, "limit_tokens": limit_tokens, "seen_at": at}
    _TOLD.on(tx, row)


_TOLD = Spelled(lambda: put(rate_limits))


def forget(tx: Transaction, *, engine: str, model: str) -> None:
    """Forget what a provider told of a model, whichever account and tier it was for."""
    of_engine = rate_limits.c.engine.startswith(f"{engine}/", autoescape=True)
    tx.execute(delete(rate_limits).where(of_engine, rate_limits.c.model == model))
