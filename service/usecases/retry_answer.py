"""Go on with an answer that failed or was stopped: replies are kept, and only what is missing is paid."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from service.domain.answers import Answer
from service.domain.questions import Question
from service.errors import NotFound
from service.store import answers, plans
from service.usecases.ask_question import Request, ask_question
from service.usecases.context import Context
from service.usecases.plan_again import plan_rest
from service.usecases.preview_question import Offer, stored_plan
from service.usecases.running import Begin


def plan_retry(ctx: Context, tenant: str, answer_id: str) -> dict[str, Any]:
    """Return the plan of what an answer still lacks, binding as any; the calls that are `kept` cost nothing.

    Raises:
        NotFound, Conflict, PlanChanged, ProviderChanged: see `plan_rest`.
    """
    return _offered(ctx, tenant, answer_id).description


def retry_answer(
    ctx: Context, tenant: str, answer_id: str, request: Request, begin: Begin | None = None
) -> Answer:
    """Accept what an answer still lacks as a new answer; where that was done before, return that one.

    Args:
        ctx: what it works in.
        tenant: whose it is.
        answer_id: the answer that is gone on with.
        request: what may be spent, and by whom; its plan is made here.
        begin: as for `ask_question`.

    Raises:
        NotFound, Conflict, PlanChanged, ProviderChanged: see `plan_rest`.
        OverMaxCost, BudgetExceeded, KeyNeeded: see `ask_question`.
    """
    before, after = _found(ctx, tenant, answer_id)
    if after is not None:
        return after
    offer = _offered(ctx, tenant, answer_id)
    # No key is needed: the same retry again is the same answer as it is.
    asked = replace(request, question=None, plan_id=offer.id, idempotency_key=None)
    return ask_question(ctx, tenant, before.corpus_id, asked, begin)


def _found(ctx: Context, tenant: str, answer_id: str) -> tuple[Answer, Answer | None]:
    """Return an answer, and the one that goes on with it already."""
    with ctx.db.read() as tx:
        before = answers.get(tx, tenant, answer_id)
        if before is None:
            raise NotFound(f"There is no answer {answer_id}.")
        return before, answers.get(tx, tenant, before.retried_as or "")


def _offered(ctx: Context, tenant: str, answer_id: str) -> Offer:
    with ctx.db.write() as tx:
        before = answers.get(tx, tenant, answer_id)
        preview = plan_rest(tx, ctx, tenant, answer_id)
        (offer,) = preview.offers
        if before is not None:
            question = Question.from_dict(before.request)
            plans.add(tx, [stored_plan(offer, tenant, before.corpus_id, question, preview.frame)])
    return offer
