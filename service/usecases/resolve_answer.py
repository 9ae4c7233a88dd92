"""Let the user decide an answer in doubt: whether its calls were billed, as the provider's own records show.

Nobody else can know it. Until then what the calls may have cost stays held.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from service.domain import pricing
from service.domain.answers import RESOLVED, Answer, AnswerStatus, Call, CallState, totalled
from service.domain.documents import Failure
from service.errors import Invalid, NotFound
from service.store import answers, ledger
from service.store.session import Transaction
from service.usecases.bill_verdict import Verdict, billed_usd
from service.usecases.context import Context
from service.usecases.correct_bill import correct_bill
from service.usecases.describe_answer import last_words
from service.usecases.running import IN_DOUBT


def resolve_answer(ctx: Context, tenant: str, answer_id: str, verdict: Verdict) -> Answer:
    """End an answer in doubt as failed: its calls are settled, or released where nothing was billed.

    Of an answer that has ended and is booked at most, only what it cost is corrected (`correct_bill`).

    A reply that comes later all the same changes nothing any more: each reservation ends once. Who follows
    the answer from now on is told of the decision as its end.

    Raises:
        NotFound: there is no such answer.
        Conflict: it is not in doubt, and what it cost is known.
        Invalid: the verdict contradicts itself, or it is not told of which call it is.
    """
    verdict.check()
    with ctx.db.write() as tx:
        answer = answers.get(tx, tenant, answer_id)
        if answer is None:
            raise NotFound(f"There is no answer {answer_id}.")
        calls = answers.calls_of(tx, answer_id)
        doubtful = [call for call in calls if call.state is CallState.IN_DOUBT]
        if answer.status is not AnswerStatus.IN_DOUBT or not doubtful:
            return correct_bill(tx, ctx, answer, verdict)
        _check_named(verdict, doubtful)
        for call in doubtful:
            _end(tx, ctx, answer, call, verdict)
        ended = _ended(answer, answers.calls_of(tx, answer_id), len(doubtful), verdict)
        answers.conclude(tx, ended)
        answers.add_to_end(tx, answer_id, last_words(ended))
    return ended


def _check_named(verdict: Verdict, doubtful: Sequence[Call]) -> None:
    """Refuse a verdict about other calls than all those in doubt."""
    parts = [call.part for call in doubtful]
    if verdict.call is not None and parts != [verdict.call]:
        said = ", ".join(map(str, parts))
        raise Invalid(f"In doubt is what was sent as call {said}: decide that first, and leave out `call`.")
    if verdict.has_figures and len(doubtful) > 1:
        raise Invalid(
            f"{len(doubtful)} calls are in doubt, and a bill is of one call: leave it out, and "
            "each is booked at its ceiling."
        )


def _end(tx: Transaction, ctx: Context, answer: Answer, call: Call, verdict: Verdict) -> None:
    """Settle or release one call, and record it as it ended."""
    now = ctx.now()
    if not verdict.billed:
        ledger.release(tx, call.id, at=now)
        answers.close_call(tx, replace(call, state=CallState.FAILED), reply=None, at=now)
        return
    actual = billed_usd(ctx, answer, call, verdict)
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


def _ended(answer: Answer, calls: Sequence[Call], resolved: int, verdict: Verdict) -> Answer:
    return replace(
        totalled(answer, calls),
        status=AnswerStatus.FAILED,
        error=Failure(IN_DOUBT.code, f"The reply never came whole. {_said(resolved, verdict)}"),
    )


def _said(resolved: int, verdict: Verdict) -> str:
    calls = "The call was" if resolved == 1 else f"{resolved} calls were"
    if not verdict.billed:
        return f"{calls} resolved as not billed, and what was held is free again."
    booked = "what was charged" if verdict.has_figures else "what was held"
    return f"{calls} resolved as billed, and booked at {booked}."
