"""Accept a question: the plan still holds, the money is there, and both are fixed before anything is sent.

One transaction plans, checks, reserves the ceiling of every call and records the answer. What runs it comes
afterwards (`run_answer`) and needs nothing but the answer's id.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from service.domain import planner, pricing
from service.domain.answers import Answer, AnswerStatus
from service.domain.conversations import title_of
from service.domain.kept import KeptObject
from service.domain.planner import Plan
from service.domain.questions import Question, cited
from service.domain.ranked import INDEX_BUILDING
from service.errors import (
    Conflict,
    Fix,
    IndexNotReady,
    Invalid,
    NotFound,
    OverMaxCost,
    OverThreshold,
    OverWindow,
    PlanChanged,
    PlanExpired,
    RequestExceedsProviderRate,
    UnabridgedError,
)
from service.store import answers, conversations, documents, plans
from service.store.plans import StoredPlan
from service.store.session import Transaction
from service.usecases.bind_terms import passes_ceiling
from service.usecases.context import Context, new_id
from service.usecases.describe_plan import Frame
from service.usecases.describe_ranked import WHILE_RANKING
from service.usecases.hold_ceilings import hold_ceilings, ready_calls
from service.usecases.index_pages import make_searchable
from service.usecases.judge_doubt import EXCEEDS_RATE
from service.usecases.keep_replies import gone_on_with
from service.usecases.plan_again import REPLAY, RETRY, is_again, plan_again
from service.usecases.preview_question import Offer, Preview, preview_in, stored_plan
from service.usecases.recall_conversation import ways_out
from service.usecases.running import Begin
from service.usecases.suggest_fixes import ways_below
from service.usecases.suggest_plans import cheaper_plans


@dataclass(frozen=True, slots=True)
class Request:
    """What a caller may say beside the question.

    Attributes:
        plan_id: a plan that was offered; then the question and its parameters are the plan's.
        allow_long_context: accept the price above the threshold.
        max_cost_usd: refuse where the ceiling is above.
        citations: check quotes or don't, whatever the plan's question said of it.
        idempotency_key: the same key never pays twice.
        key_id: the key it is asked with; its budget is held too.
    """

    question: Question | None = None
    plan_id: str | None = None
    allow_long_context: bool = False
    max_cost_usd: Decimal | None = None
    citations: bool | None = None
    idempotency_key: str | None = None
    key_id: str | None = None


class _TooDear(OverMaxCost):
    """The ceiling is above the caller's limit, and another plan of the question may fit."""

    def __init__(self, detail: str, question: Question, *, fixes: tuple[Fix, ...]) -> None:
        super().__init__(detail, fixes=fixes)
        self.question = question


def ask_question(
    ctx: Context, tenant: str, corpus_id: str, request: Request, begin: Begin | None = None
) -> Answer:
    """Accept a question and reserve its ceiling; the answer is queued, or taken up in the same transaction.

    Args:
        ctx: what it works in.
        tenant: who asks.
        corpus_id: what is asked.
        request: the question, or a plan of it, and what it may cost.
        begin: takes it up.

    Raises:
        NotFound: no such corpus, plan, model or conversation.
        PlanChanged, PlanExpired: the offered plan does not hold any more.
        OverThreshold: a call passes the threshold, and neither the request nor the chosen plan accepts that.
        OverWindow: no plan fits the model's window.
        OverMaxCost, BudgetExceeded: the ceiling does not fit the money, or nobody knows it.
        IndexNotReady: the pages are still being indexed, and a plan of the best of them would be taken.
        KeyNeeded: the key was revoked meanwhile.
        DocumentNotReady, DocumentFailed, Invalid: see `preview_question`.
    """
    if request.plan_id is None and request.question is not None:
        make_searchable(ctx, tenant, corpus_id, request.question)
    try:
        return _accepted(ctx, tenant, corpus_id, request, begin)
    except _TooDear as refused:
        most = request.max_cost_usd or Decimal(0)
        cheaper = cheaper_plans(ctx, tenant, corpus_id, refused.question, most)
        raise OverMaxCost(refused.detail, fixes=(*cheaper, *refused.fixes)) from refused


