"""Forget what a provider told of its limits: the account was raised, or they were another key's."""

from __future__ import annotations

from service.store import rate_limits
from service.usecases.context import Context


def forget_limits(ctx: Context, model_name: str) -> None:
    """Have the next question to a model tried, whatever its size; a refusal costs nothing.

    Raises:
        NotFound: no such model.
    """
    model = ctx.catalog.model(model_name)
    with ctx.db.write() as tx:
        rate_limits.forget(tx, engine=ctx.provider.name, model=model.id)
