"""Say where a plan rests on what the provider counts: at the threshold, and at its rate limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from service.domain import pricing
from service.domain.catalog import Band
from service.domain.corpora import Member
from service.domain.planner import Plan, PlannedCall, Terms
from service.errors import Fix
from service.usecases.suggest_fixes import warning, ways_below

EXCEEDS_RATE = "request_exceeds_provider_rate"


def within_rate(plan: Plan, terms: Terms) -> Plan:
    """Return the plan, infeasible where one of its calls can never pass the provider's tokens per minute.

    Batches have limits of their own, which no reply tells.
    """
    call = _too_large(plan.calls, terms)
    if call is None or terms.tier == "batch":
        return plan
    limit = terms.limits.of(call.band)
    return Plan(
        strategy=plan.strategy,
        budget_tokens=plan.budget_tokens,
        input_tokens=plan.input_tokens,
        infeasible_code=EXCEEDS_RATE,
        infeasible_because=f"A call of {call.expected_input_tokens:,} input tokens can never pass the "
        f"provider's limit of {limit:,} tokens per minute. Split the question, or leave documents out.",
        fixes=rate_fixes(plan.strategy, terms),
    )


def rate_fixes(strategy: str, terms: Terms) -> tuple[Fix, ...]:
    """Return the ways out of calls that are larger than the provider takes a minute."""
    limit = terms.limits.short
    smaller = (("most_tokens", limit),) if limit else ()
    fixes = [
        Fix(
            "use_strategy",
            "Ask with strategy split: its calls stay below.",
            (("strategy", "split"), *smaller),
        ),
        Fix(
            "raise_provider_limit",
            "Raise the account's rate limit, then have it tried again: DELETE "
            f"/v1/models/{terms.model.id}/limits, or unabridged forget-limits. After a day it is by itself.",
        ),
    ]
    if strategy == "ranked":
        fixes[0] = Fix("lower_budget_tokens", "Ask with a smaller budget_tokens.", smaller)
    return tuple(fixes if strategy != "split" else fixes[1:])


def doubt_warnings(
    plan: Plan, members: Sequence[Member], terms: Terms, priorities: Mapping[str, int]
) -> list[dict[str, Any]]:
    """Return the warning that the provider's count may fall on the other side of the threshold, if it may."""
    at, doubt = terms.model.threshold_tokens, terms.counting.doubt
    call = next((one for one in plan.calls if at is not None and _in_doubt(one, at, doubt)), None)
    if call is None or at is None:
        return []
    short, long = (_price(call, band, terms) for band in ("short", "long"))
    seen = terms.counting.observed
    why = (
        f"its last {seen} replies differ" if seen else f"none of {terms.model.id}'s replies was seen here yet"
    )
    detail = (
        f"{call.input_tokens:,} input tokens lie within {doubt} of the threshold of {at:,}. They are counted "
        f"exactly, but the provider's own count decides, and {why}: the question costs {_said(short)} below "
        f"the threshold and {_said(long)} above it."
    )
    said = warning(
        "threshold_in_doubt", detail, ways_below(members, call.input_tokens + doubt - at, terms, priorities)
    )
    return [
        {
            **said,
            "short_usd": pricing.known_usd(short),
            "long_usd": pricing.known_usd(long),
            "doubt_tokens": doubt,
        }
    ]


def _in_doubt(call: PlannedCall, at: int, doubt: int) -> bool:
    tokens = call.input_tokens
    return (
        call.kind != "merge"
        and not call.kept
        and (tokens <= at < tokens + doubt or tokens - doubt <= at < tokens)
    )


def _price(call: PlannedCall, band: Band, terms: Terms) -> Decimal | None:
    """What a call costs cold in a band, whatever its tokens say."""
    rates = terms.model.rates(terms.tier, band, terms.on)
    if rates is None:
        return None
    output = replace(rates, input=rates.output)
    return pricing.input_usd(call.input_tokens, rates) + pricing.input_usd(
        call.expected_output_tokens, output
    )


def _too_large(calls: Sequence[PlannedCall], terms: Terms) -> PlannedCall | None:
    """The first call that is; a merge reads what is yet to be written."""
    return next(
        (
            call
            for call in calls
            if call.kind != "merge"
            and not call.kept
            and terms.limits.passed_by(call.expected_input_tokens, call.band)
        ),
        None,
    )


def _said(amount: Decimal | None) -> str:
    return "an unknown price" if amount is None else f"${pricing.usd(amount)}"
