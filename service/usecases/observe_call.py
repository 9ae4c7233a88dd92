"""Learn from a settled call: what was expected of it and came, what is cached now, which limits there are."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import cast

from ingest import count_tokens
from service.domain import caching, pricing, shown_images
from service.domain.answers import Call
from service.domain.caching import NO_TALK, Sent
from service.domain.catalog import Tier
from service.domain.conversations import asked
from service.domain.planner import PlannedCall
from service.domain.usage import Usage
from service.errors import ProviderError, RequestExceedsProviderRate
from service.store import observations, prefixes, rate_limits
from service.store.observations import Observation
from service.store.session import Transaction
from service.usecases.forecast_cache import chain_of, lead_of, names_of
from service.usecases.learn_terms import effort_of, limited_as
from service.usecases.running import Run


def observe(tx: Transaction, run: Run, call: Call, limit_tokens: int | None) -> None:
    """Keep what a settled call teaches, in the caller's transaction; nothing of an engine that is free.

    Args:
        tx: the caller's.
        run: whose call it is.
        call: as it ended.
        limit_tokens: a minute, as the provider told with the reply.
    """
    if not run.ctx.provider.charges:
        return
    planned = run.planned[call.part]
    when_sent = planned.kind != "repair"  # the answer's own call left the pack a moment ago
    if planned.slices and when_sent and run.answer.batch_id is None:  # nobody knows when a batch was read
        _remember(tx, run, call, planned)
    if call.usage is not None and not call.usage.estimated:
        observations.add(tx, _observation(run, call, planned, call.usage))
    if limit_tokens is not None:
        _limit(tx, run, planned, limit_tokens)


def heed_refusal(tx: Transaction, run: Run, call: Call, error: Exception) -> None:
    """Keep the limit that a refusal names: the next question knows it beforehand."""
    if not isinstance(error, RequestExceedsProviderRate):
        return
    told = limit_of(error)
    if told is not None:
        _limit(tx, run, run.planned[call.part], told)


def limit_of(error: ProviderError) -> int | None:
    """Return the tokens per minute that a refusal names."""
    values = [dict(fix.values).get("limit_tokens_per_minute") for fix in error.fixes]
    return next((value for value in values if isinstance(value, int) and value > 0), None)


def _limit(tx: Transaction, run: Run, planned: PlannedCall, limit_tokens: int) -> None:
    engine = limited_as(run.ctx, cast("Tier", run.answer.plan["service_tier"]))
    now = run.ctx.now()
    rate_limits.remember(tx, limit_tokens, engine=engine, model=run.answer.model, band=planned.band, at=now)


def _remember(tx: Transaction, run: Run, call: Call, planned: PlannedCall) -> None:
    now = run.ctx.now()
    talk, prefix_sha256 = NO_TALK, planned.prefix_sha256
    in_conversation = run.answer.conversation_id is not None or run.history.turns
    if in_conversation and planned.kind in ("answer", "part"):
        own = asked(run.question, planned.kind, count_tokens)
        talk = run.history.chain(own)
        told = own.text + shown_images.identity_of(own.images)
        prefix_sha256 = hashlib.sha256(f"{prefix_sha256}\n{told}".encode()).hexdigest()
    question = run.question
    lead = lead_of(planned.kind, question.system_prompt, is_list=bool(question.questions))
    sent = Sent(
        prefix_sha256=prefix_sha256,
        corpus_id=run.answer.corpus_id,
        used_at=call.sent_at or now,
        lead=lead.identity,
        chain=chain_of(planned),
        talk=talk,
        strategy=run.answer.plan["strategy"],
    )
    prefixes.remember(
        tx,
        sent,
        names_of(planned),
        tenant=run.answer.tenant,
        engine=run.ctx.provider.name,
        model=run.answer.model,
        oldest=now - caching.KEPT,
    )


def _observation(run: Run, call: Call, planned: PlannedCall, usage: Usage) -> Observation:
    tier = cast("Tier", run.answer.plan["service_tier"])
    return Observation(
        call_id=call.id,
        tenant=run.answer.tenant,
        engine=run.ctx.provider.name,
        model=run.answer.model,
        at=run.ctx.now(),
        effort=effort_of(run.question),
        kind=planned.kind,
        tier=tier,
        pictures=planned.pictures.pages,
        predicted_prompt_tokens=planned.expected_input_tokens,
        counted_prompt_tokens=planned.expected_input_tokens - planned.correction_tokens,
        prompt_tokens=usage.prompt_tokens,
        forecast_cached_tokens=planned.expected_cached_tokens,
        cached_tokens=usage.cached_tokens if usage.cache_told else None,
        expected_completion_tokens=planned.expected_output_tokens,
        completion_tokens=usage.completion_tokens,
        expected_usd=_expected_usd(run, planned, tier),
        actual_usd=call.actual_usd,
    )


def _expected_usd(run: Run, planned: PlannedCall, tier: Tier) -> Decimal | None:
    bill = pricing.Call(
        input_tokens=planned.expected_input_tokens,
        most_input_tokens=planned.ceiling_input_tokens,
        reserved_output_tokens=planned.reserved_output_tokens,
        expected_output_tokens=planned.expected_output_tokens,
        prefix_tokens=min(planned.prefix_tokens, planned.expected_input_tokens) if planned.slices else 0,
        expected_cached_tokens=planned.expected_cached_tokens,
    )
    model = run.ctx.catalog.model(run.answer.model)
    estimate = pricing.estimate(model, [bill], tier=tier, on=run.ctx.now().date())
    return estimate.expected_usd if estimate else None
