"""Around every boundary, for every model, tier and day in the catalog: ceilings hold; there is one cliff."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain import planner, pricing
from service.domain.catalog import TIERS, Model, Tier
from service.domain.pricing import CACHE_FROM, CACHE_STEP, Call
from tests.domain.test_planner import AROUND, CATALOG, GPT, TERMS, TODAY, estimate_of, one_call_of

BOUNDARIES = (
    *(0, 1, 127, 128, 129),
    *(CACHE_FROM - 1, CACHE_FROM, CACHE_FROM + 1),
    *(CACHE_FROM + CACHE_STEP - 1, CACHE_FROM + CACHE_STEP),
    *(271_999, 272_000, 272_001, 921_999, 922_000),
)
RESERVED = (1, 2_000, 128_000)

Priced = tuple[Model, Tier, date]


def days_of(model: Model) -> Iterator[date]:
    """The first and the last day of each of its price periods."""
    for period in model.price_periods:
        yield period.effective_from
        until = period.effective_until
        yield TODAY if until is None else until - timedelta(days=1)


PRICED: list[Priced] = [
    (model, tier, on)
    for model in CATALOG.models
    for tier in TIERS
    for on in sorted(set(days_of(model)))
    if model.rates(tier, "short", on) is not None
]
priced = st.sampled_from(PRICED)


def name_of(one: Priced) -> str:
    model, tier, on = one
    return f"{model.id}-{tier}-{on}"


def ways_to_bill(tokens: int) -> Iterator[tuple[int, int]]:
    """Cached and newly written tokens, in the corners and in steps."""
    for cached in {0, 1, tokens // 2, tokens // CACHE_STEP * CACHE_STEP, tokens - 1, tokens}:
        for written in {0, tokens - cached}:
            if 0 <= cached <= tokens:
                yield cached, written


def bill(one: Priced, tokens: int, *, cached: int, written: int, output: int) -> Decimal | None:
    model, tier, on = one
    return pricing.cost(
        model,
        tier=tier,
        on=on,
        input_tokens=tokens,
        cached_tokens=cached,
        cache_write_tokens=written,
        output_tokens=output,
    )


def ceiling(one: Priced, tokens: int, output: int) -> Decimal | None:
    model, tier, on = one
    return pricing.ceiling(model, tier=tier, on=on, input_tokens=tokens, output_tokens=output)


def test_every_model_and_tier_is_among_them() -> None:
    assert {model.id for model, _, _ in PRICED} == {model.id for model in CATALOG.models}
    assert {tier for _, tier, _ in PRICED} == set(TIERS)
    assert len(PRICED) > 60


@pytest.mark.parametrize("one", PRICED, ids=name_of)
def test_no_bill_passes_the_ceiling_at_any_boundary(one: Priced) -> None:
    checked = 0
    for tokens in BOUNDARIES:
        for reserved in RESERVED:
            top = ceiling(one, tokens, reserved)
            for cached, written in ways_to_bill(tokens):
                for output in (0, 1, reserved):
                    found = bill(one, tokens, cached=cached, written=written, output=output)
                    assert (found is None) == (top is None)
                    if found is not None and top is not None:
                        assert found <= top
                        assert pricing.to_micros_up(found) <= pricing.to_micros_up(top)
                        checked += 1
    assert checked > 500


@given(one=priced, data=st.data())
@settings(max_examples=300, deadline=None)
def test_no_bill_passes_the_ceiling_anywhere(one: Priced, data: st.DataObject) -> None:
    tokens = data.draw(st.sampled_from(BOUNDARIES) | st.integers(0, 922_000))
    counted = data.draw(st.integers(0, tokens))
    cached = data.draw(st.integers(0, counted))
    written = data.draw(st.integers(0, counted - cached))
    reserved = data.draw(st.integers(1, 128_000))
    output = data.draw(st.integers(0, reserved))
    top = ceiling(one, tokens, reserved)
    found = bill(one, counted, cached=cached, written=written, output=output)
    if top is None:
        assert pricing.band_of(tokens, one[0]) == "long", "only long rates are ever unknown here"
    else:
        assert found is not None
        assert found <= top


@given(one=priced, data=st.data())
@settings(max_examples=300, deadline=None)
def test_an_estimate_s_ceiling_holds_for_every_bill_of_its_call(one: Priced, data: st.DataObject) -> None:
    model, tier, on = one
    tokens = data.draw(st.sampled_from(BOUNDARIES[1:]) | st.integers(1, 922_000))
    reserved = data.draw(st.integers(1, 128_000))
    call = Call(
        input_tokens=tokens,
        reserved_output_tokens=reserved,
        expected_output_tokens=data.draw(st.integers(1, reserved)),
        prefix_tokens=data.draw(st.integers(0, tokens)),
    )
    found = pricing.estimate(model, [call], tier=tier, on=on)
    if found is None:
        assert pricing.band_of(tokens, model) == "long"
        return
    cached = data.draw(st.integers(0, tokens))
    written = data.draw(st.integers(0, tokens - cached))
    output = data.draw(st.integers(0, reserved))
    actual = bill(one, tokens, cached=cached, written=written, output=output)
    assert actual is not None
    assert actual <= found.max_usd


# The one cliff.


def cold(tokens: int, tier: Tier = "standard") -> Decimal:
    return estimate_of(planner.plan_whole(one_call_of(tokens), replace(TERMS, tier=tier))).cold_usd


edges = st.sampled_from([tokens for tokens in BOUNDARIES if AROUND + 21 <= tokens < 922_000])


@given(tokens=edges | st.integers(AROUND + 21, 921_999), tier=st.sampled_from(["standard", "batch", "flex"]))
@settings(max_examples=300, deadline=None)
def test_one_more_token_costs_its_rate_but_at_the_threshold(tokens: int, tier: Tier) -> None:
    rates = GPT.rates(tier, pricing.band_of(tokens, GPT), TODAY)
    assert rates is not None
    more = cold(tokens + 1, tier) - cold(tokens, tier)
    assert more > 0
    assert (more == rates.input / 1_000_000) == (tokens != 272_000)


@given(
    one=st.integers(AROUND + 21, 922_000),
    other=st.integers(AROUND + 21, 922_000),
    tier=st.sampled_from(["standard", "batch", "flex"]),
)
@settings(deadline=None)
def test_more_input_always_costs_more_cold(one: int, other: int, tier: Tier) -> None:
    less, more = sorted((one, other))
    assert (cold(less, tier) < cold(more, tier)) == (less < more)
    long, short = GPT.rates(tier, "long", TODAY), GPT.rates(tier, "short", TODAY)
    assert long is not None
    assert short is not None
    if less <= 272_000 < more:
        straight = (more - less) * long.input / 1_000_000
        assert cold(more, tier) - cold(less, tier) > straight, "the cliff lies between"


def test_the_cliff_lies_between_272000_and_272001() -> None:
    expected = (272_001 * Decimal(10) + 1_400 * Decimal(45)) - (272_000 * Decimal(5) + 1_400 * Decimal(30))
    assert cold(272_001) - cold(272_000) == expected / 1_000_000
