"""Keys over REST."""

from __future__ import annotations

from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Request, Response
from pydantic import AwareDatetime

from service.api.access import KnownKeys, manager, tenant
from service.api.paging import AfterKey, Size
from service.api.schemas import Amount, Body, Listing
from service.api.wiring import context
from service.domain.budgets import Period
from service.domain.keys import Caller
from service.errors import Invalid
from service.usecases import manage_keys
from service.usecases.context import Context
from service.usecases.manage_budgets import Limit
from service.usecases.manage_keys import NewKey

router = APIRouter(prefix="/v1/keys", tags=["keys"])


def known_keys(request: Request) -> KnownKeys:
    """Return what this process remembers of keys."""
    return cast("KnownKeys", request.app.state.known_keys)


Ctx = Annotated[Context, Depends(context)]
Tenant = Annotated[str, Depends(tenant)]
Manager = Annotated[Caller, Depends(manager)]
Known = Annotated[KnownKeys, Depends(known_keys)]


class KeyRequest(Body):
    """What a key is to be."""

    name: str
    tenant: str | None = None
    limit_usd: Amount | None = None
    period: Period | None = None
    expires_at: AwareDatetime | None = None

    def as_new_key(self) -> NewKey:
        """Return it in the use case's words.

        Raises:
            Invalid: a period is said, and no limit.
        """
        if self.limit_usd is None and self.period is not None:
            raise Invalid("period says how long limit_usd lasts: say limit_usd too.")
        limit = None if self.limit_usd is None else Limit(self.limit_usd, self.period or "total")
        return NewKey(self.name, self.tenant, limit, self.expires_at)


@router.post("", status_code=201)
def add(ctx: Ctx, who: Manager, known: Known, body: KeyRequest, response: Response) -> dict[str, Any]:
    """Make a key for the own tenant; its `secret` is told here and never again."""
    made = manage_keys.add_own_key(ctx, who, body.as_new_key())
    known.forget()
    response.headers["Cache-Control"] = "no-store"
    return made


@router.get("")
def list_keys(ctx: Ctx, owner: Tenant, after: AfterKey = None, limit: Size = 100) -> Listing[dict[str, Any]]:
    """List the tenant's keys, revoked ones too, oldest first."""
    found = manage_keys.list_keys(ctx, owner, after=after, limit=limit + 1)
    more = len(found) > limit
    return Listing(data=found[:limit], has_more=more, next=found[limit - 1]["id"] if more else None)


@router.delete("/{key_id}", status_code=204)
def revoke(ctx: Ctx, who: Manager, known: Known, key_id: str) -> Response:
    """Revoke a key for good; what was spent with it stays in the ledger."""
    manage_keys.revoke_own_key(ctx, who, key_id)
    known.forget()
    return Response(status_code=204)
