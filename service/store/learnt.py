"""What replies taught of an engine and a model, in one look: every question is planned with it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial
from typing import Any, Final

from sqlalchemy import (
    ScalarSelect,
    Select,
    String,
    bindparam,
    cast,
    func,
    literal_column,
    or_,
    select,
)

from service.domain.rates import RateLimits
from service.store.session import Transaction
from service.store.spelled import Spelled, at_most
from service.store.tables import observations, rate_limits

_COUNTED: Final = ("answer", "part")
"""Kinds of calls whose whole input is known before; the others read what a model is still to write."""


@dataclass(frozen=True, slots=True)
class Learnt:
    """Of the last calls of an engine and model, in no order.

    Attributes:
        differences: by how much the provider counted more than the plan's own count, of calls with texts
            alone: pictures are a range, and what a merge reads is written by the model.
        completions: how long answers (and parts of them) of that effort were in tokens.
        limits: tokens per minute, as far as they were told since.
    """

    differences: list[int]
    completions: list[int]
    limits: RateLimits


def of_model(
    tx: Transaction,
    *,
    engine: str,
    model: str,
    effort: str,
    latest: int,
    limited_as: str,
    since: datetime,
) -> Learnt:
    """Return what was learnt by now, by whichever process.

    Args:
        tx: the caller's.
        engine: that answered.
        model: which one.
        effort: of the answers whose length is looked at.
        latest: so many calls are looked at.
        limited_as: the engine as its limits know it.
        since: limits that were told before are not taken for granted.
    """
    at = {"of_engine": engine, "of_model": model, "of_effort": effort, "limited_as": limited_as}
    (found,) = _look_at(latest).raw(tx, {**at, "since": since})
    differences, completions, short, long = found
    return Learnt(_numbers(differences), _numbers(completions), RateLimits(short=short, long=long))


def _numbers(joined: str | None) -> list[int]:
    return [int(one) for one in joined.split(",")] if joined else []


@lru_cache(maxsize=8)
def _look_at(latest: int) -> Spelled:
    return Spelled(partial(_look, latest))


def _look(latest: int) -> Select[Any]:
    what = observations.c
    of_model = (
        select()
        .where(what.engine == bindparam("of_engine"), what.model == bindparam("of_model"))
        .order_by(what.at.desc())
        .limit(at_most(latest))
    )
    texts_alone = of_model.where(or_(*(what.kind == kind for kind in _COUNTED)), what.pictures == 0)
    of_effort = of_model.where(what.effort == bindparam("of_effort"), what.kind != "repair")
    return select(
        _joined(texts_alone.add_columns((what.prompt_tokens - what.counted_prompt_tokens).label("n"))),
        _joined(of_effort.add_columns(what.completion_tokens.label("n"))),
        _limit("short"),
        _limit("long"),
    )


def _joined(numbers: Select[Any]) -> ScalarSelect[Any]:
    """Return them as one text: rows are dearer than what is in them."""
    number = cast(numbers.subquery().c.n, String)
    comma: Any = literal_column("','")
    return select(func.aggregate_strings(number, comma)).scalar_subquery()


def _limit(band: str) -> ScalarSelect[Any]:
    what = rate_limits.c
    named = (what.engine == bindparam("limited_as"), what.model == bindparam("of_model"), what.band == band)
    return select(what.limit_tokens).where(*named, what.seen_at > bindparam("since")).scalar_subquery()
