"""End a paid call, whichever way it ended: settled, released or in doubt, in one transaction each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, cast

from ingest import count_tokens
from service.domain import packing, planner, pricing, rates
from service.domain.answers import CANCELLED, AnswerStatus, Call, CallState
from service.domain.catalog import Model, Tier
from service.domain.documents import Failure
from service.domain.observations import LATEST, most_reasoning
from service.domain.usage import Usage
from service.errors import Invalid, ProviderError, ProviderInDoubt
from service.provider import ChatRequest, Reply
from service.store import answers, ledger, observations
from service.store.session import Transaction
from service.usecases.learn_terms import effort_of
from service.usecases.name_models import named_model
from service.usecases.observe_call import heed_refusal, observe
from service.usecases.running import IN_DOUBT, Run, Stopped, failure_of, in_doubt_after


@dataclass(frozen=True, slots=True)
class Settled:
    """A paid call that has ended, with all that is recorded of it.

    Attributes:
        call: with what it used and cost.
        reply: as it came.
        limit_tokens: a minute, as the provider told with it.
    """

    run: Run
    call: Call
    reply: dict[str, Any] | None
    limit_tokens: int | None = None

    def keep(self, tx: Transaction) -> None:
        """Record it; an unknown price takes the whole reservation from the budgets: it may have been all.

        Where the reservation has ended already, the user decided what became of the call, and that stays.
        """
        call, at = self.call, self.run.ctx.now()
        known = call.actual_usd
        micros = call.reserved_micros if known is None else pricing.to_micros_up(known)
        if ledger.settle(tx, call.id, actual_micros=micros, actual_usd=known, at=at):
            answers.close_call(tx, call, reply=self.reply, at=at)
            observe(tx, self.run, call, self.limit_tokens)


def settle(run: Run, call: Call, request: ChatRequest, reply: Reply) -> Call:
    """Keep the reply, and settle the reservation to what it cost."""
    ended = settled(run, call, request, reply)
    with run.ctx.db.write() as tx:
        ended.keep(tx)
    return ended.call


def settled(run: Run, call: Call, request: ChatRequest, reply: Reply) -> Settled:
    """Return what the reply cost, still to be kept."""
    usage = reply.usage or _reasoned(run, call, _counted(run, call, request, reply.text))
    usage, actual = _actual(run, call, usage, reply)
    done = replace(
        call,
        state=CallState.DONE,
        text=reply.text,
        usage=usage,
        finish_reason=reply.finish_reason,
        refusal=reply.refusal,
        service_tier=reply.service_tier,
        actual_usd=actual,
    )
    raw = {**reply.raw, "request_id": reply.request_id}
    return Settled(run, done, raw, rates.told(reply.rate_limits))


def settle_cancelled(run: Run, call: Call, request: ChatRequest | None) -> None:
    """Settle at the most that was probably consumed: the whole input, and the output that came.

    A model thinks before it writes: where words had come it had thought as much as it usually does. Before
    that nobody knows how far it was, so that much is booked too; the user can correct it by the invoice.

    Args:
        run: the running that was stopped.
        call: with the text that had come.
        request: what was under way; None where nothing was, and so nothing is billed.
    """
    if request is None:
        with run.ctx.db.write() as tx:
            release(tx, run, replace(call, error=Failure(CANCELLED, "Stopped before it was sent.")), None)
        return
    usage = _reasoned(run, call, _counted(run, call, request, call.text))
    usage, actual = _actual(run, call, usage, None)
    ended = replace(
        call,
        state=CallState.DONE,
        usage=usage,
        actual_usd=actual,
        finish_reason=CANCELLED,
    )
    with run.ctx.db.write() as tx:
        Settled(run, ended, None).keep(tx)


def close_failed(run: Run, call: Call, error: ProviderError | Invalid) -> Stopped:
    """End a call that brought no answer: released where it surely was not billed, else in doubt."""
    if isinstance(error, ProviderInDoubt):
        doubt(run, replace(call, text=error.partial_text or call.text), error.detail)
        return Stopped(AnswerStatus.IN_DOUBT, in_doubt_after(error.detail))
    failure = failure_of(error)
    raw = error.raw if isinstance(error, ProviderError) else None
    with run.ctx.db.write() as tx:
        release(tx, run, replace(call, error=failure), raw)
        heed_refusal(tx, run, call, error)
    return Stopped(AnswerStatus.FAILED, failure)


def release(tx: Transaction, run: Run, call: Call, raw: dict[str, Any] | None) -> None:
    """End a call that surely was not billed, within the caller's transaction."""
    if ledger.release(tx, call.id, at=run.ctx.now()):
        answers.close_call(tx, replace(call, state=CallState.FAILED), reply=raw, at=run.ctx.now())


