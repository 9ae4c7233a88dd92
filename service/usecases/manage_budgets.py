"""Budgets: what a tenant, one key or one corpus may spend, a day, a month or in all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast

from service.domain import budgets
from service.domain.budgets import Period
from service.domain.pricing import from_micros, usd
from service.errors import Invalid, NotFound
from service.store import corpora, keys, ledger
from service.store.ledger import StoredBudget
from service.store.session import Transaction
from service.usecases.context import Context

EVER = datetime(1970, 1, 1, tzinfo=UTC)
"""When a budget in all began."""

MOST_USD = Decimal(1_000_000_000)


@dataclass(frozen=True, slots=True)
class Limit:
    """What a budget is to be."""

    usd: Decimal
    period: Period


def set_budget(ctx: Context, tenant: str, scope: str, limit: Limit) -> dict[str, Any]:
    """Create or change a budget; what its period has cost so far counts.

    Raises:
        Invalid: no such scope, or no such amount.
        NotFound: no such corpus or key.
    """
    with ctx.db.write() as tx:
        set_budget_in(tx, ctx, tenant, scope, limit)
        (stored,) = ledger.budgets_of(tx, tenant, [scope])
        names = _names(tx, tenant)
    return described(stored, ctx.now(), names)


def set_budget_in(tx: Transaction, ctx: Context, tenant: str, scope: str, limit: Limit) -> None:
    """Create or change a budget within the caller's transaction; raises as `set_budget`."""
    if not 0 <= limit.usd <= MOST_USD:
        raise Invalid(f"limit_usd must be between 0 and {MOST_USD:,}.")
    if limit.usd != round(limit.usd, 6):
        raise Invalid("limit_usd has at most 6 decimals: budgets count whole micro-dollars.")
    now = ctx.now()
    budget = StoredBudget(
        tenant=tenant,
        scope=scope,
        period=limit.period,
        period_start=budgets.period_start(limit.period, now) or EVER,
        cap_micros=int(limit.usd.scaleb(6)),
    )
    ledger.set_budget(tx, budget, **_covered(tx, tenant, scope))


def list_budgets(ctx: Context, tenant: str) -> list[dict[str, Any]]:
    """Return all budgets as they stand now."""
    with ctx.db.read() as tx:
        stored = ledger.budgets_of(tx, tenant)
        names = _names(tx, tenant)
    return [described(budget, ctx.now(), names) for budget in stored]


def remove_budget(ctx: Context, tenant: str, scope: str) -> None:
    """Lift a limit; what was spent stays in the ledger.

    Raises:
        NotFound: there is no such budget.
    """
    with ctx.db.write() as tx:
        if not ledger.remove_budget(tx, tenant, scope):
            raise NotFound(f"There is no budget for {scope}.")


def _covered(tx: Transaction, tenant: str, scope: str) -> dict[str, str]:
    """Return the id that a scope is limited to, by what it is of; nothing for the whole tenant."""
    kind, _, name = scope.partition(":")
    if scope == "tenant":
        return {}
    if kind not in {"corpus", "key"} or not name:
        raise Invalid("A budget's scope is `tenant`, `key:<id>` or `corpus:<id>`.")
    if kind == "corpus" and corpora.get(tx, tenant, name) is None:
        raise NotFound(f"There is no corpus {name}.")
    if kind == "key":
        key = keys.get(tx, tenant, name)
        if key is None or key.revoked_at is not None:
            raise NotFound(f"There is no key {name}.")
    return {f"{kind}_id": name}


def _names(tx: Transaction, tenant: str) -> dict[str, str]:
    return {**corpora.names_of(tx, tenant), **keys.names_of(tx, tenant)}


def described(stored: StoredBudget, now: datetime, names: Mapping[str, str]) -> dict[str, Any]:
    """Return a budget as it stands, JSON-ready.

    A period that has ended without a call since is told as the new one: nothing is spent in it.
    """
    period = cast("Period", stored.period)
    start = budgets.period_start(period, now)
    is_over = start is not None and stored.period_start < start
    spent = 0 if is_over else stored.spent_micros
    ends = budgets.period_end(period, now)
    kind, _, name = stored.scope.partition(":")
    return {
        "scope": stored.scope,
        "corpus": names.get(name) if kind == "corpus" else None,
        "key": names.get(name) if kind == "key" else None,
        "limit_usd": usd(from_micros(stored.cap_micros)),
        "period": period,
        "period_start": start.isoformat() if start else None,
        "period_end": ends.isoformat() if ends else None,
        "spent_usd": usd(from_micros(spent)),
        "reserved_usd": usd(from_micros(stored.reserved_micros)),
        "available_usd": usd(from_micros(max(stored.cap_micros - spent - stored.reserved_micros, 0))),
    }
