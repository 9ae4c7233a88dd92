"""What a change to a corpus does to its cached prefix, in dollars: of every document at once, in one pass.

Re-ordering is taking out and adding again: it costs what the two cost.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from service.domain import planner, pricing
from service.domain.caching import OPENING_TOKENS
from service.domain.catalog import Band, Rates
from service.domain.planner import Terms

_BANDS: tuple[Band, Band] = ("short", "long")


@dataclass(frozen=True, slots=True)
class Whole:
    """One call over a whole corpus.

    Attributes:
        input_tokens: of it.
        prefix_tokens: of that, what comes before the task.
        held_tokens: of that, what is most probably cached now.
    """

    input_tokens: int
    prefix_tokens: int
    held_tokens: int


class Removal(NamedTuple):
    """What taking a document out does, in exact USD.

    Attributes:
        saves_usd: each later question, warm.
        costs_usd: the next question, once: what stood behind the document is read anew.
    """

    saves_usd: str
    costs_usd: str


def removals(sizes: Sequence[int], whole: Whole, terms: Terms) -> list[Removal] | None:
    """Return what taking out each document does; None where a price is unknown.

    Args:
        sizes: tokens of each document, in packed order.
        whole: of all of them.
        terms: as for every plan.
    """
    scale, prices = _prices(terms)
    if prices is None:
        return None
    return list(_removals(sizes, whole, terms, prices, scale))


def _removals(
    sizes: Sequence[int], whole: Whole, terms: Terms, prices: dict[Band, tuple[int, int, int]], scale: int
) -> Iterator[Removal]:
    """Whole numbers throughout: exact, and quick enough for thousands of documents."""
    at_breakpoint = terms.model.caches_at_breakpoints
    most_short = terms.model.threshold_tokens or whole.input_tokens
    output, held = terms.expected_output_tokens, whole.held_tokens
    step = 1 if at_breakpoint else pricing.CACHE_STEP
    before = whole.prefix_tokens - sum(sizes)
    now: int | None = None
    for size in (0, *sizes):
        left, prefix = whole.input_tokens - size, whole.prefix_tokens - size
        fresh, cached, out = prices["long" if left > most_short else "short"]
        kept = prefix - prefix % step if prefix >= pricing.CACHE_FROM else 0
        warm = (left - kept) * fresh + kept * cached + output * out
        if now is None:
            now = warm
            continue
        costs = 0
        if held:
            # Also where what is held ends inside it: what stands before may be too little to be cached.
            stays = 0 if at_breakpoint else pricing.cacheable(min(held, before + OPENING_TOKENS))
            rest = held - max(0, min(size, held - before))  # of what is held, what it is not
            costs = max(0, min(rest, kept) - stays) * (fresh - cached)
        yield Removal(_usd(now - warm, scale), _usd(costs, scale))
        before += size


def per_thousand(tokens: int, terms: Terms) -> tuple[Decimal, Decimal] | None:
    """What 1,000 tokens more cost a call of so much input: at first, and in later questions while cached."""
    rates = terms.model.rates(terms.tier, pricing.band_of(tokens, terms.model), terms.on)
    if rates is None:
        return None
    cached = rates.input if rates.cached_input is None else rates.cached_input
    return rates.input.scaleb(-3), cached.scaleb(-3)


def held_price(whole: Whole, terms: Terms, *, cached_tokens: int) -> Decimal | None:
    """What the next question costs with so much of it cached; None of more input than the model takes."""
    if whole.input_tokens > planner.max_input(terms):
        return None
    call = pricing.Call(
        input_tokens=whole.input_tokens,
        reserved_output_tokens=terms.reserved_output_tokens,
        expected_output_tokens=terms.expected_output_tokens,
        prefix_tokens=min(whole.prefix_tokens, whole.input_tokens),
        expected_cached_tokens=min(cached_tokens, whole.input_tokens),
    )
    estimate = pricing.estimate(terms.model, [call], tier=terms.tier, on=terms.on)
    return estimate.expected_usd if estimate else None


def _prices(terms: Terms) -> tuple[int, dict[Band, tuple[int, int, int]] | None]:
    """USD per million tokens as whole numbers (input, cached, output), and the decimals they have in USD."""
    found: dict[Band, tuple[Decimal, Decimal, Decimal]] = {}
    for band in _BANDS if terms.model.threshold_tokens is not None else _BANDS[:1]:
        rates = terms.model.rates(terms.tier, band, terms.on)
        if rates is None:
            return 0, None
        found[band] = _of(rates)
    shift = max(0, *(-_exponent(rate) for rates in found.values() for rate in rates))
    whole = {band: tuple(int(rate.scaleb(shift)) for rate in rates) for band, rates in found.items()}
    return 6 + shift, {band: (one[0], one[1], one[2]) for band, one in whole.items()}


def _of(rates: Rates) -> tuple[Decimal, Decimal, Decimal]:
    return rates.input, rates.input if rates.cached_input is None else rates.cached_input, rates.output


def _exponent(rate: Decimal) -> int:
    exponent = rate.as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0


def _usd(amount: int, scale: int) -> str:
    """As `pricing.usd` says it, from a whole number of the smallest part; nothing of less than that."""
    if amount <= 0:
        return "0.00"
    return pricing.usd_of_parts(amount, scale)
