"""The price rules: which band a request falls in, what it costs, and what it can cost at most.

The threshold is a cliff, not a marginal rate: a request of strictly more input tokens than the model's
threshold pays the long rates for every one of its tokens, cached ones and output too (the vendor: "prompts
with more than 272K input tokens", "full request"). Cached tokens count toward it; output does not.

All money is exact `Decimal` USD; nothing is rounded before `to_micros_up`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, Decimal
from functools import lru_cache

from service.domain.catalog import Band, Model, Rates, Tier

CACHE_STEP = 128
"""Equal prefixes are cached in whole steps of this many tokens; the last partial step is not."""

CACHE_FROM = 1024
"""Shorter prefixes are not cached at all."""

_BILLED: dict[str, Tier] = {
    "default": "standard",
    "standard": "standard",
    "flex": "flex",
    "priority": "priority",
    "fast": "priority",
    "batch": "batch",
}


@dataclass(frozen=True, slots=True)
class Call:
    """One request as it will be sent, before anyone knows the answer.

    Attributes:
        input_tokens: the exact count of the packed prompt.
        reserved_output_tokens: `max_completion_tokens`, reasoning included: the answer cannot be longer.
        expected_output_tokens: the most probable length, at most the reserved one.
        prefix_tokens: how much of the prompt's beginning later questions will repeat byte for byte.
        expected_cached_tokens: how much of the input the provider most probably holds right now.
        most_input_tokens: the most the provider may count, where images make the count a range.
    """

    input_tokens: int
    reserved_output_tokens: int
    expected_output_tokens: int
    prefix_tokens: int = 0
    expected_cached_tokens: int = 0
    most_input_tokens: int | None = None

    def __post_init__(self) -> None:
        """Refuse counts that contradict each other.

        Raises:
            ValueError: they do; a mistake of the caller.
        """
        _ordered(0, self.expected_output_tokens, self.reserved_output_tokens)
        _ordered(0, self.prefix_tokens, self.input_tokens, self.ceiling_input_tokens)
        _ordered(0, self.expected_cached_tokens, self.input_tokens)

    @property
    def ceiling_input_tokens(self) -> int:
        """The most input the provider may bill."""
        return self.input_tokens if self.most_input_tokens is None else self.most_input_tokens


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a set of calls costs together, in exact USD.

    With published prices, where a cached token never costs more than a fresh one,
    min ≤ warm ≤ cold ≤ max and min ≤ expected ≤ max.

    Attributes:
        min_usd: every cacheable prefix read from the cache (or what is expected of it, if that is more), one
            token of output a call.
        expected_usd: the expected cached tokens read from the cache, the expected output.
        max_usd: a true ceiling: nothing cached, the full reserved output, the most input the provider may
            count, all of it at the dearest of the input, cached and cache-write rates. No bill passes it.
        cold_usd: nothing cached, the expected output. Where the model charges for writing its cache, the
            cacheable prefix pays the write rate.
        warm_usd: the cacheable prefix read from the cache (`cacheable`), the expected output.
    """

    min_usd: Decimal
    expected_usd: Decimal
    max_usd: Decimal
    cold_usd: Decimal
    warm_usd: Decimal

    def for_questions(self, questions: int) -> Decimal:
        """What so many questions in sequence cost: the first cold, the others warm.

        Raises:
            ValueError: fewer than one question.
        """
        _ordered(1, questions)
        return self.cold_usd + (questions - 1) * self.warm_usd


def band_of(input_tokens: int, model: Model) -> Band:
    """`long` for strictly more input tokens, cached ones included, than the model's threshold."""
    over = model.threshold_tokens is not None and input_tokens > model.threshold_tokens
    return "long" if over else "short"


