"""What calls were expected to be and what they were, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal

from sqlalchemy import insert, select

from service.store.session import Transaction
from service.store.spelled import Spelled
from service.store.tables import calls, observations


@dataclass(frozen=True, slots=True)
class Observation:
    """One settled call whose usage the provider told.

    Attributes:
        predicted_prompt_tokens: by the plan, as priced.
        counted_prompt_tokens: by the plan's own count, before what was learnt corrected it.
        cached_tokens: None where the provider did not tell.
        expected_usd, actual_usd: exact; None where no price is known.
    """

    call_id: str
    tenant: str
    engine: str
    model: str
    at: datetime
    effort: str
    kind: str
    tier: str
    pictures: int
    predicted_prompt_tokens: int
    counted_prompt_tokens: int
    prompt_tokens: int
    forecast_cached_tokens: int
    cached_tokens: int | None
    expected_completion_tokens: int
    completion_tokens: int
    expected_usd: Decimal | None
    actual_usd: Decimal | None


def add(tx: Transaction, observation: Observation) -> None:
    """Record one; a call has one at most."""
    _ADD.on(tx, {name: getattr(observation, name) for name in _FIELDS})


_FIELDS = tuple(one.name for one in fields(Observation))
_ADD = Spelled(lambda: insert(observations).inline())


def of_answer(tx: Transaction, call_ids: Sequence[str]) -> list[Observation]:
    """Return what was observed of these calls."""
    query = select(observations).where(observations.c.call_id.in_(call_ids)).order_by(observations.c.call_id)
    return [Observation(**row._mapping) for row in tx.execute(query)]  # noqa: SLF001 - its public name


def reasonings(tx: Transaction, *, engine: str, model: str, effort: str, latest: int) -> list[int]:
    """Return how many tokens of the last answers were reasoning, latest first."""
    query = (
        select(calls.c.usage)
        .join(observations, observations.c.call_id == calls.c.id)
        .where(
            observations.c.engine == engine,
            observations.c.model == model,
            observations.c.effort == effort,
            observations.c.kind != "repair",
        )
        .order_by(observations.c.at.desc())
        .limit(latest)
    )
    return [usage.get("reasoning_tokens", 0) for usage in tx.execute(query).scalars() if usage]
