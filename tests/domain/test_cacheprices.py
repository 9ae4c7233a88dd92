"""What taking a document out saves and costs, against the price of whole plans."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from hypothesis import example, given
from hypothesis import strategies as st

from service.domain import cacheprices, packing, planner, pricing
from service.domain.cacheprices import Whole
from service.domain.caching import OPENING_TOKENS
from tests.domain.test_planner import COUNTS, GPT, TERMS, member

BEFORE = COUNTS.instructions + packing.OVERHEAD.of(messages=2)
sizes_of = st.lists(st.integers(21, 60_000), min_size=1, max_size=12)


def whole(sizes: list[int], *, cached: bool = True) -> Whole:
    members = [member(n, size) for n, size in enumerate(sizes, 1)]
    prefix = BEFORE + sum(sizes)
    held = pricing.cacheable(prefix) if cached else 0
    return Whole(planner.whole_input(members, COUNTS), prefix, held)


@given(sizes=sizes_of)
def test_each_later_question_saves_what_the_smaller_corpus_costs_less_warm(sizes: list[int]) -> None:
    found = cacheprices.removals(sizes, whole(sizes), TERMS)
    assert found is not None
    now = planner.price_whole(whole(sizes).input_tokens, TERMS)
    for size, removal in zip(sizes, found, strict=True):
        then = planner.price_whole(whole(sizes).input_tokens - size, TERMS)
        assert now is not None
        assert then is not None
        assert Decimal(removal.saves_usd) == max(Decimal(0), now.warm_usd - then.warm_usd)


@given(sizes=sizes_of)
@example(sizes=[21, 732, 61, 61])  # what stays is too little to be cached
def test_the_next_question_pays_once_for_what_stood_behind(sizes: list[int]) -> None:
    found = cacheprices.removals(sizes, whole(sizes), TERMS)
    assert found is not None
    before = BEFORE
    for place, (size, removal) in enumerate(zip(sizes, found, strict=True)):
        rest = [one for n, one in enumerate(sizes) if n != place]
        left = whole(rest)
        stays = pricing.cacheable(before + OPENING_TOKENS) if rest[place:] else left.held_tokens
        moved = cacheprices.held_price(left, TERMS, cached_tokens=min(stays, left.held_tokens))
        kept = cacheprices.held_price(left, TERMS, cached_tokens=left.held_tokens)
        assert moved is not None
        assert kept is not None
        assert abs(Decimal(removal.costs_usd) - (moved - kept)) <= Decimal("0.002")  # two steps of 128
        before += size
    assert found[-1].costs_usd == "0.00"


@given(sizes=sizes_of)
def test_where_nothing_is_cached_nothing_is_lost(sizes: list[int]) -> None:
    found = cacheprices.removals(sizes, whole(sizes, cached=False), TERMS)
    assert found is not None
    assert {removal.costs_usd for removal in found} == {"0.00"}


def test_known_figures() -> None:
    sizes = [100_000, 50_000, 30_000]
    first, second, third = cacheprices.removals(sizes, whole(sizes), TERMS) or []
    assert Decimal("0.0499") < Decimal(first.saves_usd) < Decimal("0.0508")  # 100,000 cached at 0.50
    assert Decimal("0.359") < Decimal(first.costs_usd) < Decimal("0.361")  # 80,000 anew: 5.00 less 0.50
    assert Decimal("0.134") < Decimal(second.costs_usd) < Decimal("0.136")
    assert third.costs_usd == "0.00"


def test_where_less_is_held_only_that_is_read_anew() -> None:
    sizes = [50_000, 100_000, 20_000]  # the last two joined since
    grown = replace(whole(sizes), held_tokens=pricing.cacheable(80_000))
    first, second, third = cacheprices.removals(sizes, grown, TERMS) or []
    assert Decimal("0.133") < Decimal(first.costs_usd) < Decimal("0.136")  # 30,000 anew: 5.00 less 0.50
    assert Decimal(second.costs_usd) < Decimal("0.0006"), (
        "what stood behind it was not held: one step at most"
    )
    assert third.costs_usd == "0.00"


def test_an_unknown_price_is_not_guessed() -> None:
    priority = replace(TERMS, tier="priority")
    assert cacheprices.removals([100], whole([100]), priority) is None
    assert GPT.threshold_tokens == 272_000


def test_appended_tokens_pay_the_band_s_rates() -> None:
    assert cacheprices.per_thousand(272_000, TERMS) == (Decimal("0.005"), Decimal("0.0005"))
    assert cacheprices.per_thousand(272_001, TERMS) == (Decimal("0.01"), Decimal("0.001"))