def cost(
    model: Model,
    *,
    tier: Tier,
    on: date,
    input_tokens: int,
    cached_tokens: int,
    output_tokens: int,
    cache_write_tokens: int = 0,
) -> Decimal | None:
    """The exact price of one request in USD; None where its rates are unknown.

    Args:
        model: whose prices.
        tier: as it was processed, not as it was asked for (`billed_tier`).
        on: the UTC day of the request.
        input_tokens: all input, the cached and the newly written tokens among it.
        cached_tokens: read from the cache; at the input rate where no cached rate is published.
        output_tokens: all output, reasoning among it.
        cache_write_tokens: written to the cache; at the input rate where writing is free.

    Raises:
        ValueError: a count is negative, or more is cached and written than there is input.
    """
    _ordered(0, output_tokens)
    _ordered(0, cached_tokens)
    _ordered(0, cache_write_tokens)
    _ordered(cached_tokens + cache_write_tokens, input_tokens)
    rates = model.rates(tier, band_of(input_tokens, model), on)
    if rates is None:
        return None
    fresh = input_tokens - cached_tokens - cache_write_tokens
    return _usd(
        fresh * rates.input
        + cached_tokens * _cached_rate(rates)
        + cache_write_tokens * _write_rate(rates)
        + output_tokens * rates.output
    )


def ceiling(model: Model, *, tier: Tier, on: date, input_tokens: int, output_tokens: int) -> Decimal | None:
    """The most a request of at most these counts can cost, however much of it is cached or written.

    The catalog refuses long rates below the short ones, so less input never costs more.
    """
    rates = model.rates(tier, band_of(input_tokens, model), on)
    if rates is None:
        return None
    dearest = max(rates.input, _cached_rate(rates), _write_rate(rates))
    return _usd(input_tokens * dearest + output_tokens * rates.output)


def estimate(model: Model, calls: Iterable[Call], *, tier: Tier, on: date) -> Estimate | None:
    """What the calls of one plan cost together; None where the rates of any of them are unknown."""
    total = Estimate(*[Decimal(0)] * 5)
    for call in calls:
        one = _estimate(model, call, tier=tier, on=on)
        if one is None:
            return None
        total = _sum(total, one)
    return total


def threshold_extra(model: Model, call: Call, *, tier: Tier, on: date) -> Decimal | None:
    """What passing the threshold adds to a cold call: long rates less short rates for the same tokens.

    Zero for a call at or below the threshold; None where a rate is unknown.
    """
    if band_of(call.input_tokens, model) == "short":
        return Decimal(0)
    long, short = model.rates(tier, "long", on), model.rates(tier, "short", on)
    if long is None or short is None:
        return None
    more = call.input_tokens * (long.input - short.input)
    return _usd(more + call.expected_output_tokens * (long.output - short.output))


def input_usd(tokens: int, rates: Rates) -> Decimal:
    """What so many tokens of a request's input cost uncached, at its rates: a document's share of a call."""
    return _usd(tokens * rates.input)


def input_shares(tokens: Iterable[tuple[str, int, Decimal]]) -> dict[str, str]:
    """Return what tokens of input cost uncached, by name: `usd` of the sum of `input_usd`, in whole numbers.

    Args:
        tokens: of each name, maybe several times, with the rate they are billed at: USD per million.
    """
    told = list(tokens)
    exponents = {rate: rate.as_tuple().exponent for rate in {rate for _, _, rate in told}}
    shift = max([0, *(-one for one in exponents.values() if isinstance(one, int))])
    whole = {rate: int(rate.scaleb(shift)) for rate in exponents}
    sums: dict[str, int] = {}
    for name, count, rate in told:
        sums[name] = sums.get(name, 0) + count * whole[rate]
    return {name: usd_of_parts(parts, 6 + shift) for name, parts in sums.items()}


@lru_cache(maxsize=1 << 16)
def usd_of_parts(parts: int, scale: int) -> str:
    """Return `usd` of a whole number, not negative, of the smallest parts; so many decimals make a dollar."""
    digits = str(parts).zfill(scale + 1)
    return f"{digits[:-scale]}.{digits[-scale:].rstrip('0').ljust(2, '0')}"


