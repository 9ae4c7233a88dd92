"""Whether the service lives and can work."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from service import metrics
from service.api.wiring import context, refusals
from service.usecases.context import Context

router = APIRouter(tags=["operation"])


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz")
def healthz() -> dict[str, str]:
    """Answer as long as the process does."""
    return {"status": "ok"}


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz")
def readyz(ctx: Annotated[Context, Depends(context)]) -> dict[str, str]:
    """Answer only while the database can be used and has this version's schema."""
    ctx.db.check_schema()
    return {"status": "ready", "engine": ctx.provider.name, "model": ctx.terms.model}


@router.get("/metrics", response_class=Response)
def show_metrics(
    ctx: Annotated[Context, Depends(context)], refused: Annotated[metrics.Refusals, Depends(refusals)]
) -> Response:
    """Tell what the service counts, in Prometheus's text format."""
    return Response(metrics.exposition(ctx.db, refused), media_type=metrics.MEDIA_TYPE)
