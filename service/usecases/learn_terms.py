"""What replies teach about the next question: how the provider counts, how long answers are, its limits."""

from __future__ import annotations

from dataclasses import replace

from service.domain.catalog import Tier
from service.domain.observations import LATEST, counting, usual_output
from service.domain.planner import DEFAULT_EFFORT, Terms
from service.domain.questions import Question
from service.domain.rates import KNOWN_FOR
from service.store import learnt
from service.store.session import Transaction
from service.usecases.context import Context


def learn_terms(tx: Transaction, ctx: Context, terms: Terms, question: Question) -> Terms:
    """Return the terms with what was learnt from settled calls of that engine and model."""
    if not ctx.provider.charges:
        return terms
    seen = learnt.of_model(
        tx,
        engine=ctx.provider.name,
        model=terms.model.id,
        effort=effort_of(question),
        latest=LATEST,
        limited_as=limited_as(ctx, terms.tier),
        since=ctx.now() - KNOWN_FOR,
    )
    known = counting(seen.differences)
    return replace(
        terms,
        counts=replace(terms.counts, correction=known.correction),
        counting=known,
        limits=seen.limits,
        expected_output_tokens=min(
            usual_output(seen.completions) or terms.expected_output_tokens, terms.reserved_output_tokens
        ),
    )


def limited_as(ctx: Context, tier: Tier) -> str:
    """Return the engine as its limits know it: they are an account's, and may be a service tier's own."""
    return f"{ctx.provider.name}/{tier}/{ctx.terms.account}"


def effort_of(question: Question) -> str:
    """Return what an answer's length depends on: the effort, and how many questions are asked together."""
    effort = question.reasoning_effort or DEFAULT_EFFORT
    return effort if question.count == 1 else f"{effort} x{question.count}"
