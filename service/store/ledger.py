"""Money as rows: reservations, the append-only ledger, budgets. All in integer micro-dollars.

Every reservation is held once and ends once, by settling or by releasing; who comes second changes no row.
A budget holds under concurrency because its room is checked by the very statement that takes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, cast

from sqlalchemy import ColumnElement, Row, Select, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.sql.dml import ReturningUpdate

from service.domain import budgets as periods
from service.domain.budgets import Period
from service.domain.usage import Usage
from service.store.session import Transaction
from service.store.spelled import Spelled
from service.store.tables import answers, budgets, calls, ledger, observations, reservations

HELD, SETTLED, RELEASED = "held", "settled", "released"
_SCOPES = ("tenant_scope", "corpus_scope", "key_scope")
"""A call falls under one of each, at most: a list of any length would be spelled out for each look."""

_SPENT = ("settle", "correct")
"""Kinds of lines that say what a call cost."""


@dataclass(frozen=True, slots=True)
class StoredBudget:
    """A limit on spending in one scope (`tenant`, `key:<id>`, `corpus:<id>`) and one period."""

    tenant: str
    scope: str
    period: str
    period_start: datetime
    cap_micros: int
    spent_micros: int = 0
    reserved_micros: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger; a call's lines sum to what it cost, zero where it was not billed.

    Attributes:
        at_most: it settles a call whose cost was not known exactly then.
    """

    at: datetime
    call_id: str
    corpus_id: str
    kind: str
    micros: int
    actual_usd: Decimal | None = None
    number: int = 0
    key_id: str | None = None
    at_most: bool = False


@dataclass(frozen=True, slots=True)
class Settled:
    """A call that was paid: what it cost in the books, and exactly where that is known, corrections included.

    What was expected of it is None where the provider told no usage.
    """

    at: datetime
    corpus_id: str
    micros: int
    actual_usd: Decimal | None
    reserved_micros: int
    usage: dict[str, Any] | None
    answer_id: str
    model: str
    engine: str
    key_id: str | None = None
    expected_usd: Decimal | None = None
    forecast_cached_tokens: int | None = None
    observed_cached_tokens: int | None = None

    @property
    def is_exact(self) -> bool:
        """Whether what it cost is known; otherwise it is booked at most."""
        counted = self.usage is not None and Usage(**self.usage).is_at_most
        return self.actual_usd is not None and (not counted or not self.actual_usd)


def set_budget(
    tx: Transaction, budget: StoredBudget, *, corpus_id: str | None = None, key_id: str | None = None
) -> None:
    """Create or change a budget; what was spent since its period began and what is held counts in it.

    Args:
        tx: the caller's.
        budget: its cap and period; what it says of spending is worked out here.
        corpus_id: the corpus it covers; None covers all.
        key_id: the key it covers; None covers all.
    """
    remove_budget(tx, budget.tenant, budget.scope)
    spent = spent_since(tx, budget.tenant, budget.period_start, corpus_id=corpus_id, key_id=key_id)
    held = _join_held(tx, budget, corpus_id, key_id)
    values = {name: getattr(budget, name) for name in budgets.c.keys()}  # noqa: SIM118 - columns, not a dict
    tx.execute(insert(budgets).values(**{**values, "spent_micros": spent, "reserved_micros": held}))


def remove_budget(tx: Transaction, tenant: str, scope: str) -> bool:
    """Forget a budget; False where there is none. Reservations that name it end as ever."""
    result = tx.execute(delete(budgets).where(budgets.c.tenant == tenant, budgets.c.scope == scope))
    return result.rowcount == 1


def spent_since(
    tx: Transaction,
    tenant: str,
    start: datetime,
    *,
    corpus_id: str | None = None,
    key_id: str | None = None,
) -> int:
    """Return what was settled from that moment on, in micro-dollars."""
    query = select(func.coalesce(func.sum(ledger.c.micros), 0)).where(
        ledger.c.tenant == tenant, ledger.c.kind.in_(_SPENT), ledger.c.at >= start
    )
    if corpus_id is not None:
        query = query.where(ledger.c.corpus_id == corpus_id)
    if key_id is not None:
        query = query.where(ledger.c.key_id == key_id)
    return int(tx.execute(query).scalar_one())


