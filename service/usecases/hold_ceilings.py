"""Hold the ceiling of each call of an answer, in the transaction that accepts it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import cast

from service.domain import budgets, pricing
from service.domain.answers import Answer, Call, CallState
from service.domain.budgets import Budget, Period
from service.domain.planner import Plan, PlannedCall, Terms
from service.errors import BudgetExceeded, Fix, KeyNeeded
from service.store import answers, corpora, keys, ledger
from service.store.ledger import StoredBudget
from service.store.session import Transaction
from service.usecases.context import Context
from service.usecases.keep_replies import keep_reply


def ready_calls(ctx: Context, answer: Answer, plan: Plan, terms: Terms) -> tuple[Call, ...]:
    """Return the calls of a plan that have to be paid for, each with its ceiling."""
    return tuple(
        Call(
            id=f"{answer.id}.{part}",
            answer_id=answer.id,
            part=part,
            state=CallState.READY,
            reserved_micros=_ceiling_micros(planned, terms) if ctx.provider.charges else 0,
        )
        for part, planned in enumerate(plan.all_calls)
        if not planned.kept
    )


def hold_ceilings(
    tx: Transaction,
    ctx: Context,
    answer: Answer,
    calls: Sequence[Call],
    *,
    plan: Plan,
    terms: Terms,
    key_id: str | None,
) -> None:
    """Record the calls, and hold the ceiling of each in every budget it falls under.

    A call that an earlier answer has paid for holds nothing: its reply is kept.

    Args:
        tx: the caller's.
        ctx: what it works in.
        answer: whose calls they are.
        calls: those that have to be paid for.
        plan: that is carried out.
        terms: that it is priced on.
        key_id: the key it is asked with.

    Raises:
        BudgetExceeded: a budget has no room for it, or nobody knows the price.
        KeyNeeded: the key was revoked meanwhile.
    """
    if key_id is not None:
        _refuse_revoked(tx, answer.tenant, key_id)
    scopes = ("tenant", f"corpus:{answer.corpus_id}", *([f"key:{key_id}"] if key_id else ()))
    limits = ledger.budgets_of(tx, answer.tenant, scopes)
    if ctx.provider.charges:
        _refuse_unbounded(tx, plan, limits, terms)
    to_pay = {call.part: call for call in calls}
    for part, planned in enumerate(plan.all_calls):
        if planned.kept:
            keep_reply(tx, answer, part, planned)
            continue
        call = to_pay[part]
        answers.add_call(
            tx, call, input_tokens=planned.expected_input_tokens, prefix_sha256=planned.prefix_sha256
        )
        held = [_hold(tx, stored, call.reserved_micros, ctx.now()) for stored in limits]
        ledger.hold(
            tx,
            call_id=call.id,
            tenant=answer.tenant,
            corpus_id=answer.corpus_id,
            micros=call.reserved_micros,
            scopes=held,
            at=ctx.now(),
            key_id=key_id,
        )
        limits = ledger.budgets_of(tx, answer.tenant, scopes) if held else limits


def _refuse_revoked(tx: Transaction, tenant: str, key_id: str) -> None:
    """Refuse a key that was revoked since it was recognised: its budget went with it, and holds nothing."""
    key = keys.get(tx, tenant, key_id)
    if key is None or key.revoked_at is not None:
        raise KeyNeeded("The key was revoked just now. Send one that holds.")


def _refuse_unbounded(tx: Transaction, plan: Plan, limits: Sequence[StoredBudget], terms: Terms) -> None:
    """Refuse a question whose price nobody knows where a budget has to be held: it could pass any."""
    if plan.estimate is not None or not limits:
        return
    scope = limits[0].scope
    raise BudgetExceeded(
        f"No price is published for {terms.model.id} at {terms.tier}, so the budget of "
        f"{_named(tx, limits[0])} can't be held. Ask a model whose price is known, name this one's "
        "prices, or lift the budget.",
        fixes=(
            Fix("use_model", "Ask a model, at a service tier, whose price is known."),
            Fix("name_prices", "Name the model's prices in the file of UNABRIDGED_MODELS_FILE."),
            Fix("remove_budget", "Lift the budget.", (("scope", scope),)),
        ),
    )


def _ceiling_micros(planned: PlannedCall, terms: Terms) -> int:
    top = pricing.ceiling(
        terms.model,
        tier=terms.tier,
        on=terms.on,
        input_tokens=planned.ceiling_input_tokens,
        output_tokens=planned.reserved_output_tokens,
    )
    return 0 if top is None else pricing.to_micros_up(top)


def _named(tx: Transaction, stored: StoredBudget) -> str:
    """Return what a budget is of, as people call it."""
    kind, _, id_ = stored.scope.partition(":")
    if not id_:
        return "everything"
    names = corpora if kind == "corpus" else keys
    return f"the {kind} “{names.names_of(tx, stored.tenant).get(id_, id_)}”"


def _hold(tx: Transaction, stored: StoredBudget, micros: int, now: datetime) -> str:
    """Take room in one budget, in its current period; the rule (and its message) is the domain's."""
    period = cast("Period", stored.period)
    start = budgets.period_start(period, now)
    spent = stored.spent_micros
    if start is not None and stored.period_start < start:
        ledger.turn_period(tx, stored, start)
        spent = 0
    if not ledger.take_room(tx, stored, micros):
        name = _named(tx, stored)
        Budget(
            cap=stored.cap_micros,
            spent=spent,
            reserved=stored.reserved_micros,
            period=period,
            scope=stored.scope,
            name=name,
        ).reserve(micros)
        raise BudgetExceeded(f"The budget of {name} is taken up just now. Ask again in a moment.")
    return stored.scope
