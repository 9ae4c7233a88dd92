"""Ask an answer's very pages again: the same question once more, another one, or another model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from service.domain.answers import Answer
from service.domain.questions import Question, check_together, cited, numbered
from service.errors import Fix, Invalid, NotFound, OverThreshold
from service.store import answers, plans
from service.usecases.ask_question import Request, ask_question
from service.usecases.context import Context
from service.usecases.plan_again import plan_same_pages
from service.usecases.preview_question import Offer, stored_plan
from service.usecases.running import Begin

CHANGEABLE = frozenset(
    {
        "question",
        "questions",
        "model",
        "service_tier",
        "reasoning_effort",
        "verbosity",
        "max_completion_tokens",
        "temperature",
        "top_p",
        "system_prompt",
        "response_format",
        "citations",
        "repair",
    }
)
"""What of a question can be another than it was: nothing of what is read."""


def plan_replay(ctx: Context, tenant: str, answer_id: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plan of a question over the very pages of an answer, binding as any.

    Args:
        ctx: what it works in.
        tenant: whose it is.
        answer_id: the answer whose pages are read again.
        changes: of its question, by name (`CHANGEABLE`); what is not named stays.

    Raises:
        NotFound, PlanChanged, Invalid: see `plan_same_pages`.
    """
    before = _found(ctx, tenant, answer_id)
    return _offered(ctx, before, _changed(before, changes)).description


def replay_answer(
    ctx: Context,
    tenant: str,
    answer_id: str,
    changes: Mapping[str, Any],
    request: Request,
    begin: Begin | None = None,
) -> Answer:
    """Accept such a question as a new answer.

    Args:
        ctx: what it works in.
        tenant: whose it is.
        answer_id: the answer whose pages are read again.
        changes: as in `plan_replay`.
        request: what may be spent, and by whom; its plan is made here.
        begin: as for `ask_question`.

    Raises:
        NotFound, PlanChanged, Invalid: see `plan_same_pages`.
        OverThreshold: it passes the threshold, which the answer did not, and nobody accepted that.
        OverWindow, OverMaxCost, BudgetExceeded, KeyNeeded: see `ask_question`.
    """
    before = _found(ctx, tenant, answer_id)
    question = _changed(before, changes)
    known = _known(ctx, before, request.idempotency_key, question)
    if known is not None:
        return known
    offer = _offered(ctx, before, question)
    was_long = any(call["price_band"] == "long" for call in before.plan["calls"])
    if offer.plan.crosses_threshold and not (request.allow_long_context or was_long):
        extra = offer.description["threshold"]["extra_usd"]
        raise OverThreshold(
            f"{offer.plan.largest_call:,} input tokens pass the threshold, which the answer's did not. "
            "Accept the long-context price, or ask a shorter question.",
            fixes=(Fix("allow_long_context", values=(("extra_usd", extra),)),),
        )
    asked = replace(request, question=None, plan_id=offer.id)
    try:
        return ask_question(ctx, tenant, before.corpus_id, asked, begin)
    except Invalid:
        known = _known(ctx, before, request.idempotency_key, question)
        if known is None:
            raise
        return known  # the same request came twice at once


def _known(ctx: Context, before: Answer, key: str | None, question: Question) -> Answer | None:
    """Return the answer that this request made already under its key."""
    if not key:
        return None
    with ctx.db.read() as tx:
        known = answers.get_by_key(tx, before.tenant, key)
    if known is None:
        return None
    if known[0].replay_of == before.id and Question.from_dict(known[0].request) == question:
        return known[0]
    raise Invalid("This Idempotency-Key was used for another request. Take a new key.")


def _found(ctx: Context, tenant: str, answer_id: str) -> Answer:
    with ctx.db.read() as tx:
        found = answers.get(tx, tenant, answer_id)
    if found is None:
        raise NotFound(f"There is no answer {answer_id}.")
    return found


def _changed(before: Answer, changes: Mapping[str, Any]) -> Question:
    """Return the answer's question with the changes; what was said before it comes with the plan.

    Raises:
        Invalid: it can't be changed so.
    """
    unknown = sorted(changes.keys() - CHANGEABLE)
    if unknown:
        raise Invalid(f"A replay reads what the answer read: {', '.join(unknown)} can't be another.")
    question = replace(Question.from_dict(before.request), conversation_id=None)
    told = {name: value for name, value in changes.items() if name not in {"question", "questions"}}
    question = replace(_asking(question, changes), **told)
    return cited(question, citations=question.citations)


def _asking(question: Question, changes: Mapping[str, Any]) -> Question:
    text, several = changes.get("question"), changes.get("questions")
    if text is not None and several is not None:
        raise Invalid("Say what to ask once: either one question, or a list.")
    if several is not None:
        check_together(several)
        return replace(question, text=numbered(several), questions=tuple(several))
    if text is None:
        return question
    if not text.strip():
        raise Invalid("The question is empty: say it, or leave it out to ask the same again.")
    return replace(question, text=text, questions=())


def _offered(ctx: Context, before: Answer, question: Question) -> Offer:
    with ctx.db.write() as tx:
        preview = plan_same_pages(tx, ctx, before.tenant, before.id, question)
        (offer,) = preview.offers
        plans.add(tx, [stored_plan(offer, before.tenant, before.corpus_id, question, preview.frame)])
    return offer
