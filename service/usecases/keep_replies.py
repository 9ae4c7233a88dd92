"""Take over the replies of an answer that is gone on with: they were paid for there, and only there."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from service.domain.answers import Answer
from service.domain.planner import PlannedCall
from service.errors import Fix, PlanChanged
from service.store import answers
from service.store.plans import StoredPlan
from service.store.session import Transaction
from service.usecases.plan_again import RETRY


def gone_on_with(tx: Transaction, tenant: str, stored: StoredPlan | None) -> Answer | None:
    """Return the answer that does already what a plan is to do: an answer is gone on with once."""
    if stored is None or not stored.plan.get(RETRY):
        return None
    before = answers.get(tx, tenant, stored.plan[RETRY])
    return before and answers.get(tx, tenant, before.retried_as or "")


def keep_reply(tx: Transaction, answer: Answer, part: int, planned: PlannedCall) -> None:
    """Record a call as done with the reply that is there; no money is held, and none is booked.

    Raises:
        PlanChanged: it is not there any more.
    """
    before = answers.call_of(tx, answer.retry_of or "", part)
    if before is None or not before.is_whole:
        raise PlanChanged(
            "Since the plan was made, what is kept changed. Ask for a new plan.", fixes=(Fix("plan_again"),)
        )
    kept = replace(
        before,
        id=f"{answer.id}.{part}",
        answer_id=answer.id,
        reserved_micros=0,
        attempts=0,
        sent_at=None,
        actual_usd=Decimal(0),
        kept_from=before.kept_from or before.id,
    )
    answers.add_call(
        tx, kept, input_tokens=planned.expected_input_tokens, prefix_sha256=planned.prefix_sha256
    )