def cacheable(prefix_tokens: int, *, at_breakpoint: bool = False) -> int:
    """How much of an equal prefix the provider's cache can serve: whole steps, from `CACHE_FROM` up.

    Models that cache at explicit breakpoints (`Model.caches_at_breakpoints`) hold every token before one: a
    recorded gpt-5.6 reply wrote, and the next one read, 4,012.
    """
    if prefix_tokens < CACHE_FROM:
        return 0
    return prefix_tokens if at_breakpoint else prefix_tokens // CACHE_STEP * CACHE_STEP


def billed_tier(replied: str | None, asked: Tier) -> Tier | None:
    """The tier whose prices hold, from the reply's `service_tier`.

    A reply that names none was processed as asked, and so was a batch (whose replies say `default`). None
    for a tier without known prices.
    """
    if replied is None or asked == "batch":
        return asked
    return _BILLED.get(replied)


def to_micros_up(usd_amount: Decimal) -> int:
    """Whole micro-dollars, rounded up: what budgets hold back and count.

    Order is kept, so a bill below its exact ceiling is below it in micro-dollars too.
    """
    return int(usd_amount.scaleb(6).to_integral_value(rounding=ROUND_CEILING))


def from_micros(micros: int) -> Decimal:
    """Micro-dollars as exact USD."""
    return Decimal(micros).scaleb(-6)


def usd(amount: Decimal) -> str:
    """The exact amount as a plain decimal string with at least two decimals: `1.42`, `0.999`, `5.00`."""
    whole, _, decimals = f"{amount:f}".partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"


def known_usd(amount: Decimal | None) -> str | None:
    """The same of an amount that may be unknown."""
    return None if amount is None else usd(amount)


def rounded_up(amount: Decimal) -> str:
    """An amount for reading: to the cent from a dollar up, finer below, never less than it is."""
    step = Decimal("0.01") if amount >= 1 or amount == 0 else Decimal("0.0001")
    return f"${amount.quantize(step, rounding=ROUND_CEILING)}"


def signed_usd(amount: Decimal) -> str:
    """The same of a difference: `-0.05` is less."""
    return f"-{usd(-amount)}" if amount < 0 else usd(amount)


def _estimate(model: Model, call: Call, *, tier: Tier, on: date) -> Estimate | None:
    held = cacheable(call.prefix_tokens, at_breakpoint=model.caches_at_breakpoints)

    def price(cached: int, output: int) -> Decimal | None:
        return cost(
            model,
            tier=tier,
            on=on,
            input_tokens=call.input_tokens,
            cached_tokens=cached,
            output_tokens=output,
            cache_write_tokens=max(held - cached, 0),
        )

    output, most = call.expected_output_tokens, call.ceiling_input_tokens
    top = ceiling(model, tier=tier, on=on, input_tokens=most, output_tokens=call.reserved_output_tokens)
    low = price(max(held, call.expected_cached_tokens), min(1, output))
    warm, cold = price(held, output), price(0, output)
    expected = price(call.expected_cached_tokens, output)
    if low is None or expected is None or top is None or cold is None or warm is None:
        return None
    return Estimate(min_usd=low, expected_usd=expected, max_usd=top, cold_usd=cold, warm_usd=warm)


def _sum(one: Estimate, other: Estimate) -> Estimate:
    return Estimate(
        min_usd=one.min_usd + other.min_usd,
        expected_usd=one.expected_usd + other.expected_usd,
        max_usd=one.max_usd + other.max_usd,
        cold_usd=one.cold_usd + other.cold_usd,
        warm_usd=one.warm_usd + other.warm_usd,
    )


def _cached_rate(rates: Rates) -> Decimal:
    return rates.input if rates.cached_input is None else rates.cached_input


def _write_rate(rates: Rates) -> Decimal:
    return rates.input if rates.cache_write is None else rates.cache_write


def _usd(per_million: Decimal) -> Decimal:
    return per_million.scaleb(-6)


def _ordered(*counts: int) -> None:
    before = counts[0]
    for count in counts:
        if count < before:
            raise ValueError(f"token counts contradict each other: {counts} must not descend")
        before = count
