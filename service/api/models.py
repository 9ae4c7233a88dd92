"""The models and their prices over REST, in OpenAI's list shape."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response

from service.api.access import caller, tenant
from service.api.openai_requests import split_model
from service.api.paging import Part, Place, part
from service.api.wiring import context
from service.usecases import arrange_corpus
from service.usecases.context import Context
from service.usecases.describe_model import describe_model
from service.usecases.forget_limits import forget_limits

router = APIRouter(prefix="/v1/models", tags=["models"], dependencies=[Depends(caller)])

Ctx = Annotated[Context, Depends(context)]
Tenant = Annotated[str, Depends(tenant)]


@router.get("")
def list_models(ctx: Ctx, after: Place = 0, limit: Part = None) -> dict[str, Any]:
    """List the models of the catalog."""
    shown, following = part(ctx.catalog.models, after, limit)
    return {
        "object": "list",
        "data": [_listed(model.id, ctx) for model in shown],
        "has_more": following is not None,
        "next": following,
    }


@router.delete("/{name:path}/limits", status_code=204)
def forget(ctx: Ctx, name: str) -> Response:
    """Forget the provider's limits of tokens per minute, as far as it told them: they are tried again."""
    forget_limits(ctx, name)
    return Response(status_code=204)


@router.get("/{name:path}")
def get_model(ctx: Ctx, owner: Tenant, name: str) -> dict[str, Any]:
    """Return a model: window, threshold, encoding, dated prices; also one with a corpus behind it."""
    model, corpus_id = split_model(name)
    if corpus_id is None:
        return _listed(name, ctx)
    corpus = arrange_corpus.get(ctx, owner, corpus_id)
    return {**_listed(model, ctx), "id": name, "corpus_id": corpus.id}


def _listed(name: str, ctx: Context) -> dict[str, Any]:
    model = ctx.catalog.model(name)
    first = model.price_periods[0].effective_from if model.price_periods else ctx.catalog.as_of
    created = int(datetime.combine(first, time(), UTC).timestamp())
    return {
        "id": model.id,
        "object": "model",
        "created": created,
        "owned_by": model.provider,
        **describe_model(model, ctx.catalog, on=ctx.now().date()),
        "provider": ctx.provider.parameters.told(model.id),
    }
