"""Bind an offered plan to what was known of the provider's count and limits when it was made.

What other answers taught since moves no plan, unless its ceiling would no longer be one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from service.domain.observations import Counting
from service.domain.planner import Terms
from service.domain.rates import RateLimits
from service.store.plans import StoredPlan


def described(terms: Terms) -> dict[str, Any]:
    """Return what a plan's counts rest on, as plans tell it."""
    known = terms.counting
    return {
        "correction_tokens": terms.counts.correction,
        "more_tokens": known.more,
        "doubt_tokens": known.doubt,
        "observed_calls": known.observed,
        "tokens_per_minute": {"short": terms.limits.short, "long": terms.limits.long},
    }


def as_offered(learnt: Terms, offered: StoredPlan | None) -> Terms:
    """Return the terms as the offered plan was made on; plans of earlier versions do not tell them."""
    told = offered.plan.get("counting") if offered else None
    if told is None:
        return learnt
    return replace(
        learnt,
        counts=replace(learnt.counts, correction=told["correction_tokens"]),
        counting=_counting(told),
        limits=RateLimits(**told["tokens_per_minute"]),
    )


def passes_ceiling(learnt: Terms, offered: StoredPlan) -> bool:
    """Whether the provider may count more than the offered ceiling holds, by what is known now."""
    told = offered.plan.get("counting")
    if told is None:
        return False
    then = told["correction_tokens"] + told["more_tokens"]
    return learnt.counts.correction + learnt.counting.more > int(then)


def _counting(told: Mapping[str, Any]) -> Counting:
    return Counting(
        correction=told["correction_tokens"],
        more=told["more_tokens"],
        doubt=told["doubt_tokens"],
        observed=told["observed_calls"],
    )