def _join_held(tx: Transaction, budget: StoredBudget, corpus_id: str | None, key_id: str | None) -> int:
    """Let the reservations that are open now end in this budget too; return what they hold."""
    query = select(reservations).where(reservations.c.tenant == budget.tenant, reservations.c.state == HELD)
    if corpus_id is not None:
        query = query.where(reservations.c.corpus_id == corpus_id)
    if key_id is not None:
        query = query.where(reservations.c.key_id == key_id)
    held = 0
    for row in tx.execute(query).all():
        held += row.micros
        if budget.scope not in row.budgets:
            tx.execute(
                update(reservations)
                .where(reservations.c.call_id == row.call_id)
                .values(budgets=[*row.budgets, budget.scope])
            )
    return held


def budgets_of(tx: Transaction, tenant: str, scopes: Sequence[str] | None = None) -> list[StoredBudget]:
    """Return the tenant's budgets, or those of some scopes, three at most."""
    if scopes is None:
        return [_budget(row) for row in _BUDGETS.found(tx, {"of_tenant": tenant})]
    if not scopes:
        return []
    wanted = {name: scopes[min(n, len(scopes) - 1)] for n, name in enumerate(_SCOPES)}
    return [_budget(row) for row in _SOME_BUDGETS.found(tx, {"of_tenant": tenant, **wanted})]


def turn_period(tx: Transaction, budget: StoredBudget, period_start: datetime) -> None:
    """Begin a new period; what is still reserved is carried into it."""
    tx.execute(
        update(budgets)
        .where(
            budgets.c.tenant == budget.tenant,
            budgets.c.scope == budget.scope,
            budgets.c.period_start < period_start,
        )
        .values(period_start=period_start, spent_micros=0)
    )


def take_room(tx: Transaction, budget: StoredBudget, micros: int) -> bool:
    """Reserve in one budget; False where its room does not hold the amount."""
    room = budgets.c.cap_micros - budgets.c.spent_micros - budgets.c.reserved_micros
    result = tx.execute(
        update(budgets)
        .where(budgets.c.tenant == budget.tenant, budgets.c.scope == budget.scope, room >= micros)
        .values(reserved_micros=budgets.c.reserved_micros + micros)
    )
    return result.rowcount == 1


def hold(
    tx: Transaction,
    *,
    call_id: str,
    tenant: str,
    corpus_id: str,
    micros: int,
    scopes: Sequence[str],
    at: datetime,
    key_id: str | None = None,
) -> None:
    """Record a reservation that `take_room` made in these budgets."""
    row = {
        "call_id": call_id,
        "tenant": tenant,
        "corpus_id": corpus_id,
        "state": HELD,
        "micros": micros,
        "budgets": list(scopes),
        "key_id": key_id,
    }
    _HOLD.on(tx, row)
    names: dict[str, Any] = {"tenant": tenant, "corpus_id": corpus_id, "key_id": key_id}
    _enter(tx, [_line(at, call_id, kind="reserve", micros=micros, **names)])


def settle(
    tx: Transaction, call_id: str, *, actual_micros: int, actual_usd: Decimal | None, at: datetime
) -> bool:
    """End a reservation with what the call cost; False where it had ended already."""
    held = _end(tx, call_id, SETTLED, spent=actual_micros, at=at)
    if held is None:
        return False
    names = {"tenant": held.tenant, "corpus_id": held.corpus_id, "key_id": held.key_id}
    free = _line(at, call_id, kind="release", micros=-held.micros, **names)
    paid = _line(at, call_id, kind="settle", micros=actual_micros, actual_usd=actual_usd, **names)
    _enter(tx, [free, paid])
    return True


