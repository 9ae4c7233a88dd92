"""Whether the service lives and can work."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from service.api.wiring import context
from service.usecases.context import Context

router = APIRouter(tags=["operation"])


@router.get("/healthz")
def healthz() -> dict[str, str]:
    """Answer as long as the process does."""
    return {"status": "ok"}


@router.get("/readyz")
def readyz(ctx: Annotated[Context, Depends(context)]) -> dict[str, str]:
    """Answer only while the database can be used and has this version's schema."""
    ctx.db.check_schema()
    return {"status": "ready", "engine": ctx.provider.name, "model": ctx.terms.model}
