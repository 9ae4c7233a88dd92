"""Keep what was offered, in a transaction of its own: planning only reads, and no writer waits for it."""

from __future__ import annotations

from service.errors import NotFound
from service.store import corpora, plans
from service.store.plans import StoredPlan
from service.usecases.context import Context


def keep_plans(ctx: Context, corpus_id: str, offered: list[StoredPlan]) -> None:
    """Record plans that were made on what the corpus was a moment ago.

    What changed since they were made is seen when one of them is asked, as what changes later is.

    Raises:
        NotFound: the corpus is gone meanwhile.
    """
    with ctx.db.write() as tx:
        if not corpora.exists(tx, corpus_id):
            raise NotFound(f"There is no corpus {corpus_id}.")
        plans.add(tx, offered)
