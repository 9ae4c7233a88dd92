"""What calls were expected to be and what they were, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any

from sqlalchemy import Integer, Select, bindparam, insert, or_, select

from service.store.session import Transaction
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


_COUNTED = ("answer", "part")
"""Kinds of calls whose whole input is known before; the others read what a model is still to write."""


def add(tx: Transaction, observation: Observation) -> None:
    """Record one; a call has one at most."""
    tx.execute(insert(observations), asdict(observation))


def of_answer(tx: Transaction, call_ids: Sequence[str]) -> list[Observation]:
    """Return what was observed of these calls."""
    query = select(observations).where(observations.c.call_id.in_(call_ids)).order_by(observations.c.call_id)
    return [Observation(**row._mapping) for row in tx.execute(query)]  # noqa: SLF001 - its public name


def differences(tx: Transaction, *, engine: str, model: str, latest: int) -> list[int]:
    """Return by how much the provider counted more than the plan's own count, latest first.

    Of calls with texts alone: pictures are a range, and what a merge reads is written by the model.
    """
    at = {"of_engine": engine, "of_model": model, "latest": latest}
    return list(tx.execute(_differences(), at).scalars())


@cache
def _differences() -> Select[Any]:
    what = observations.c
    of_model = (what.engine == bindparam("of_engine"), what.model == bindparam("of_model"))
    return (
        select(what.prompt_tokens - what.counted_prompt_tokens)
        .where(*of_model, or_(*(what.kind == kind for kind in _COUNTED)), what.pictures == 0)
        .order_by(what.at.desc())
        .limit(bindparam("latest", type_=Integer))
    )


def completions(tx: Transaction, *, engine: str, model: str, effort: str, latest: int) -> list[int]:
    """Return how long the last answers (and parts of them) were in tokens, latest first."""
    at = {"of_engine": engine, "of_model": model, "of_effort": effort, "latest": latest}
    return list(tx.execute(_completions(), at).scalars())


@cache
def _completions() -> Select[Any]:
    what = observations.c
    of_model = (what.engine == bindparam("of_engine"), what.model == bindparam("of_model"))
    return (
        select(what.completion_tokens)
        .where(*of_model, what.effort == bindparam("of_effort"), what.kind != "repair")
        .order_by(what.at.desc())
        .limit(bindparam("latest", type_=Integer))
    )


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