def _accepted(ctx: Context, tenant: str, corpus_id: str, request: Request, begin: Begin | None) -> Answer:
    with ctx.db.write() as tx:
        known = known_answer(tx, tenant, corpus_id, request)
        if known is not None and not known.may_be_asked_anew:
            return known
        if known is not None:
            answers.free_key(tx, known.id)
        stored = _stored_plan(tx, ctx, tenant, corpus_id, request)
        if (retried := gone_on_with(tx, tenant, stored)) is not None:
            return retried
        prepared = _prepare(tx, ctx, tenant, corpus_id, request, stored)
        if prepared.question.service_tier == "batch":
            raise Invalid("A batch takes a day: ask for it through answers or batches of the corpus.")
        return record(tx, ctx, tenant, corpus_id, request, prepared, begin=begin)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A question that may be asked, and the plan to carry out."""

    question: Question
    offer: Offer
    stored: StoredPlan | None
    frame: Frame


def known_answer(tx: Transaction, tenant: str, corpus_id: str, request: Request) -> Answer | None:
    """Return the answer that the request's key stands for already.

    Raises:
        Invalid: the key was used for another request.
    """
    if not request.idempotency_key:
        return None
    known = answers.get_by_key(tx, tenant, request.idempotency_key)
    return None if known is None else _same(known, corpus_id, request)


def prepare(tx: Transaction, ctx: Context, tenant: str, corpus_id: str, request: Request) -> Prepared:
    """Choose the plan and check it and its price; nothing is written.

    Raises:
        UnabridgedError: as `ask_question`, but for budgets.
    """
    stored = _stored_plan(tx, ctx, tenant, corpus_id, request)
    return _prepare(tx, ctx, tenant, corpus_id, request, stored)


def _prepare(
    tx: Transaction,
    ctx: Context,
    tenant: str,
    corpus_id: str,
    request: Request,
    stored: StoredPlan | None,
) -> Prepared:
    question = _question(request, stored)
    preview = _preview(tx, ctx, tenant, corpus_id, question=question, stored=stored)
    offer = _chosen(preview, question, stored)
    _check_price(offer, request, preview.frame, chosen=stored is not None)
    if ctx.provider.charges:
        _check_ceiling(offer.plan, request, question, again=stored is not None and is_again(stored))
    return Prepared(question, offer, stored, preview.frame)


def record(
    tx: Transaction,
    ctx: Context,
    tenant: str,
    corpus_id: str,
    request: Request,
    prepared: Prepared,
    *,
    batch: tuple[str, int] | None = None,
    begin: Begin | None = None,
) -> Answer:
    """Record an answer with its calls, and reserve the ceiling of each.

    In a batch it has a place there, from 1 on. Where it is taken up at once, that is recorded with it.

    Raises:
        BudgetExceeded, KeyNeeded: see `ask_question`.
    """
    question, stored, frame = prepared.question, prepared.stored, prepared.frame
    offer = replace(prepared.offer, description=KeptObject(prepared.offer.description))
    said = request.question.said() if request.question else None
    answer = _answer(ctx, tenant, corpus_id, question, offer=offer, plan_id=stored.id if stored else None)
    if batch is not None:
        answer = replace(answer, batch_id=batch[0], batch_number=batch[1])
    calls = ready_calls(ctx, answer, offer.plan, frame.terms)
    begun = begin(tx, answer, calls) if begin is not None else None
    answers.add(
        tx,
        begun.answer if begun else answer,
        request_sha256=_fingerprint(corpus_id, request, said),
        idempotency_key=request.idempotency_key,
        seat=begun.seat if begun else None,
    )
    if answer.retry_of is not None and not answers.take_for_retry(tx, answer.retry_of, answer.id):
        raise Conflict("It is being retried just now. Retry it in a moment, and you are given that answer.")
    if stored is None:
        plans.add(tx, [stored_plan(offer, tenant, corpus_id, question, frame)])
    if answer.conversation_id is not None:
        conversations.use(tx, answer.conversation_id, title=title_of(question.text), at=ctx.now())
    to_pay = begun.calls if begun else calls
    hold_ceilings(tx, ctx, answer, to_pay, plan=offer.plan, terms=frame.terms, key_id=request.key_id)
    if begun is not None:
        answers.add_events(tx, answer.id, [begun.opening])
    return answer


def get_answer(ctx: Context, tenant: str, answer_id: str) -> Answer:
    """Return an answer.

    Raises:
        NotFound: there is none.
    """
    with ctx.db.read() as tx:
        return found_answer(tx, tenant, answer_id)


def found_answer(tx: Transaction, tenant: str, answer_id: str) -> Answer:
    """Return the same within the caller's transaction."""
    answer = answers.get(tx, tenant, answer_id)
    if answer is None:
        raise NotFound(f"There is no answer {answer_id}.")
    return _told_what_is_gone(tx, [answer])[0]


