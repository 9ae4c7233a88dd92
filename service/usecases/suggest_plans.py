"""Name the plans of a question that fit the money, where the one that was taken does not."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from service.domain import pricing
from service.domain.questions import Question
from service.errors import Fix, UnabridgedError
from service.usecases.context import Context
from service.usecases.preview_question import Offer, preview_question

MOST = 3


def cheaper_plans(
    ctx: Context, tenant: str, corpus_id: str, question: Question, most_usd: Decimal
) -> tuple[Fix, ...]:
    """Return the feasible plans whose ceiling fits, binding as any, those that read the most first.

    Whatever strategy was asked for, all that apply are looked at.
    """
    wanted = replace(question, strategies=())
    try:
        offers = preview_question(ctx, tenant, corpus_id, wanted).offers
    except UnabridgedError:  # what was refused for its price stays refused for its price
        return ()
    fitting = [offer for offer in offers if _fits(offer, most_usd)]
    fitting.sort(key=lambda offer: (-offer.description["coverage"]["tokens_share"], _max_usd(offer)))
    return tuple(_use(offer) for offer in fitting[:MOST])


def _fits(offer: Offer, most_usd: Decimal) -> bool:
    return offer.plan.feasible and offer.plan.estimate is not None and _max_usd(offer) <= most_usd


def _max_usd(offer: Offer) -> Decimal:
    return offer.plan.estimate.max_usd if offer.plan.estimate else Decimal(0)


def _use(offer: Offer) -> Fix:
    plan, usd = offer.plan, pricing.usd(_max_usd(offer))
    name = plan.strategy if plan.budget_tokens is None else f"{plan.strategy} {plan.budget_tokens:,}"
    share = offer.description["coverage"]["tokens_share"]
    said = f"Ask by the plan {name}: it reads {share:.0%} of the tokens for at most ${usd}."
    values = (
        ("plan_id", offer.id),
        ("strategy", plan.strategy),
        ("budget_tokens", plan.budget_tokens),
        ("max_usd", usd),
        ("tokens_share", share),
    )
    return Fix("use_plan", said, values)
