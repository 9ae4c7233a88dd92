"""What else the same calls may cost: at cheaper service tiers, and question by question."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from decimal import Decimal
from typing import Any

from service.domain import planner, repairs
from service.domain.catalog import Tier
from service.domain.planner import Plan, Terms
from service.domain.pricing import Estimate, rounded_up, usd
from service.domain.tasks import Together
from service.errors import Fix

_NOTES: dict[Tier, str] = {
    "flex": "Slower, and may be refused when busy, which is not charged.",
    "batch": "Within 24 hours: asked with service_tier batch, it waits for a place among other work.",
}
_NO_BATCHES = "Within 24 hours, where there are batches; {} has none, so this is for comparison only."


def alternatives(
    plan: Plan,
    terms: Terms,
    asked: Collection[int],
    *,
    without_tiers: str | None = None,
    without_batches: str | None = None,
) -> list[dict[str, Any]]:
    """Return the same calls at each cheaper tier, as JSON; no plan is made again.

    Args:
        plan: as it was made.
        terms: that it was made on.
        asked: for how many questions prices are named.
        without_tiers: who answers, where that can't be asked for a tier.
        without_batches: the same, where it has no batches.
    """
    told = [
        _alternative(plan, replace(terms, tier=tier), asked, without_tiers)
        for tier in _NOTES
        if tier != terms.tier
    ]
    return [_without_batches(one, without_batches) if without_batches else one for one in told]


def _without_batches(told: dict[str, Any], engine: str) -> dict[str, Any]:
    """Say of a batch that it can't be asked here, where its price is known all the same."""
    if told["service_tier"] != "batch" or told["cost"] is None:
        return told
    return {**told, "feasible": False, "note": _NO_BATCHES.format(engine)}


def _alternative(
    plan: Plan, terms: Terms, asked: Collection[int], without_tiers: str | None
) -> dict[str, Any]:
    because, later = _unknown_because(plan, without_tiers), terms.tier == "batch"
    then = None
    if because is None:
        calls = [replace(call, expected_cached_tokens=0) for call in plan.calls] if later else plan.calls
        then = repairs.priced(planner.price_calls(calls, terms), plan.repair, terms)
    if then is None:
        because = because or f"No price is published for {terms.model.id} at {terms.tier}."
    saves = plan.estimate.expected_usd - then.expected_usd if plan.estimate and then else None
    return {
        "service_tier": terms.tier,
        "feasible": then is not None,
        "cost": then and prices(then, asked, reusable=plan.reusable),
        "saves_usd": None if saves is None else usd(max(saves, Decimal(0))),
        "costs_more_usd": None if saves is None else usd(max(-saves, Decimal(0))),
        "note": because or _note(terms.tier, saves),
    }


def _note(tier: Tier, saves: Decimal | None) -> str:
    if saves is None or saves >= 0:
        return _NOTES[tier]
    return (
        f"It most probably costs {rounded_up(-saves)} more than asking now, when most is read from the "
        f"cache. {_NOTES[tier]}"
    )


def _unknown_because(plan: Plan, without_tiers: str | None) -> str | None:
    if not plan.feasible:
        return "The plan is not feasible."
    return f"{without_tiers} can't be asked for a service tier." if without_tiers else None


def prices(estimate: Estimate, asked: Collection[int], *, reusable: bool = True) -> dict[str, Any]:
    """Return every figure of an estimate, exact; what is not reusable is paid cold by every question."""
    cold = estimate.cold_usd
    return {
        "min_usd": usd(estimate.min_usd),
        "expected_usd": usd(estimate.expected_usd),
        "max_usd": usd(estimate.max_usd),
        "cold_usd": usd(estimate.cold_usd),
        "warm_usd": usd(estimate.warm_usd),
        "for_questions": [
            {"n": n, "usd": usd(estimate.for_questions(n) if reusable else n * cold)} for n in asked
        ],
    }


def one_by_one_usd(plan: Plan, together: Together | None) -> str | None:
    """What the questions of a list cost one after another; None where it is one, or the price is unknown."""
    total = together.one_by_one(plan) if together and plan.feasible and plan.reusable else None
    return None if total is None else usd(total)


def may_be_cut(together: Together) -> tuple[str, tuple[Fix, ...]]:
    """Return what is said where an answer to all questions may not fit, and the ways out."""
    usual, reserved = together.usual_output, together.together.reserved_output_tokens
    most = together.together.model.max_output_tokens
    said = (
        f"{len(together.tokens):,} answers usually take {usual:,} tokens of output, more than the "
        f"{reserved:,} of max_completion_tokens: the last ones may be cut off."
    )
    fewer = together.questions_that_fit
    fixes = [Fix("ask_fewer", f"Ask at most {fewer:,} of them together.", (("questions", fewer),))]
    if reserved < most:
        room = min(usual, most)
        more = Fix(
            "raise_max_completion_tokens",
            f"Reserve {room:,} tokens of output.",
            (("max_completion_tokens", room),),
        )
        fixes.insert(0, more)
    return said, tuple(fixes)