def correct(tx: Transaction, call_id: str, *, actual_micros: int, actual_usd: Decimal) -> None:
    """Enter what a settled call cost more or less than was booked; it counts when the call was settled.

    Raises:
        LookupError: the call was never settled.
    """
    query = select(ledger).where(ledger.c.call_id == call_id, ledger.c.kind.in_(_SPENT))
    lines = tx.execute(query.order_by(ledger.c.id).with_for_update()).all()
    if not lines:
        raise LookupError(f"call {call_id} was never settled")
    first, more = lines[0], actual_micros - sum(line.micros for line in lines)
    names = {"tenant": first.tenant, "corpus_id": first.corpus_id, "key_id": first.key_id}
    _enter(tx, [_line(first.at, call_id, kind="correct", micros=more, actual_usd=actual_usd, **names)])
    scopes = ["tenant", f"corpus:{first.corpus_id}", f"key:{first.key_id}"]
    tx.execute(
        update(budgets)
        .where(
            budgets.c.tenant == first.tenant,
            budgets.c.scope.in_(scopes),
            budgets.c.period_start <= first.at,
        )
        .values(spent_micros=budgets.c.spent_micros + more)
    )


def release(tx: Transaction, call_id: str, *, at: datetime) -> bool:
    """End a reservation of a call that was not billed; False where it had ended already."""
    held = _end(tx, call_id, RELEASED, spent=0, at=at)
    if held is None:
        return False
    names = {"tenant": held.tenant, "corpus_id": held.corpus_id, "key_id": held.key_id}
    _enter(tx, [_line(at, call_id, kind="release", micros=-held.micros, **names)])
    return True


def entries(
    tx: Transaction,
    tenant: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    after: int = 0,
    limit: int | None = None,
) -> list[Entry]:
    """Return the tenant's ledger in the order in which it was written.

    Args:
        tx: the caller's.
        tenant: whose.
        since: from this moment on.
        until: before this moment.
        after: only entries with a higher number.
        limit: at most so many.
    """
    query = select(ledger, calls.c.usage).outerjoin(calls, calls.c.id == ledger.c.call_id)
    query = query.where(ledger.c.tenant == tenant, ledger.c.id > after, *_within(since, until))
    return [_entry(row) for row in tx.execute(query.order_by(ledger.c.id).limit(limit))]


def settled(
    tx: Transaction, tenant: str, *, since: datetime | None = None, until: datetime | None = None
) -> Iterator[Settled]:
    """Yield every settled call with what it cost, what was reserved and what was asked, oldest first."""
    query = (
        select(
            ledger.c.at,
            ledger.c.corpus_id,
            (ledger.c.micros + _corrections()).label("micros"),
            calls.c.actual_usd,
            calls.c.reserved_micros,
            calls.c.usage,
            answers.c.id.label("answer_id"),
            answers.c.model,
            answers.c.engine,
            ledger.c.key_id,
            observations.c.expected_usd,
            observations.c.forecast_cached_tokens,
            observations.c.cached_tokens.label("observed_cached_tokens"),
        )
        .join(calls, calls.c.id == ledger.c.call_id)
        .join(answers, answers.c.id == calls.c.answer_id)
        .outerjoin(observations, observations.c.call_id == calls.c.id)
        .where(ledger.c.tenant == tenant, ledger.c.kind == "settle", *_within(since, until))
        .order_by(ledger.c.id)
    )
    for row in tx.execute(query):
        yield Settled(**row._asdict())


def _corrections() -> ColumnElement[int]:
    """What a settled call was corrected by since."""
    later = ledger.alias()
    corrected = select(func.coalesce(func.sum(later.c.micros), 0))
    corrected = corrected.where(later.c.call_id == ledger.c.call_id, later.c.kind == "correct")
    return corrected.correlate(ledger).scalar_subquery()


def is_held(tx: Transaction, call_id: str) -> bool:
    """Whether a call's reservation has not ended."""
    query = select(reservations.c.call_id).where(
        reservations.c.call_id == call_id, reservations.c.state == HELD
    )
    return tx.execute(query).one_or_none() is not None


