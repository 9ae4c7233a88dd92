"""Let the user decide an answer in doubt: whether its calls were billed, as the provider's own records show.

Nobody else can know it. Until then what the calls may have cost stays held.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import cast

from service.domain import pricing
from service.domain.answers import RESOLVED, Answer, AnswerStatus, Call, CallState
from service.domain.catalog import Tier
from service.domain.documents import Failure
from service.domain.usage import Usage
from service.errors import Conflict, Invalid, NotFound
from service.store import answers, ledger
from service.store.session import Transaction
from service.usecases.context import Context
from service.usecases.describe_answer import last_words
from service.usecases.running import IN_DOUBT

OFFLINE = "offline"
"""The engine without a model, which is free."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the user found out.

    Attributes:
        billed: the provider charged for it.
        usage: what it was charged for; None books the ceiling.
        service_tier: as it was processed; None where as it was asked for.
    """

    billed: bool
    usage: Usage | None = None
    service_tier: str | None = None


def resolve_answer(ctx: Context, tenant: str, answer_id: str, verdict: Verdict) -> Answer:
    """End an answer in doubt as failed: its calls are settled, or released where nothing was billed.

    A reply that comes later all the same changes nothing any more: each reservation ends once. Who follows
    the answer from now on is told of the decision as its end.

    Raises:
        NotFound: there is no such answer.
        Conflict: it is not in doubt.
        Invalid: the usage contradicts itself, or it is not told of which call it is.
    """
    if verdict.usage is not None:
        _check_usage(verdict, verdict.usage)
    with ctx.db.write() as tx:
        answer = answers.get(tx, tenant, answer_id)
        if answer is None:
            raise NotFound(f"There is no answer {answer_id}.")
        calls = answers.calls_of(tx, answer_id)
        doubtful = [call for call in calls if call.state is CallState.IN_DOUBT]
        if answer.status is not AnswerStatus.IN_DOUBT or not doubtful:
            raise Conflict(f"Only an answer in doubt can be resolved; this one is {answer.status.value}.")
        if verdict.usage is not None and len(doubtful) > 1:
            raise Invalid(
                f"{len(doubtful)} calls are in doubt, and usage is priced call by call: leave it out, and "
                "each is booked at its ceiling."
            )
        for call in doubtful:
            _end(tx, ctx, answer, call, verdict)
        ended = _ended(answer, answers.calls_of(tx, answer_id), len(doubtful), verdict)
        answers.conclude(tx, ended)
        answers.add_to_end(tx, answer_id, last_words(ended))
    return ended


def _check_usage(verdict: Verdict, usage: Usage) -> None:
    if not verdict.billed:
        raise Invalid("What was not billed has no usage: leave it out.")
    if usage.cached_tokens + usage.cache_write_tokens > usage.prompt_tokens:
        raise Invalid("usage: cached_tokens and cache_write_tokens are part of prompt_tokens.")
    if usage.reasoning_tokens > usage.completion_tokens:
        raise Invalid("usage: reasoning_tokens are part of completion_tokens.")


def _end(tx: Transaction, ctx: Context, answer: Answer, call: Call, verdict: Verdict) -> None:
    """Settle or release one call, and record it as it ended."""
    now = ctx.now()
    if not verdict.billed:
        ledger.release(tx, call.id, at=now)
        answers.close_call(tx, replace(call, state=CallState.FAILED), reply=None, at=now)
        return
    actual = _actual(ctx, answer, call, verdict)
    micros = call.reserved_micros if actual is None else pricing.to_micros_up(actual)
    ledger.settle(tx, call.id, actual_micros=micros, actual_usd=actual, at=now)
    settled = replace(
        call,
        state=CallState.DONE,
        usage=verdict.usage,
        service_tier=verdict.service_tier,
        actual_usd=actual,
        finish_reason=RESOLVED,
    )
    answers.close_call(tx, settled, reply=None, at=now)


def _actual(ctx: Context, answer: Answer, call: Call, verdict: Verdict) -> Decimal | None:
    """What the usage costs at the prices of the day on which it was sent; None if unknown."""
    if answer.engine == OFFLINE:
        return Decimal(0)
    usage, asked = verdict.usage, cast("Tier", answer.plan["service_tier"])
    tier = pricing.billed_tier(verdict.service_tier, asked)
    if usage is None or tier is None:
        return None
    return pricing.cost(
        ctx.catalog.model(answer.model),
        tier=tier,
        on=(call.sent_at or ctx.now()).date(),
        input_tokens=usage.prompt_tokens,
        cached_tokens=usage.cached_tokens,
        output_tokens=usage.completion_tokens,
        cache_write_tokens=usage.cache_write_tokens,
    )


def _ended(answer: Answer, calls: Sequence[Call], resolved: int, verdict: Verdict) -> Answer:
    used = [call.usage for call in calls if call.usage]
    costs = [call.actual_usd for call in calls if call.actual_usd is not None]
    return replace(
        answer,
        status=AnswerStatus.FAILED,
        usage=sum(used[1:], used[0]) if used else None,
        actual_usd=sum(costs, Decimal(0)) if costs else None,
        error=Failure(IN_DOUBT.code, f"The reply never came whole. {_said(resolved, verdict)}"),
    )


def _said(resolved: int, verdict: Verdict) -> str:
    calls = "The call was" if resolved == 1 else f"{resolved} calls were"
    if not verdict.billed:
        return f"{calls} resolved as not billed, and what was held is free again."
    booked = "its usage" if verdict.usage is not None else "what was held"
    return f"{calls} resolved as billed, and booked at {booked}."
