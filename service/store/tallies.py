"""Counts and sums over all that is kept, for who watches the service; nobody's names are in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import starmap

from sqlalchemy import func, select

from service.domain.answers import CallState
from service.domain.documents import DocumentStatus
from service.store.session import Transaction
from service.store.tables import answers, calls, documents, ledger, observations


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the settled calls of a model read and wrote, as their provider told."""

    model: str
    prompt: int
    cached: int
    completion: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """What was expected of one settled call, and what came."""

    expected_usd: Decimal | None
    actual_usd: Decimal | None
    forecast_cached_tokens: int
    cached_tokens: int | None


def answers_by_status(tx: Transaction) -> dict[str, int]:
    """Return how many answers there are in each state."""
    return dict(starmap(_pair, tx.execute(select(answers.c.status, func.count()).group_by(answers.c.status))))


def tokens(tx: Transaction) -> list[Tokens]:
    """Return the tokens of observed calls by model."""
    query = select(
        observations.c.model,
        func.sum(observations.c.prompt_tokens),
        func.coalesce(func.sum(observations.c.cached_tokens), 0),
        func.sum(observations.c.completion_tokens),
    ).group_by(observations.c.model)
    return [Tokens(row[0], int(row[1]), int(row[2]), int(row[3])) for row in tx.execute(query)]


def spent_micros(tx: Transaction) -> int:
    """Return what all settled calls cost in the books, in micro-dollars."""
    query = select(func.coalesce(func.sum(ledger.c.micros), 0)).where(ledger.c.kind == "settle")
    return int(tx.execute(query).scalar_one())


def calls_in_doubt(tx: Transaction) -> int:
    """Return how many calls nobody knows the end of."""
    query = select(func.count()).where(calls.c.state == CallState.IN_DOUBT.value)
    return int(tx.execute(query).scalar_one())


def documents_waiting(tx: Transaction) -> int:
    """Return how many documents are still to be read."""
    waiting: Sequence[str] = [DocumentStatus.QUEUED.value, DocumentStatus.PROCESSING.value]
    query = select(func.count()).where(documents.c.status.in_(waiting))
    return int(tx.execute(query).scalar_one())


def forecasts(tx: Transaction) -> list[Forecast]:
    """Return what was expected of every observed call, and what came."""
    query = select(
        observations.c.expected_usd,
        observations.c.actual_usd,
        observations.c.forecast_cached_tokens,
        observations.c.cached_tokens,
    )
    return [Forecast(*row) for row in tx.execute(query)]


def citation_precisions(tx: Transaction) -> list[float]:
    """Return the share of true quotes of every answer that has any."""
    query = select(answers.c.citation_precision).where(answers.c.citation_precision.is_not(None))
    return list(tx.execute(query).scalars())


def _pair(status: str, count: int) -> tuple[str, int]:
    return status, count
