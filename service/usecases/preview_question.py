"""The price before the question: all plans that apply, cold and warm, without calling any model."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from ingest import count_tokens
from service.domain import advice, planner, pricing, repairs, tasks, waste
from service.domain.caching import NO_TALK
from service.domain.catalog import Model
from service.domain.corpora import Member
from service.domain.documents import DocumentStatus
from service.domain.enclosures import in_order
from service.domain.manner import Manner
from service.domain.planner import Plan, Strategy, Terms
from service.domain.questions import Question, check_together
from service.domain.rates import RateLimits
from service.domain.slices import Slice, whole_slice
from service.errors import DocumentFailed, DocumentNotReady, Fix, Invalid, NotFound
from service.store import corpora, documents, enclosures, plans
from service.store.plans import StoredPlan
from service.store.session import Transaction
from service.usecases.bind_terms import as_offered
from service.usecases.check_parameters import check_parameters, tier_of
from service.usecases.context import Context, new_id
from service.usecases.describe_plan import Asked, Frame, describe, window_of
from service.usecases.forecast_cache import Asking, Forecasts, forecast
from service.usecases.gauge_cache import gauge_cache
from service.usecases.index_pages import catch_up
from service.usecases.judge_doubt import within_rate
from service.usecases.keep_plans import keep_plans
from service.usecases.learn_terms import learn_terms
from service.usecases.leave_out_waste import leave_out_of
from service.usecases.plan_one_call import held_to_one_call
from service.usecases.rank_pages import Ranked, rank_or_repeat
from service.usecases.recall_conversation import recall, with_history
from service.usecases.show_pages import could_be_shown, of_each_page, with_pictures
from service.usecases.suggest_fixes import (
    cold_saving,
    leave_out,
    not_read,
    price_of,
    waste_warning,
    ways_below,
)

PREMATURE = " The pages are still being indexed: a plan of the most relevant ones follows in a moment."


@dataclass(frozen=True, slots=True)
class Offer:
    """A plan, as planned and as described."""

    id: str
    plan: Plan
    description: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Preview:
    """All plans for a question; `recommended` is None where none is feasible, `because` says why it is.

    Attributes:
        index_behind: pages could not be ranked, for the index has to be brought up to date first.
        premature: another plan would be recommended, were the index up to date.
        learnt: the terms by what is known now; an offered plan is held on those it was made on.
    """

    offers: tuple[Offer, ...]
    recommended: Offer | None
    frame: Frame
    because: str | None = None
    index_behind: bool = False
    premature: bool = False
    learnt: Terms | None = None


def preview_question(ctx: Context, tenant: str, corpus_id: str, question: Question) -> Preview:
    """Plan a question in every way that applies, price it, and keep the plans for as long as they bind.

    Raises:
        NotFound: no such corpus, model, document or conversation.
        DocumentNotReady, DocumentFailed: a price over unread documents would not be right.
        Invalid: the corpus is empty, or a parameter does not fit the model.
    """
    preview = _offered(ctx, tenant, corpus_id, question, unless_behind=True)
    if preview.index_behind:
        catch_up(ctx, corpus_id)
        preview = _offered(ctx, tenant, corpus_id, question, unless_behind=False)
    return preview


def _offered(
    ctx: Context, tenant: str, corpus_id: str, question: Question, *, unless_behind: bool
) -> Preview:
    """Plan and keep the plans; where the index is behind, keep them only if they are shown all the same."""
    with ctx.db.read() as tx:
        preview = preview_in(tx, ctx, tenant, corpus_id, question)
    if not (unless_behind and preview.index_behind):
        frame = preview.frame
        kept = [stored_plan(offer, tenant, corpus_id, question, frame) for offer in preview.offers]
        keep_plans(ctx, corpus_id, kept)
    return preview


def preview_in(
    tx: Transaction,
    ctx: Context,
    tenant: str,
    corpus_id: str,
    question: Question,
    *,
    offered: StoredPlan | None = None,
    to_ask: bool = False,
) -> Preview:
    """Plan within the caller's transaction; nothing is kept.

    Where a plan `offered` earlier is to be held against what there is now, its pages are not ranked again.
    Where one is taken right away (`to_ask`), others that it would be taken before are not made.
    """
    if not question.text.strip():
        raise Invalid("Say what to ask: the question is empty.")
    if question.questions:
        check_together(question.questions)
    if not corpora.is_of(tx, tenant, corpus_id):
        raise NotFound(f"There is no corpus {corpus_id}.")
    model = ctx.catalog.model(question.model)
    check_parameters(ctx, model, question)
    manner = Manner(images=question.page_images, detail=model.detail(question.image_detail))
    asked = _asked(tx, corpus_id, question, manner)
    found = recall(tx, tenant, corpus_id, question)
    learnt = with_history(learn_terms(tx, ctx, terms_of(ctx, model, question), question), found)
    terms = as_offered(learnt, offered)
    question = held_to_one_call(question, asked.members, terms) if to_ask else question
    ranked = rank_or_repeat(tx, ctx, corpus_id, asked, terms=terms, question=question, offered=offered)
    asked = replace(asked, hints=ranked.hints(question))
    drafts = _drafts(tx, asked.members, terms, question, ranked, limits=learnt.limits)
    talk = found.history.chain() if found else NO_TALK
    is_list = bool(question.questions)
    asking = Asking(tenant, corpus_id, model, question.system_prompt, talk, is_list=is_list)
    held = forecast(tx, ctx, asking, drafts)
    if any(held.cached.values()) and terms.tier != "batch":  # nobody knows what is held by then
        terms = replace(terms, cached=held.cached)
        drafts = [planner.warmed(draft, terms) for draft in drafts]
    if question.repair:
        drafts = [repairs.with_repair(draft, terms) for draft in drafts]
    if asked.spare is not None:
        leaner = _plans(tx, asked.spare.lean.kept, terms, question)
        asked = replace(asked, leaner={plan.strategy: plan.estimate for plan in leaner})
    frame = replace(frame_of(ctx, terms, asked, question=question, held=held), recalled=found)
    offers = tuple(_offer(plan, frame) for plan in drafts)
    return replace(_advised(offers, frame, question), index_behind=ranked.behind, learnt=learnt)


def _advised(offers: tuple[Offer, ...], frame: Frame, question: Question) -> Preview:
    """Name the plan to take, and why."""
    members, plans_made = frame.asked.members, [offer.plan for offer in offers]
    asked = advice.Asked(
        questions=question.questions or (question.text,),
        expected=question.expected_questions,
        pages=sum(member.packed_pages for member in members),
        threshold=frame.terms.model.threshold_tokens is not None,
        fits=planner.whole_input(members, frame.terms.counts) <= planner.max_input(frame.terms),
    )
    best = advice.recommended(plans_made, asked)
    if best is None:
        return Preview(offers, None, frame)
    because, early = advice.because(best, plans_made, asked), advice.awaits_ranking(plans_made, asked)
    if early:
        because += PREMATURE
    taken = next(offer for offer in offers if offer.plan is best)
    return Preview(offers, taken, frame, because, premature=early)


def get_plan(ctx: Context, tenant: str, plan_id: str) -> StoredPlan:
    """Return a plan that was offered.

    Raises:
        NotFound: there is none.
    """
    with ctx.db.read() as tx:
        plan = plans.get(tx, tenant, plan_id)
    if plan is None:
        raise NotFound(f"There is no plan {plan_id}.")
    return plan


def meter(ctx: Context, tenant: str, corpus_id: str, *, model_name: str | None) -> dict[str, Any]:
    """Return the gauge of a corpus: how full the window is, and what a question costs, cold and warm.

    Documents that are not read (yet) do not count; a warning says so.
    """
    model = ctx.catalog.model(model_name or ctx.terms.model)
    question = Question(text="", model=model.id)
    with ctx.db.read() as tx:
        if not corpora.is_of(tx, tenant, corpus_id):
            raise NotFound(f"There is no corpus {corpus_id}.")
        members = [one for one in corpora.members_of(tx, corpus_id) if not one.holds_files_alone]
        terms = learn_terms(tx, ctx, terms_of(ctx, model, question), question)
        ready = [member for member in members if member.status is DocumentStatus.READY]
        cache, removals = gauge_cache(tx, ctx, Asking(tenant, corpus_id, model), ready, terms)
    gauge = _meter(ready, terms)
    gauge["cache"] = cache
    for told, removal in zip(gauge["documents"], removals, strict=True):
        told["if_removed"] = removal
    gauge["warnings"] = [
        *_meter_warnings(ready, gauge, terms),
        *_waste(ready, terms),
        *not_read(len(members) - len(ready)),
    ]
    return gauge


def _meter(members: Sequence[Member], terms: Terms) -> dict[str, Any]:
    tokens = planner.whole_input(members, terms.counts)
    at = terms.model.threshold_tokens
    estimate = price_of(members, terms)
    return {
        "model": terms.model.id,
        "input_tokens": tokens,
        "documents": [
            {
                "document_id": member.document_id,
                "filename": member.filename,
                "tokens": member.tokens,
                "share": round(member.tokens / tokens, 6),
            }
            for member in members
        ],
        "threshold": {
            "at": at,
            "remaining": None if at is None else at - tokens,
            "status": "below" if at is None else planner.status_of(tokens, at, terms.guard_tokens),
        },
        "window": window_of(tokens, planner.max_input(terms), terms.guard_tokens),
        "warnings": [],
        "per_question": {
            "cold_usd": pricing.usd(estimate.cold_usd) if estimate else None,
            "warm_usd": pricing.usd(estimate.warm_usd) if estimate else None,
        },
    }


def _meter_warnings(members: Sequence[Member], gauge: dict[str, Any], terms: Terms) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name, limit in (("threshold", gauge["threshold"]["at"]), ("window", gauge["window"]["max_input"])):
        status = gauge[name]["status"]
        if status == "below":
            continue
        over = gauge["input_tokens"] - limit
        fixes = ways_below(members, over, terms) if status == "over" else ()
        found.append(
            {
                "code": f"{status}_{name}",
                "detail": f"{abs(over):,} tokens {'over' if over > 0 else 'below'} the {name} of {limit:,}.",
                "fixes": [fix.as_dict() for fix in fixes],
            }
        )
    return found


def _waste(members: Sequence[Member], terms: Terms) -> list[dict[str, Any]]:
    """What every question pays for twice or for nothing, as far as counts tell."""
    spare = waste.worth_telling(members)
    return [waste_warning(spare, cold_saving(members, spare.lean.kept, terms))] if spare else []


def _asked(tx: Transaction, corpus_id: str, question: Question, manner: Manner) -> Asked:
    """Return what is asked of a corpus and what is not: as selected, and less the waste that is left out."""
    every = corpora.members_of(tx, corpus_id)
    selected, others = _selected(tx, every, question)
    selected, unreadable = _readable(tx, selected, {member.document_id for member in every})
    _require_ready(selected)
    lean = leave_out_of(tx, with_pictures(tx, selected, manner), question.leave_out)
    if not lean.kept:
        raise Invalid("Nothing is left to ask: every page is blank. Ask without leaving out `blank`.")
    with_blanks = [m.document_id for m in lean.kept if m.packed_pages < m.pages]
    return Asked(
        members=lean.kept,
        not_selected=others,
        left_out=lean.out,
        unreadable=unreadable,
        blank_out=documents.blank_pages(tx, with_blanks) if with_blanks else {},
        spare=waste.worth_telling(lean.kept),
        could_be_shown=could_be_shown(tx, lean.kept, manner),
        image_detail=manner.detail,
        priorities=question.priorities,
    )


def _selected(
    tx: Transaction, members: Sequence[Member], question: Question
) -> tuple[list[Member], list[Member]]:
    """Part the members into those that are asked and the others; an archive stands for the files in it."""
    if not members:
        raise Invalid("The corpus holds no documents. Add some before asking.")
    if not question.document_ids:
        return [member for member in members if not member.holds_files_alone], []
    wanted = set(question.document_ids)
    unknown = wanted - {member.document_id for member in members}
    if unknown:
        raise NotFound(f"Not in this corpus: {', '.join(sorted(unknown))}.")
    for archive in (m.document_id for m in members if m.holds_files_alone and m.document_id in wanted):
        links = enclosures.links_below(tx, archive)
        wanted |= {link.document_id for link in in_order(archive, links)}
    members = [member for member in members if not member.holds_files_alone]
    chosen = [member for member in members if member.document_id in wanted]
    return chosen, [member for member in members if member.document_id not in wanted]


def _readable(
    tx: Transaction, asked: Sequence[Member], corpus: Collection[str]
) -> tuple[list[Member], list[tuple[Member, str]]]:
    """Part what can be asked from files inside others that could not be read, each with the reason.

    Args:
        tx: the caller's.
        asked: the documents that are asked.
        corpus: the ids of all its members; a file inside one of them was not put there by anybody.

    Raises:
        Invalid: nothing is left to ask.
    """
    failed = {m.document_id: m for m in asked if m.status is DocumentStatus.FAILED}
    failures = {
        one.id: one
        for one in documents.get_many(tx, list(failed))
        if not failed[one.id].uploaded or any(parent in corpus for parent in one.parent_ids)
    }
    unread = [member for name, member in failed.items() if name in failures]
    rest = [member for member in asked if member.document_id not in failures]
    if not rest:
        raise Invalid(
            "There is nothing to ask: none of the files inside could be read. Their documents say why."
        )
    reasons = {name: one.error.detail for name, one in failures.items() if one.error is not None}
    return rest, [(member, reasons.get(member.document_id, "It could not be read.")) for member in unread]


def _require_ready(members: Sequence[Member]) -> None:
    failed = [m for m in members if m.status is DocumentStatus.FAILED]
    if failed:
        raise DocumentFailed(
            f"{failed[0].filename} could not be read"
            + (f" (and {len(failed) - 1} more)" if len(failed) > 1 else "")
            + ". Take it out of the corpus, or name the documents to ask in document_ids.",
            fixes=tuple(leave_out([member], Decimal(0)) for member in failed),
        )
    waiting = [m for m in members if m.status is not DocumentStatus.READY]
    if waiting:
        raise DocumentNotReady(
            (
                f"{waiting[0].filename} is still being read."
                if len(waiting) == 1
                else f"{len(waiting)} of {len(members)} documents are still being read, "
                f"{waiting[0].filename} among them."
            )
            + " Follow GET /v1/documents/{id}/events, then ask again.",
            fixes=tuple(
                Fix("wait", f"Wait for {m.filename}.", (("document_id", m.document_id),))
                for m in waiting[:20]
            ),
        )


def terms_of(ctx: Context, model: Model, question: Question) -> Terms:
    """Return what all plans for a question have in common.

    Raises:
        Invalid: a parameter does not fit the model.
    """
    reserved = question.max_completion_tokens
    if not 1 <= reserved <= model.max_output_tokens:
        raise Invalid(
            f"max_completion_tokens must be between 1 and {model.max_output_tokens:,} for {model.id}."
        )
    threshold = model.threshold_tokens or model.max_input_tokens
    return Terms(
        model=model,
        tier=tier_of(ctx, question.service_tier),
        on=ctx.now().date(),
        counts=tasks.counts_of(question, count_tokens),
        reserved_output_tokens=reserved,
        expected_output_tokens=planner.expected_output(
            question.reasoning_effort, reserved, questions=question.count
        ),
        guard_tokens=planner.guard_tokens(ctx.terms.guard_band, threshold),
    )


def _drafts(
    tx: Transaction,
    asked: Sequence[Member],
    terms: Terms,
    question: Question,
    ranked: Ranked,
    *,
    limits: RateLimits,
) -> list[Plan]:
    """Plan in every way, and refuse what the provider never takes by the limits that are known now."""
    every = [*_plans(tx, asked, terms, question), *ranked.plans(terms)]
    known = terms if limits == terms.limits else replace(terms, limits=limits)
    return [within_rate(draft, known) for draft in every]


def _plans(tx: Transaction, asked: Sequence[Member], terms: Terms, question: Question) -> list[Plan]:
    selected = bool(question.document_ids)
    single: Strategy = "selected" if selected else "whole"
    wanted = question.strategies or (single, "split")
    drafts: list[Plan] = []
    slices = [whole_slice(member) for member in asked]
    if "selected" in wanted and not selected:
        raise Invalid("Strategy selected needs document_ids: the documents to ask.")
    if {"whole", "selected"} & set(wanted):
        drafts.append(planner.plan_whole(asked, terms, strategy=single, slices=slices))
    if "split" in wanted:
        drafts.append(_split(tx, asked, terms, slices))
    return drafts


def _split(tx: Transaction, asked: Sequence[Member], terms: Terms, slices: Sequence[Slice]) -> Plan:
    """Plan a split; pages are only looked at of the documents that have to be cut."""
    cut = [(one, documents.page_counts(tx, one.document_id)) for one in planner.oversized(asked, terms)]
    return planner.plan_split(
        asked,
        terms,
        page_tokens={one.document_id: [one.manner.tokens(page) for page in pages] for one, pages in cut},
        page_images={one.document_id: of_each_page(one, pages) for one, pages in cut},
        slices=slices,
    )


def frame_of(ctx: Context, terms: Terms, asked: Asked, *, question: Question, held: Forecasts) -> Frame:
    """Return what plans are described with, those of an earlier answer too."""
    now = ctx.now()
    return Frame(
        terms=terms,
        catalog=ctx.catalog,
        asked=asked,
        questions=question.expected_questions,
        together=tasks.together(question, terms, count_tokens),
        shown=question.images,
        engine=None if ctx.provider.takes_tiers else ctx.provider.name,
        without_batches=ctx.provider.name if ctx.provider.batches is None else None,
        created_at=now,
        expires_at=now + timedelta(seconds=ctx.terms.plan_seconds),
        forecast=held.of,
    )


def _offer(plan: Plan, frame: Frame) -> Offer:
    plan_id = new_id("pln")
    return Offer(plan_id, plan, describe(plan_id, plan, frame))


def stored_plan(offer: Offer, tenant: str, corpus_id: str, question: Question, frame: Frame) -> StoredPlan:
    """Return an offer as it is kept."""
    return StoredPlan(
        id=offer.id,
        tenant=tenant,
        corpus_id=corpus_id,
        request=question.as_dict(),
        plan=offer.description,
        fingerprint=offer.plan.fingerprint,
        created_at=frame.created_at,
        expires_at=frame.expires_at,
    )
