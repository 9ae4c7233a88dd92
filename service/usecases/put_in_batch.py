"""Put questions into a batch: all are planned, priced and reserved, or none is.

Planning reads one snapshot and holds up nobody; what it found is written in one transaction. Nothing is sent
here: `mind_batch` needs nothing but the batch's id.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import dataclass
from decimal import Decimal

from service.domain import pricing
from service.domain.answers import Answer
from service.domain.batches import MAX_QUESTIONS, WINDOW, Batch, BatchStatus
from service.domain.questions import Question
from service.errors import Fix, Invalid, NoBatches, NotFound, OverMaxCost
from service.store import batches, plans
from service.store.session import Transaction
from service.usecases.ask_question import Prepared, Request, known_answer, prepare, record
from service.usecases.context import Context, new_id
from service.usecases.index_pages import make_searchable


@dataclass(frozen=True, slots=True)
class Order:
    """What is put together.

    Attributes:
        requests: the questions or plans, each an answer of its own.
        max_cost_usd: refuse where the ceilings of all of them sum to more.
        idempotency_key: the same key never pays twice.
    """

    requests: tuple[Request, ...]
    max_cost_usd: Decimal | None = None
    idempotency_key: str | None = None


def is_for_batch(ctx: Context, tenant: str, request: Request) -> bool:
    """Whether a question, or the plan it names, is of the batch's tier."""
    if request.question is not None:
        return request.question.service_tier == "batch"
    if request.plan_id is None:
        return False
    with ctx.db.read() as tx:
        stored = plans.get(tx, tenant, request.plan_id)
    return stored is not None and stored.plan["service_tier"] == "batch"


async def put_in_batch(ctx: Context, tenant: str, corpus_id: str, order: Order) -> Batch:
    """Accept questions that are answered within a day; the ceiling of each is reserved.

    Raises:
        NoBatches: whoever answers has none; nothing is kept or held.
        ProviderError: whether it has any can't be told just now.
        UnabridgedError: as `ask_question`, of any of the questions.
    """
    offered = ctx.provider.batches
    if offered is None or not await offered.offered():
        raise NoBatches(
            f"{ctx.provider.name} has no batches, so nothing was put in. Ask at another service_tier.",
            fixes=(Fix("use_tier", "Ask at the standard tier.", (("service_tier", "default"),)),),
        )
    return await asyncio.to_thread(_put_in, ctx, tenant, corpus_id, order)


def answers_of_batch(ctx: Context, tenant: str, batch_id: str) -> list[Answer]:
    """Return the answers of a batch, in the order of their questions.

    Raises:
        NotFound: there is none.
    """
    with ctx.db.read() as tx:
        if batches.get(tx, tenant, batch_id) is None:
            raise NotFound(f"There is no batch {batch_id}.")
        return batches.answers_of(tx, batch_id)


def _put_in(ctx: Context, tenant: str, corpus_id: str, order: Order) -> Batch:
    _check(order)
    first = order.requests[0].question
    if first is not None:
        make_searchable(ctx, tenant, corpus_id, first)
    with ctx.db.read() as tx:
        known = _known(tx, tenant, corpus_id, order)
        if known is not None:
            return known
        prepared = [_prepared(tx, ctx, tenant, corpus_id, one) for one in order.requests]
    if len({one.offer.description["model"] for one in prepared}) > 1:
        raise Invalid("The plans are for several models: a batch asks one. Put each into its own.")
    if ctx.provider.charges:
        _check_ceiling(prepared, order)
    with ctx.db.write() as tx:
        known = _known(tx, tenant, corpus_id, order)
        if known is not None:
            return known
        batch = _batch(ctx, tenant, corpus_id, prepared)
        sha256 = _fingerprint(corpus_id, order)
        batches.add(tx, batch, request_sha256=sha256, idempotency_key=order.idempotency_key)
        for number, (request, one) in enumerate(zip(order.requests, prepared, strict=True), 1):
            record(tx, ctx, tenant, corpus_id, request, one, batch=(batch.id, number))
    return batch


def _check(order: Order) -> None:
    if not 1 <= len(order.requests) <= MAX_QUESTIONS:
        raise Invalid(f"A batch holds 1 to {MAX_QUESTIONS:,} questions; these are {len(order.requests):,}.")
    named = [one.plan_id for one in order.requests if one.plan_id]
    twice = next((name for name in named if named.count(name) > 1), None)
    if twice is not None:
        raise Invalid(f"The plan {twice} is named twice, and would be paid twice.")


def _known(tx: Transaction, tenant: str, corpus_id: str, order: Order) -> Batch | None:
    """Return the batch that the order's key, or that of its only question, stands for already."""
    if order.idempotency_key:
        known = batches.get_by_key(tx, tenant, order.idempotency_key)
        if known is None:
            return None
        batch, made_by = known
        if made_by != _fingerprint(corpus_id, order):
            raise Invalid("This Idempotency-Key was used for another request. Take a new key.")
        return batch
    answer: Answer | None = known_answer(tx, tenant, corpus_id, order.requests[0])
    return batches.get(tx, tenant, answer.batch_id) if answer and answer.batch_id else None


def _fingerprint(corpus_id: str, order: Order) -> str:
    said = {
        "corpus": corpus_id,
        "asked": [
            (
                *(one.plan_id, one.question.said() if one.question else None, one.allow_long_context),
                *([] if one.citations is None else [one.citations]),
            )
            for one in order.requests
        ],
        "max": str(order.max_cost_usd),
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _prepared(tx: Transaction, ctx: Context, tenant: str, corpus_id: str, request: Request) -> Prepared:
    prepared = prepare(tx, ctx, tenant, corpus_id, request)
    _check_question(prepared.question, request)
    return prepared


def _check_question(question: Question, request: Request) -> None:
    if question.service_tier != "batch":
        which = f"The plan {request.plan_id}" if request.plan_id else "The question"
        raise Invalid(f"{which} is not priced for a batch: say service_tier batch, in its plan already.")
    if question.repair:
        raise Invalid("A batch makes no repairs, which would take another day: leave `repair` out.")


def _check_ceiling(prepared: list[Prepared], order: Order) -> None:
    if order.max_cost_usd is None:
        return
    estimates = [one.offer.plan.estimate for one in prepared]
    known = [one.max_usd for one in estimates if one is not None]
    if len(known) < len(estimates):
        raise OverMaxCost("The price of this model is unknown: no ceiling can be held.")
    total = sum(known, Decimal(0))
    if total > order.max_cost_usd:
        raise OverMaxCost(
            f"The ceiling of all {len(known):,} questions is ${pricing.usd(total)}, above max_cost_usd "
            f"${pricing.usd(order.max_cost_usd)}.",
            fixes=(
                Fix("raise_max_cost", values=(("max_usd", pricing.usd(total)),)),
                Fix("lower_max_completion_tokens"),
            ),
        )


def _batch(ctx: Context, tenant: str, corpus_id: str, prepared: list[Prepared]) -> Batch:
    now = ctx.now()
    expected = [one.offer.plan.estimate.expected_usd for one in prepared if one.offer.plan.estimate]
    return Batch(
        id=new_id("bat"),
        tenant=tenant,
        corpus_id=corpus_id,
        engine=ctx.provider.name,
        model=prepared[0].offer.description["model"],
        status=BatchStatus.PREPARING,
        created_at=now,
        expires_at=now + WINDOW,
        expected_usd=sum(expected, Decimal(0)) if len(expected) == len(prepared) else None,
    )
