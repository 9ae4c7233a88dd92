"""The ledger and budgets over REST."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from service.api import paging
from service.api.access import manager, tenant
from service.api.paging import Part, Place
from service.api.schemas import Amount, Body, Listing
from service.api.wiring import context
from service.domain.budgets import Period
from service.domain.keys import Caller
from service.domain.pricing import from_micros, usd
from service.store.ledger import Entry
from service.usecases import manage_budgets, report_spend
from service.usecases.context import Context
from service.usecases.manage_budgets import Limit
from service.usecases.report_spend import Grouping, Span

LINES = 100

router = APIRouter(prefix="/v1", tags=["money"])

Ctx = Annotated[Context, Depends(context)]
Tenant = Annotated[str, Depends(tenant)]
Manager = Annotated[Caller, Depends(manager)]
Since = Annotated[datetime | None, Query(alias="from", description="From this moment on.")]
Until = Annotated[datetime | None, Query(alias="to", description="Before this moment.")]


class BudgetLimit(Body):
    """What a budget is to be."""

    limit_usd: Amount
    period: Period = "total"


@router.get("/ledger")
def ledger(
    ctx: Ctx,
    owner: Tenant,
    since: Since = None,
    until: Until = None,
    group_by: Grouping | None = None,
    after: Annotated[int, Query(ge=0, lt=1 << 63)] = 0,
    limit: Annotated[
        int | None, Query(ge=1, le=1000, description="100 unless told; of sums all of them.")
    ] = None,
) -> dict[str, Any]:
    """Return what was reserved, released and settled, line by line; with `group_by` the sums."""
    span = Span(since, until)
    if group_by is not None:
        return _part_of(report_spend.report_spend(ctx, owner, span, group_by), after, limit)
    limit = limit or LINES
    found = report_spend.list_entries(ctx, owner, span, after=after, limit=limit + 1)
    more = len(found) > limit
    shown = [_line(entry) for entry in found[:limit]]
    return {"data": shown, "has_more": more, "next": str(found[limit - 1].number) if more else None}


@router.get("/budgets")
def list_budgets(ctx: Ctx, owner: Tenant, after: Place = 0, limit: Part = None) -> Listing[dict[str, Any]]:
    """List the budgets as they stand."""
    return paging.listed(manage_budgets.list_budgets(ctx, owner), after, limit)


@router.put("/budgets/{scope}")
def set_budget(ctx: Ctx, who: Manager, scope: str, body: BudgetLimit) -> dict[str, Any]:
    """Limit what `tenant`, `key:<id>` or `corpus:<id>` may spend a day, a month or in all."""
    return manage_budgets.set_budget(ctx, who.tenant, scope, Limit(body.limit_usd, body.period))


@router.delete("/budgets/{scope}", status_code=204)
def remove_budget(ctx: Ctx, who: Manager, scope: str) -> Response:
    """Lift a limit."""
    manage_budgets.remove_budget(ctx, who.tenant, scope)
    return Response(status_code=204)


def _part_of(report: dict[str, Any], after: int, limit: int | None) -> dict[str, Any]:
    """Return the sums that were asked for; those in all are of every group."""
    shown, following = paging.part(report["data"], after, limit)
    return {**report, "data": shown, "has_more": following is not None, "next": following}


def _line(entry: Entry) -> dict[str, Any]:
    return {
        "id": str(entry.number),
        "at": entry.at.isoformat(),
        "kind": entry.kind,
        "answer_id": entry.call_id.rpartition(".")[0],
        "call_id": entry.call_id,
        "corpus_id": entry.corpus_id,
        "key_id": entry.key_id,
        "usd": usd(from_micros(entry.micros)),
        "actual_usd": None if entry.actual_usd is None else usd(entry.actual_usd),
        "at_most": entry.at_most,
    }
