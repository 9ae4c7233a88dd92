"""Plan again what an answer was asked over: to read its very pages once more, or to go on where it broke off.

Neither chooses anything anew: documents, pages, order and manner are those of the answer's own plan,
whatever has joined its corpus since. Where one of them is gone or is not what it was, there is no such plan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from service.domain import packing, parts, planner, pricing, prompts, repairs
from service.domain.answers import Answer, AnswerStatus, Call
from service.domain.caching import NO_TALK
from service.domain.conversations import Conversation
from service.domain.corpora import Member
from service.domain.documents import DocumentStatus
from service.domain.manner import Manner
from service.domain.planner import Plan, PlannedCall, Terms
from service.domain.questions import Question
from service.domain.slices import Slice
from service.errors import Conflict, Fix, NotFound, PlanChanged, ProviderChanged
from service.store import answers, conversations, corpora, documents
from service.store.plans import StoredPlan
from service.store.session import Transaction
from service.usecases.bind_terms import as_offered, passes_ceiling
from service.usecases.check_parameters import check_parameters
from service.usecases.context import Context, new_id
from service.usecases.describe_plan import Asked, Frame, calls_of, describe
from service.usecases.forecast_cache import Asking, Forecast, Forecasts, forecast, listed
from service.usecases.judge_doubt import within_rate
from service.usecases.learn_terms import learn_terms
from service.usecases.preview_question import Offer, Preview, frame_of, terms_of
from service.usecases.rank_pages import packed_again
from service.usecases.recall_conversation import Recalled, history_for, with_history
from service.usecases.show_pages import with_pictures

RETRIED = frozenset({AnswerStatus.FAILED, AnswerStatus.CANCELLED})
REPLAY, RETRY = "replay_of", "retry_of"
"""Of a plan: the answer that it reads again, or goes on with."""

_ALL_KEPT = Forecast(because="Every document was read already, and what was found is kept.")


@dataclass(frozen=True, slots=True)
class _Before:
    """An answer as it was asked, and its documents as they are now.

    Attributes:
        calls: all that were planned, in order.
        recalled: its conversation, just as it was sent; None where nothing was said before.
    """

    answer: Answer
    calls: tuple[PlannedCall, ...]
    asked: Asked
    recalled: Recalled | None

    @property
    def reading(self) -> list[PlannedCall]:
        """The calls that read documents; a repair reads what another has."""
        return [call for call in self.calls if call.slices and call.kind != "repair"]

    @property
    def strategy(self) -> planner.Strategy:
        """How it was packed."""
        found: planner.Strategy = self.answer.plan["strategy"]
        return found


def is_again(stored: StoredPlan) -> bool:
    """Whether a plan was made for an answer that was asked before."""
    return bool(stored.plan.get(REPLAY) or stored.plan.get(RETRY))


def plan_again(
    tx: Transaction, ctx: Context, tenant: str, question: Question, offered: StoredPlan
) -> Preview:
    """Plan such a plan once more, to be held against what was offered."""
    if offered.plan.get(RETRY):
        return plan_rest(tx, ctx, tenant, offered.plan[RETRY], offered=offered)
    return plan_same_pages(tx, ctx, tenant, offered.plan[REPLAY], question, offered=offered)


def plan_same_pages(
    tx: Transaction,
    ctx: Context,
    tenant: str,
    answer_id: str,
    question: Question,
    *,
    offered: StoredPlan | None = None,
) -> Preview:
    """Plan a question over the very pages of an answer; nothing is kept.

    Raises:
        NotFound: no such answer or model.
        PlanChanged: the same can't be sent again.
        Invalid: a parameter does not fit the model.
        UnsupportedParameter: the model does not take one, or no pictures.
    """
    before = _before(tx, _answer(tx, tenant, answer_id))
    check_parameters(ctx, ctx.catalog.model(question.model), question)
    learnt = _learnt(tx, ctx, before, question)
    terms = as_offered(learnt, offered)
    _check_prefixes(before, terms)
    plan = _over_same_pages(tx, before, terms)
    plan = within_rate(_within_window(plan, terms), replace(terms, limits=learnt.limits))
    held = _held(tx, ctx, before, question, plan)
    if terms.tier != "batch":  # nobody knows what is held by then
        terms = replace(terms, cached=held.cached)
        plan = planner.warmed(plan, terms)
    if question.repair:
        plan = repairs.with_repair(plan, terms)
    frame = frame_of(ctx, terms, before.asked, question=question, held=held)
    offer = _offer(plan, frame, before, **{REPLAY: answer_id})
    return Preview((offer,), offer if plan.feasible else None, frame, learnt=learnt)


def plan_rest(
    tx: Transaction, ctx: Context, tenant: str, answer_id: str, *, offered: StoredPlan | None = None
) -> Preview:
    """Plan what an answer still lacks: calls whose replies are there cost nothing; nothing is kept.

    Raises:
        NotFound: no such answer.
        Conflict: it is not over, it is done, or nobody knows yet what became of a call.
        PlanChanged: the same can't be sent again, or not at the same price.
        ProviderChanged: it was begun by another engine.
    """
    answer = _answer(tx, tenant, answer_id)
    stored = answers.calls_of(tx, answer_id)
    _check_broken(answer, stored)
    _check_engine(ctx, answer)
    before = _before(tx, answer)
    question = Question.from_dict(answer.request)
    learnt = _learnt(tx, ctx, before, question)
    as_then = _as_stored(answer)
    terms = as_offered(learnt, offered or as_then)
    _check_prefixes(before, terms)
    if passes_ceiling(learnt, as_then):
        raise _changed("what is known of the provider's count changed")
    _check_prices(ctx, before.calls, stored, terms)
    whole = parts.kept_parts(before.calls, stored)
    calls = tuple(replace(call, kept=part in whole) for part, call in enumerate(before.calls))
    plan = _rest(before, calls)
    plan = within_rate(plan, replace(terms, limits=learnt.limits))
    held = _held(tx, ctx, before, question, plan)
    terms = replace(terms, cached=held.cached)
    plan = _with_repair(planner.warmed(plan, terms), calls, terms)
    frame = frame_of(ctx, terms, before.asked, question=question, held=held)
    frame = replace(frame, recalled=before.recalled if question.conversation_id else None)
    offer = _offer(plan, frame, before, **{RETRY: answer_id})
    offer.description["cost"] = _once(offer.description["cost"])
    return Preview((offer,), offer if plan.feasible else None, frame, learnt=learnt)


def _answer(tx: Transaction, tenant: str, answer_id: str) -> Answer:
    found = answers.get(tx, tenant, answer_id)
    if found is None:
        raise NotFound(f"There is no answer {answer_id}.")
    if corpora.get(tx, tenant, found.corpus_id) is None:
        raise _changed("its corpus was forgotten")
    return found


def _changed(what: str) -> PlanChanged:
    return PlanChanged(
        f"The same can't be sent again: {what} since the answer was asked. Ask anew.",
        fixes=(Fix("plan_again"),),
    )


def _check_broken(answer: Answer, stored: Sequence[Call]) -> None:
    """Raise Conflict unless the answer ended without all that was asked for, and it is known how."""
    if answer.status in RETRIED:
        return
    if answer.status is AnswerStatus.DONE and parts.lacking(calls_of(answer.plan), stored):
        return
    if answer.status is AnswerStatus.IN_DOUBT:
        raise Conflict(
            "Nobody knows yet whether a call of this answer was billed. Resolve it first, then retry it.",
            fixes=(Fix("resolve", "Say whether it was billed.", (("answer_id", answer.id),)),),
        )
    if answer.status is AnswerStatus.DONE:
        raise Conflict(
            "The answer is done: nothing of it is missing. To ask the same pages again, replay it.",
            fixes=(Fix("replay", "Replay it.", (("answer_id", answer.id),)),),
        )
    raise Conflict(
        f"The answer is still {answer.status.value}: wait until it has ended, or stop it.",
        fixes=(Fix("wait", "Wait until it has ended."),),
    )


def _check_engine(ctx: Context, answer: Answer) -> None:
    if answer.engine != ctx.provider.name:
        raise ProviderChanged(
            f"The answer was begun by {answer.engine}, and the service runs with {ctx.provider.name} now: "
            "what two engines found is not put together. Replay it instead.",
            fixes=(Fix("replay", "Replay it.", (("answer_id", answer.id),)),),
        )


def _check_prices(ctx: Context, calls: Sequence[PlannedCall], stored: Sequence[Call], terms: Terms) -> None:
    """Raise PlanChanged where what is missing would be held at another ceiling than before."""
    if not ctx.provider.charges:
        return
    for call in stored:
        if call.is_whole or call.kept_from is not None:
            continue
        planned = calls[call.part]
        top = pricing.ceiling(
            terms.model,
            tier=terms.tier,
            on=terms.on,
            input_tokens=planned.ceiling_input_tokens,
            output_tokens=planned.reserved_output_tokens,
        )
        if (0 if top is None else pricing.to_micros_up(top)) != call.reserved_micros:
            raise _changed("the prices changed")


def _before(tx: Transaction, answer: Answer) -> _Before:
    """Look up what an answer was asked over.

    Raises:
        PlanChanged: a document is gone, or it is another by now.
    """
    calls = calls_of(answer.plan)
    pieces = [piece for call in calls for piece in call.slices]
    members = corpora.members_of(tx, answer.corpus_id)
    there = {one.document_id: one for one in members if one.status is DocumentStatus.READY}
    places = {name: one.ordinal for name, one in there.items()}
    _refuse([piece for piece in pieces if places.get(piece.document_id) != piece.ordinal], "gone")
    manners = {piece.document_id: piece.manner for piece in pieces}
    selected = _packed(tx, [one for one in members if one.document_id in manners], manners)
    identities = {one.document_id: one.identity for one in selected}
    _refuse([piece for piece in pieces if not _reads(piece, identities[piece.document_id])], "changed")
    others = [one for one in members if one.document_id not in manners and not one.holds_files_alone]
    blanks = [one.document_id for one in selected if one.packed_pages < one.pages]
    asked = Asked(
        members=selected,
        not_selected=others,
        blank_out=documents.blank_pages(tx, blanks) if blanks else {},
        image_detail=next(iter(manners.values()), Manner()).detail,
    )
    return _Before(answer, calls, asked, _recalled(tx, answer))


def _packed(tx: Transaction, members: Sequence[Member], manners: dict[str, Manner]) -> list[Member]:
    """Return the documents as they were packed."""
    first = next(iter(manners.values()), Manner())
    shown = with_pictures(tx, members, Manner(images=first.images, detail=first.detail))
    return [one._replace(manner=manners[one.document_id]) for one in shown]


def _reads(piece: Slice, identity: str) -> bool:
    """Whether a slice is of a document with that identity: all of it, or some of its pages."""
    return piece.identity == identity or piece.identity.startswith(f"{identity}:")


def _refuse(pieces: Sequence[Slice], how: str) -> None:
    names = list(dict.fromkeys(piece.filename for piece in pieces))
    if not names:
        return
    several = len(names) > 1
    said = {
        "gone": "were removed or taken out" if several else "was removed or taken out",
        "changed": "changed",
    }
    raise _changed(f"{listed(names)} {said[how]}")


def _recalled(tx: Transaction, answer: Answer) -> Recalled | None:
    """Return the conversation as the answer was sent behind it, also one that was forgotten since."""
    told = answer.plan.get("conversation")
    if not told:
        return None
    past = conversations.past_named(tx, [turn["answer_id"] for turn in told["turns"]])
    named = Conversation(
        id=told["id"],
        tenant=answer.tenant,
        corpus_id=answer.corpus_id,
        title=None,
        created_at=answer.created_at,
        used_at=answer.created_at,
    )
    return Recalled(named, tuple(past), history_for(tx, answer))


def _learnt(tx: Transaction, ctx: Context, before: _Before, question: Question) -> Terms:
    terms = terms_of(ctx, ctx.catalog.model(question.model), question)
    return with_history(learn_terms(tx, ctx, terms, question), before.recalled)


def _as_stored(answer: Answer) -> StoredPlan:
    """Return the plan that an answer was accepted by."""
    return StoredPlan(
        id=answer.plan_id,
        tenant=answer.tenant,
        corpus_id=answer.corpus_id,
        request=answer.request,
        plan=answer.plan,
        fingerprint="",
        created_at=answer.created_at,
        expires_at=answer.created_at,
    )


def _check_prefixes(before: _Before, terms: Terms) -> None:
    """Raise PlanChanged where the same documents would make other bytes: another history, another packing."""
    for call in before.reading:
        prefix = packing.prefix_sha256(
            instructions=prompts.ANSWERING,
            documents=[
                (packing.open_document(one.ordinal, one.filename), one.identity) for one in call.slices
            ],
            history=terms.history,
        )
        if prefix != call.prefix_sha256:
            raise _changed("the conversation before it, or the way prompts are packed, changed")


def _over_same_pages(tx: Transaction, before: _Before, terms: Terms) -> Plan:
    packs = [call.slices for call in before.reading]
    if before.strategy == "split":
        return planner.plan_parts(packs, terms)
    budget = before.answer.plan.get("budget_tokens")
    if (
        before.strategy == "ranked" and budget is not None
    ):  # the pages' own counts, which the described plan does not hold
        again = packed_again(tx, before.asked, before.reading, budget)
        packs = [pack.slices for pack in again.packs]
    plan = planner.plan_slices(before.strategy, packs[0], terms)
    within = budget is not None and plan.input_tokens <= budget
    return replace(plan, budget_tokens=budget if within else None)


def _within_window(plan: Plan, terms: Terms) -> Plan:
    """Return the plan, infeasible where it does not fit: a longer question, or a model of another window."""
    most = planner.max_input(terms)
    if not plan.feasible or plan.largest_call <= most:
        return plan
    return Plan(
        strategy=plan.strategy,
        budget_tokens=plan.budget_tokens,
        input_tokens=plan.largest_call,
        infeasible_code="over_window",
        infeasible_because=f"{plan.largest_call:,} input tokens do not fit {terms.model.id}'s limit of "
        f"{most:,}. Ask a shorter question, reserve less output, or ask anew with other documents.",
    )


def _rest(before: _Before, calls: tuple[PlannedCall, ...]) -> Plan:
    return Plan(
        before.strategy,
        calls=tuple(call for call in calls if call.kind != "repair"),
        input_tokens=sum(call.told_input_tokens for call in calls if not call.kept),
        budget_tokens=before.answer.plan.get("budget_tokens"),
        repair_left_out=(before.answer.plan.get("repair") or {}).get("because"),
    )


def _with_repair(plan: Plan, calls: Sequence[PlannedCall], terms: Terms) -> Plan:
    """Return the plan with the repair that was planned for the answer, where there was one."""
    repair = next((call for call in calls if call.kind == "repair"), None)
    if repair is None or not plan.feasible:
        return plan
    return replace(plan, repair=repair, estimate=repairs.priced(plan.estimate, repair, terms))


def _held(tx: Transaction, ctx: Context, before: _Before, question: Question, plan: Plan) -> Forecasts:
    """Return what is cached of the calls that are made."""
    talk = before.recalled.history.chain() if before.recalled else NO_TALK
    model = ctx.catalog.model(question.model)
    made = replace(plan, calls=tuple(call for call in plan.calls if not call.kept))
    if plan.calls and not any(call.slices for call in made.calls):
        return Forecasts(of={plan.key: _ALL_KEPT})
    tenant, corpus_id, is_list = before.answer.tenant, before.answer.corpus_id, bool(question.questions)
    asking = Asking(tenant, corpus_id, model, question.system_prompt, talk, is_list=is_list)
    return forecast(tx, ctx, asking, [made])


def _offer(plan: Plan, frame: Frame, before: _Before, **of: str) -> Offer:
    plan_id = new_id("pln")
    described = describe(plan_id, plan, frame)
    told = {
        "conversation": before.recalled and before.recalled.described(),
        "coverage": _coverage(described["coverage"], before.answer.plan.get("coverage") or {}),
    }
    return Offer(plan_id, plan, {**described, **told, **of})


def _once(cost: dict[str, Any] | None) -> dict[str, Any] | None:
    """Of what is missing of one answer: no other question costs that."""
    return cost and {**cost, "for_questions": [one for one in cost["for_questions"] if one["n"] == 1]}


def _coverage(now: dict[str, Any], then: dict[str, Any]) -> dict[str, Any]:
    """Return what is read, with the reasons that the answer's own plan had for the rest."""
    reasons = {one["document_id"]: one for one in then.get("documents_out", ())}
    out = [reasons.get(one["document_id"], {**one, "reason": "joined_later"}) for one in now["documents_out"]]
    return {**now, "documents_out": out, "history_out": then.get("history_out", [])}