def list_answers(
    ctx: Context,
    tenant: str,
    *,
    corpus_id: str | None,
    after: str | None,
    limit: int,
    newest_first: bool = False,
) -> list[Answer]:
    """Return answers, oldest first unless it is said otherwise."""
    with ctx.db.read() as tx:
        found = answers.page_through(
            tx, tenant, corpus_id=corpus_id, after=after, limit=limit, newest_first=newest_first
        )
        return _told_what_is_gone(tx, found)


def _told_what_is_gone(tx: Transaction, found: Sequence[Answer]) -> list[Answer]:
    """Return the answers, each citation saying whether its document was removed since."""
    cited = {str(citation["document_id"]) for answer in found for citation in answer.citations}
    gone = {document_id for document_id in cited if documents.get_any(tx, document_id) is None}
    return [
        replace(
            answer,
            citations=tuple(
                {**citation, "source_gone": citation["document_id"] in gone} for citation in answer.citations
            ),
        )
        for answer in found
    ]


def _fingerprint(corpus_id: str, request: Request, question: dict[str, Any] | None) -> str:
    """Of what was said: what nobody said is no part of it, so a newer version knows the request again."""
    said = {
        "corpus": corpus_id,
        "plan": request.plan_id,
        "question": question,
        "long": request.allow_long_context,
        "max": str(request.max_cost_usd),
        **({} if request.citations is None else {"citations": request.citations}),
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _same(known: tuple[Answer, str], corpus_id: str, request: Request) -> Answer:
    answer, made_by = known
    question = request.question
    forms = [question.said(), *question.earlier_forms()] if question else [None]
    if made_by not in {_fingerprint(corpus_id, request, form) for form in forms}:
        raise Invalid("This Idempotency-Key was used for another request. Take a new key.")
    return answer


def _stored_plan(
    tx: Transaction, ctx: Context, tenant: str, corpus_id: str, request: Request
) -> StoredPlan | None:
    if request.plan_id is None:
        return None
    stored = plans.get(tx, tenant, request.plan_id)
    if stored is None or stored.corpus_id != corpus_id:
        raise NotFound(f"There is no plan {request.plan_id} for this corpus.")
    if ctx.now() >= stored.expires_at:
        raise PlanExpired(
            f"The plan was binding until {stored.expires_at.isoformat()}. Ask for a new one.",
            fixes=(Fix("plan_again"),),
        )
    return stored


def _question(request: Request, stored: StoredPlan | None) -> Question:
    if stored is not None:
        asked = Question.from_dict(stored.request)
        return asked if request.citations is None else cited(asked, citations=request.citations)
    if request.question is None or not request.question.text.strip():
        raise Invalid("Say what to ask: `question`, or the `plan_id` of a plan.")
    return request.question


def _preview(
    tx: Transaction,
    ctx: Context,
    tenant: str,
    corpus_id: str,
    *,
    question: Question,
    stored: StoredPlan | None,
) -> Preview:
    if stored is None:
        preview = preview_in(tx, ctx, tenant, corpus_id, question, to_ask=True)
        # Where there is none to take, all of them say why.
        return preview if preview.recommended else preview_in(tx, ctx, tenant, corpus_id, question)
    try:
        if is_again(stored):
            return plan_again(tx, ctx, tenant, question, stored)
        return preview_in(tx, ctx, tenant, corpus_id, question, offered=stored)
    except (NotFound, Invalid) as error:
        raise PlanChanged(
            f"What the plan was made for is gone. {error.detail}", fixes=(Fix("plan_again"),)
        ) from error


def _chosen(preview: Preview, question: Question, stored: StoredPlan | None) -> Offer:
    """Return the offer to carry out: the stored plan's twin, or the recommended one."""
    if stored is not None:
        return _still_holds(preview, stored)
    if preview.recommended is not None and not preview.premature:
        return preview.recommended
    reasons = " ".join(offer.plan.infeasible_because or "" for offer in preview.offers)
    codes = {offer.plan.infeasible_code: offer.plan for offer in preview.offers}
    if EXCEEDS_RATE in codes:
        raise RequestExceedsProviderRate(reasons, fixes=codes[EXCEEDS_RATE].fixes)
    if INDEX_BUILDING in codes:
        raise IndexNotReady(codes[INDEX_BUILDING].infeasible_because or "", fixes=codes[INDEX_BUILDING].fixes)
    if "over_window" in codes:
        terms = preview.frame.terms
        tokens = codes["over_window"].input_tokens
        shorter = ways_out(preview.frame.recalled, tokens, terms, limit=planner.max_input(terms))
        raise OverWindow(reasons, fixes=(*_ways_into_the_window(preview, question), *shorter))
    raise Invalid(reasons, fixes=_ways_of(preview))


def _ways_of(preview: Preview) -> tuple[Fix, ...]:
    """Those of all plans, each once."""
    return tuple(dict.fromkeys(fix for offer in preview.offers for fix in offer.plan.fixes))


def _ways_into_the_window(preview: Preview, question: Question) -> tuple[Fix, ...]:
    """Split, where that was not asked for; leave out the documents that lose the least, by their ids."""
    asked, terms = preview.frame.asked, preview.frame.terms
    largest = max(offer.plan.input_tokens for offer in preview.offers)
    over = largest - planner.max_input(terms)
    ways = ways_below(asked.members, over, terms, asked.priorities) if over > 0 else ()
    if not question.strategies or "split" in question.strategies:
        ways = tuple(fix for fix in ways if fix.do != "use_strategy")
    if any(fix.do == "leave_out" for fix in ways):
        return ways
    return (*ways, Fix("leave_out", "Name fewer documents in document_ids."))


def _still_holds(preview: Preview, stored: StoredPlan) -> Offer:
    told = stored.plan["strategy"], stored.plan.get("budget_tokens")
    now = next((o for o in preview.offers if o.plan.key == told), None)
    if now is not None and not now.plan.feasible:
        reason = now.plan.infeasible_because or ""
        if stored.plan["feasible"] and now.plan.infeasible_code not in {EXCEEDS_RATE, INDEX_BUILDING}:
            raise _moved(f"{_subject(now, stored)} changed, and it can't be carried out any more", reason)
        kinds = {
            "over_window": OverWindow,
            EXCEEDS_RATE: RequestExceedsProviderRate,
            INDEX_BUILDING: IndexNotReady,
        }
        kind: type[UnabridgedError] = kinds.get(now.plan.infeasible_code or "", Invalid)
        raise kind(reason, fixes=now.plan.fixes)
    same_prices = now is not None and _ceiling(now.description) == _ceiling(stored.plan)
    if now is None or now.plan.fingerprint != stored.fingerprint or not same_prices:
        sent_alike = now is not None and now.plan.fingerprint == stored.fingerprint
        raise _moved(f"{'the prices' if sent_alike else _subject(now, stored)} changed")
    if preview.learnt is not None and passes_ceiling(preview.learnt, stored):
        raise _moved("what is known of the provider's count changed")
    return replace(now, description={**now.description, "warnings": _warnings(now, stored)})


def _warnings(now: Offer, stored: StoredPlan) -> list[dict[str, Any]]:
    """Of a plan that was offered, with what was seen while its pages were ranked: that is not done again."""
    told: list[dict[str, Any]] = now.description["warnings"]
    codes = {one["code"] for one in told}
    seen = stored.plan["warnings"] if now.plan.strategy == "ranked" else ()
    return [*(one for one in seen if one["code"] in WHILE_RANKING - codes), *told]


def _subject(now: Offer | None, stored: StoredPlan) -> str:
    """What moved, where it is not the prices."""
    talked = now is not None and now.description["conversation"] != stored.plan.get("conversation")
    return "the conversation" if talked else "the documents"


def _moved(what: str, because: str = "") -> PlanChanged:
    said = (f"Since the plan was made, {what}.", because, "Ask for a new plan.")
    return PlanChanged(" ".join(one for one in said if one), fixes=(Fix("plan_again"),))


def _ceiling(plan: dict[str, Any]) -> tuple[str, str | None]:
    """What a plan's price rests on: the catalog, and what it makes of the calls on that day."""
    cost = plan["cost"] or {}
    return plan["price_catalog"]["sha256"], cost.get("max_usd")


def _check_price(offer: Offer, request: Request, frame: Frame, *, chosen: bool) -> None:
    plan = offer.plan
    if plan.crosses_threshold and not (request.allow_long_context or chosen):
        threshold = offer.description["threshold"]
        over = plan.largest_call - threshold["at"]
        extra = threshold["extra_usd"]
        more = ", whose price is unknown" if extra is None else f", ${extra} more"
        raise OverThreshold(
            f"{plan.largest_call:,} input tokens pass the threshold of {threshold['at']:,}: the whole call "
            f"would be billed at the long-context rate{more}. Accept it with "
            "allow_long_context, choose such a plan, or ask with strategy split.",
            fixes=(
                Fix("allow_long_context", values=(("extra_usd", extra),)),
                *ways_below(frame.asked.members, over, frame.terms, frame.asked.priorities),
                *ways_out(frame.recalled, plan.largest_call, frame.terms, limit=threshold["at"]),
            ),
        )


def _check_ceiling(plan: Plan, request: Request, question: Question, *, again: bool) -> None:
    if request.max_cost_usd is None:
        return
    if plan.estimate is None:
        raise OverMaxCost("The price of this model is unknown: no ceiling can be held.")
    if plan.estimate.max_usd > request.max_cost_usd:
        detail = (
            f"The ceiling is ${pricing.usd(plan.estimate.max_usd)}, above max_cost_usd "
            f"${pricing.usd(request.max_cost_usd)}."
        )
        more = Fix("raise_max_cost", values=(("max_usd", pricing.usd(plan.estimate.max_usd)),))
        if again:
            raise OverMaxCost(detail, fixes=(more,))
        raise _TooDear(detail, question, fixes=(more, Fix("lower_max_completion_tokens")))


def _answer(
    ctx: Context, tenant: str, corpus_id: str, question: Question, *, offer: Offer, plan_id: str | None
) -> Answer:
    return Answer(
        id=new_id("ans"),
        tenant=tenant,
        corpus_id=corpus_id,
        question=question.text,
        model=offer.description["model"],
        status=AnswerStatus.QUEUED,
        plan_id=plan_id or offer.id,
        request=question.as_dict(),
        plan={**offer.description, "id": plan_id} if plan_id else offer.description,
        engine=ctx.provider.name,
        created_at=ctx.now(),
        reserved_micros=_reserved_micros(ctx, offer.plan),
        conversation_id=question.conversation_id,
        retry_of=offer.description.get(RETRY),
        replay_of=offer.description.get(REPLAY),
    )


def _reserved_micros(ctx: Context, plan: Plan) -> int:
    """What is held for all its calls: nothing where the engine costs nothing."""
    return pricing.to_micros_up(plan.estimate.max_usd) if ctx.provider.charges and plan.estimate else 0