def doubt(run: Run, call: Call, detail: str) -> None:
    """Record that nobody knows: the reservation stays held, the user sees it and decides."""
    in_doubt = replace(call, state=CallState.IN_DOUBT, error=Failure(IN_DOUBT.code, detail))
    with run.ctx.db.write() as tx:
        if ledger.is_held(tx, call.id):
            answers.close_call(tx, in_doubt, reply=None, at=run.ctx.now())


def _counted(run: Run, call: Call, request: ChatRequest, text: str) -> Usage:
    """Usage by our own counts, where the provider sent none; an estimate: reasoning can't be counted."""
    planned = run.planned[call.part]
    prompt = planned.input_tokens  # of pictures the most they can be
    if planned.kind == "merge":
        texts = [message.text for message in request.messages]
        said = sum(message.role == "assistant" for message in request.messages)
        overhead = packing.OVERHEAD.of(messages=len(texts) - said, assistant_messages=said)
        prompt = overhead + sum(count_tokens(content) for content in texts) + planned.shown.tokens_max
    if planned.kind == "repair":
        around = packing.CALL_OVERHEAD - packing.OVERHEAD.of(messages=2) + planned.correction_tokens
        task = count_tokens(request.messages[-1].text)
        prompt = planned.prefix_tokens + planned.pictures.spread + around + task
    return Usage(prompt_tokens=prompt, completion_tokens=count_tokens(text), estimated=True)


def ceiling_has_risen(run: Run, call: Call) -> bool:
    """Whether a call may cost more on the day it is sent than was held for it when it was accepted."""
    if not run.ctx.provider.charges or not call.reserved_micros:
        return False
    planned = run.planned[call.part]
    top = pricing.ceiling(
        run.ctx.catalog.model(run.answer.model),
        tier=cast("Tier", run.answer.plan["service_tier"]),
        on=(call.sent_at or run.ctx.now()).date(),
        input_tokens=planned.ceiling_input_tokens,
        output_tokens=planned.reserved_output_tokens,
    )
    return top is not None and pricing.to_micros_up(top) > call.reserved_micros


def _reasoned(run: Run, call: Call, usage: Usage) -> Usage:
    """Add the reasoning of a reply that told no usage: it is billed, so budgets must not miss it."""
    if not run.ctx.provider.charges:
        return usage
    question = run.question
    at = {"engine": run.ctx.provider.name, "model": run.answer.model, "effort": effort_of(question)}
    with run.ctx.db.read() as tx:
        seen = observations.reasonings(tx, latest=LATEST, **at)
    usual = planner.usual_reasoning(question.reasoning_effort, question.count)
    room = max(run.planned[call.part].reserved_output_tokens - usage.completion_tokens, 0)
    more = min(most_reasoning(seen, usual), room)
    return replace(usage, completion_tokens=usage.completion_tokens + more, reasoning_tokens=more)


def _actual(run: Run, call: Call, usage: Usage, reply: Reply | None) -> tuple[Usage, Decimal | None]:
    """What the usage costs by the catalog, in USD; None where no price is known, 0 where none is charged.

    At the higher price where the reply names another model that costs more: the usage then says so.
    """
    provider = run.ctx.provider
    if not provider.charges:
        return usage, Decimal(0)
    asked, replied_tier = cast("Tier", run.answer.plan["service_tier"]), reply.service_tier if reply else None
    tier = pricing.billed_tier(replied_tier, asked) if provider.takes_tiers else asked
    if tier is None:
        return usage, None
    on = (call.sent_at or run.ctx.now()).date()
    model = run.ctx.catalog.model(run.answer.model)
    named = named_model(run.ctx.catalog, model, reply.model if reply else None)
    actual = _price(model, usage, tier, on)
    other = _price(named, usage, tier, on) if named else None
    if named is None or actual is None or other is None or other <= actual:
        return usage, actual
    return replace(usage, priced_as=named.id), other


def _price(model: Model, usage: Usage, tier: Tier, on: date) -> Decimal | None:
    """What a usage costs; by our own counts at the dearest that its input can be: cold, or newly cached."""
    if usage.estimated:
        inside, out = usage.prompt_tokens, usage.completion_tokens
        return pricing.ceiling(model, tier=tier, on=on, input_tokens=inside, output_tokens=out)
    cached = min(usage.cached_tokens, usage.prompt_tokens)
    return pricing.cost(
        model,
        tier=tier,
        on=on,
        input_tokens=usage.prompt_tokens,
        cached_tokens=cached,
        output_tokens=usage.completion_tokens,
        cache_write_tokens=min(usage.cache_write_tokens, usage.prompt_tokens - cached),
    )
