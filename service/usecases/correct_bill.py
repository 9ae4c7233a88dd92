"""Correct what is booked at most to what the provider's invoice says: of calls that told no usage.

The ledger keeps what was booked and gets a line with the difference, which counts on the day it corrects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from service.domain import pricing
from service.domain.answers import RESOLVED, Answer, Call, CallState, totalled
from service.errors import Conflict, Invalid
from service.store import answers, ledger
from service.store.session import Transaction
from service.usecases.bill_verdict import OFFLINE, Verdict, billed_usd
from service.usecases.context import Context
from service.usecases.describe_answer import last_words

_CHARGED = "The reply never came whole. It was resolved as billed, and booked at what was charged."


def correct_bill(tx: Transaction, ctx: Context, answer: Answer, verdict: Verdict) -> Answer:
    """Book one call of an ended answer as it was billed, in the caller's transaction.

    A later verdict about the same call corrects this one.

    Raises:
        Conflict: it has not ended, or every call told its usage.
        Invalid: it is not said what was billed, or for which call.
    """
    calls = answers.calls_of(tx, answer.id)
    call = _meant(answer, calls, verdict)
    actual = billed_usd(ctx, answer, call, verdict)
    if actual is None:
        raise Invalid("The price of that usage is not known: say what was billed as `amount_usd`.")
    usage = verdict.usage or call.usage
    corrected = replace(call, actual_usd=actual, usage=usage and replace(usage, invoiced=True))
    ledger.correct(tx, call.id, actual_micros=pricing.to_micros_up(actual), actual_usd=actual)
    answers.rebill_call(tx, corrected)
    ended = totalled(answer, [corrected if one.id == call.id else one for one in calls])
    if answer.error is not None and call.finish_reason == RESOLVED:  # it told at what it was booked until now
        ended = replace(ended, error=replace(answer.error, detail=_CHARGED))
    answers.rebill(tx, ended)
    answers.add_to_end(tx, answer.id, last_words(ended))
    return ended


def _meant(answer: Answer, calls: Sequence[Call], verdict: Verdict) -> Call:
    """Return the call that a verdict is about."""
    open_ones = [call for call in calls if answer.status.final and _can_be_corrected(answer, call)]
    if not open_ones or _is_second_verdict(open_ones, verdict):
        raise Conflict(
            "Only an answer in doubt, or one whose cost is told as at most, can be resolved; this one is "
            f"{answer.status.value}."
        )
    if verdict.billed and not verdict.has_figures:
        raise Invalid("Say what the invoice says: `usage`, or `amount_usd`.")
    named = [call for call in open_ones if verdict.call is None or call.part == verdict.call]
    if len(named) != 1:
        parts = ", ".join(str(call.part) for call in open_ones)
        raise Invalid(f"Say by `call` which call was billed so; those that told no usage are {parts}.")
    return named[0]


def _can_be_corrected(answer: Answer, call: Call) -> bool:
    if answer.engine == OFFLINE or call.state is not CallState.DONE or call.kept_from is not None:
        return False
    if call.actual_usd is None or call.finish_reason == RESOLVED:
        return True
    return call.usage is not None and (call.usage.is_at_most or call.usage.invoiced)


def _is_second_verdict(calls: Sequence[Call], verdict: Verdict) -> bool:
    """Whether it only repeats whether a call was billed that was decided already: figures would be news."""
    return not verdict.has_figures and all(call.finish_reason == RESOLVED for call in calls)
