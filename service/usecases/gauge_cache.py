"""Add to a corpus's meter what is cached of it, and what adding, removing or re-ordering documents costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from service.domain import cacheprices, packing, planner, pricing
from service.domain.cacheprices import Whole
from service.domain.caching import Pack
from service.domain.corpora import Member
from service.domain.planner import Terms
from service.store.session import Transaction
from service.usecases.context import Context
from service.usecases.forecast_cache import (
    NOTHING_HELD,
    Asking,
    Forecast,
    chain_over,
    holder_of,
    lead_of,
    look,
)


def gauge_cache(
    tx: Transaction, ctx: Context, asking: Asking, members: Sequence[Member], terms: Terms
) -> tuple[dict[str, Any], list[dict[str, str] | None]]:
    """Return the meter's `cache`, and of each document what taking it out saves and costs.

    Args:
        tx: the caller's.
        ctx: what it works in.
        asking: whose corpus it is; a question's text changes nothing of it.
        members: its documents that can be asked, in packed order.
        terms: as for every plan.
    """
    sizes = [member.tokens + member.images.tokens_min for member in members]
    prefix = terms.counts.instructions + packing.OVERHEAD.of(messages=2) + sum(sizes)
    found = _forecast(tx, ctx, asking, members, prefix)
    whole = Whole(planner.whole_input(members, terms.counts), prefix, found.tokens)
    removals = cacheprices.removals(sizes, whole, terms)
    told: list[dict[str, str] | None] = [None] * len(members)
    if removals is not None:
        told = [{"saves_usd": one.saves_usd, "costs_usd": one.costs_usd} for one in removals]
    return _described(found, whole, terms), told


def _forecast(
    tx: Transaction, ctx: Context, asking: Asking, members: Sequence[Member], prefix_tokens: int
) -> Forecast:
    if not ctx.provider.charges:
        return NOTHING_HELD
    if not members:
        return Forecast(because="Nothing here can be asked yet, so nothing is cached.")
    holder = holder_of(ctx, asking)
    sent = holder.sent(tx, [chain_over(members[:1]).head])
    pack = Pack(
        chain=chain_over(members if sent else members[:1]),
        prefix_tokens=prefix_tokens,
        lead=lead_of("answer", asking.system_prompt, is_list=asking.is_list),
    )
    names = [(one.document_id, one.filename) for one in members]
    return look(tx, holder, pack, names, sent, strategy="whole")[0]


def _described(found: Forecast, whole: Whole, terms: Terms) -> dict[str, Any]:
    unchanged = pricing.cacheable(min(found.tokens + found.lost_tokens, whole.prefix_tokens))
    now = cacheprices.held_price(whole, terms, cached_tokens=found.tokens)
    then = cacheprices.held_price(whole, terms, cached_tokens=max(unchanged, found.tokens))
    appended = cacheprices.per_thousand(whole.input_tokens, terms)
    lost = None if now is None or then is None else now - then
    return {
        **found.as_dict(),
        "next_question_usd": pricing.known_usd(now),
        "lost_tokens": found.lost_tokens,
        "lost_usd": pricing.known_usd(lost),
        "if_appended": {
            "first_usd_per_1000_tokens": pricing.known_usd(appended[0]) if appended else None,
            "later_usd_per_1000_tokens": pricing.known_usd(appended[1]) if appended else None,
        },
    }