def held_micros(tx: Transaction, tenant: str) -> int:
    """Return what is reserved for calls that have not ended, those in doubt included."""
    query = select(func.coalesce(func.sum(reservations.c.micros), 0)).where(
        reservations.c.tenant == tenant, reservations.c.state == HELD
    )
    return int(tx.execute(query).scalar_one())


def _within(since: datetime | None, until: datetime | None) -> list[ColumnElement[bool]]:
    bounds = [ledger.c.at >= since if since else None, ledger.c.at < until if until else None]
    return [bound for bound in bounds if bound is not None]


def _end(tx: Transaction, call_id: str, state: str, *, spent: int, at: datetime) -> Any:  # noqa: ANN401 - a tuple with names, or None
    held = next(iter(_ENDED.found(tx, {"of_call": call_id, "to_state": state})), None)
    if held is not None and held.budgets:
        _turn_what_is_over(tx, held.tenant, held.budgets, at)
        tx.execute(
            update(budgets)
            .where(budgets.c.tenant == held.tenant, budgets.c.scope.in_(held.budgets))
            .values(
                reserved_micros=budgets.c.reserved_micros - held.micros,
                spent_micros=budgets.c.spent_micros + spent,
            )
        )
    return held


_HOLD = Spelled(lambda: insert(reservations).inline())
_ENTER = Spelled(lambda: insert(ledger).inline())


def _budgets() -> Select[Any]:
    return select(budgets).where(budgets.c.tenant == bindparam("of_tenant")).order_by(budgets.c.scope)


def _some_budgets() -> Select[Any]:
    return _budgets().where(or_(*(budgets.c.scope == bindparam(name) for name in _SCOPES)))


_BUDGETS, _SOME_BUDGETS = Spelled(_budgets), Spelled(_some_budgets)


def _ended() -> ReturningUpdate[Any]:
    held = (reservations.c.call_id == bindparam("of_call")) & (reservations.c.state == HELD)
    told = ("tenant", "corpus_id", "micros", "budgets", "key_id")
    ended = update(reservations).where(held).values(state=bindparam("to_state"))
    return ended.returning(*(reservations.c[name] for name in told))


_ENDED = Spelled(_ended)


def _turn_what_is_over(tx: Transaction, tenant: str, scopes: Sequence[str], at: datetime) -> None:
    """Begin the periods that this moment lies in: a bill counts in the period in which it is settled."""
    for budget in budgets_of(tx, tenant, scopes):
        start = periods.period_start(cast("Period", budget.period), at)
        if start is not None and budget.period_start < start:
            turn_period(tx, budget, start)


def _enter(tx: Transaction, lines: Sequence[dict[str, Any]]) -> None:
    """Write lines in their order."""
    _ENTER.on_each(tx, lines) if len(lines) > 1 else _ENTER.on(tx, lines[0])


def _line(
    at: datetime,
    call_id: str,
    *,
    tenant: str,
    corpus_id: str,
    key_id: str | None,
    kind: str,
    micros: int,
    actual_usd: Decimal | None = None,
) -> dict[str, Any]:
    return {
        "at": at,
        "tenant": tenant,
        "corpus_id": corpus_id,
        "key_id": key_id,
        "call_id": call_id,
        "kind": kind,
        "micros": micros,
        "actual_usd": actual_usd,
    }


def _entry(row: Row[Any]) -> Entry:
    usage = row.usage or {}
    signs = ("estimated", "priced_as", "invoiced")
    counted = row.actual_usd is None or any(usage.get(sign) for sign in signs)
    return Entry(
        at=row.at,
        call_id=row.call_id,
        corpus_id=row.corpus_id,
        kind=row.kind,
        micros=row.micros,
        actual_usd=row.actual_usd,
        number=row.id,
        key_id=row.key_id,
        at_most=row.kind == "settle" and counted and row.micros > 0,
    )


def _budget(row: Any) -> StoredBudget:  # noqa: ANN401 - a tuple with names
    return StoredBudget(
        tenant=row.tenant,
        scope=row.scope,
        period=row.period,
        period_start=row.period_start,
        cap_micros=row.cap_micros,
        spent_micros=row.spent_micros,
        reserved_micros=row.reserved_micros,
    )
