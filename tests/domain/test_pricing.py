"""The price rules: the cliff at every boundary, ceilings that hold, and sums that others arrive at too."""

from __future__ import annotations

from dataclasses import astuple, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from genai_prices import Usage, calc_price
from hypothesis import assume, given
from hypothesis import strategies as st

from service.domain.catalog import TIERS, Catalog, Model, Rates, Tier
from service.domain.pricing import (
    Call,
    Estimate,
    band_of,
    billed_tier,
    cacheable,
    ceiling,
    cost,
    estimate,
    from_micros,
    input_shares,
    input_usd,
    threshold_extra,
    to_micros_up,
    usd,
)

CATALOG = Catalog.parse(
    (Path(__file__).resolve().parents[2] / "service/domain/catalog.toml").read_text(encoding="utf-8")
)
GPT = CATALOG.model("gpt-5.5")
WRITER = CATALOG.model("gpt-5.6-sol")
TODAY = date(2026, 11, 22)
THRESHOLD = 272_000
CENT = Decimal("0.01")

models = st.sampled_from(CATALOG.models)
tiers = st.sampled_from(TIERS)
edges = st.sampled_from([0, 1, 1_023, 1_024, 271_999, 272_000, 272_001, 278_528, 921_999, 922_000])
inputs = edges | st.integers(0, 922_000)
outputs = st.sampled_from([0, 1, 900, 128_000]) | st.integers(0, 128_000)


def price(
    model: Model,
    input_tokens: int,
    *,
    cached: int = 0,
    output: int = 0,
    written: int = 0,
    tier: Tier = "standard",
) -> Decimal | None:
    return cost(
        model,
        tier=tier,
        on=TODAY,
        input_tokens=input_tokens,
        cached_tokens=cached,
        output_tokens=output,
        cache_write_tokens=written,
    )


def known(amount: Decimal | None) -> Decimal:
    """The amount; an example without a known price is passed over."""
    assume(amount is not None)
    assert amount is not None
    return amount


def guess(model: Model, *calls: Call, tier: Tier = "standard") -> Estimate:
    found = estimate(model, calls, tier=tier, on=TODAY)
    assert found is not None
    return found


def call(input_tokens: int, *, output: int = 900, prefix: int = 0, cached: int = 0) -> Call:
    return Call(
        input_tokens=input_tokens,
        reserved_output_tokens=output,
        expected_output_tokens=output,
        prefix_tokens=prefix,
        expected_cached_tokens=cached,
    )


# --- the cliff


@pytest.mark.parametrize(
    ("input_tokens", "cached", "expected"),
    [
        (272_000, 0, "1.42"),
        (272_001, 0, "2.81001"),
        (900_000, 0, "9.09"),
        (900_000, 899_000, "0.999"),
        (271_999, 270_999, "0.2004995"),
    ],
)
def test_known_bills_with_2000_tokens_of_output(input_tokens: int, cached: int, expected: str) -> None:
    bill = price(GPT, input_tokens, cached=cached, output=2_000)
    assert bill is not None
    assert usd(bill) == expected


def test_strictly_more_than_the_threshold_is_long() -> None:
    assert [band_of(tokens, GPT) for tokens in (0, 271_999, 272_000, 272_001)] == ["short"] * 3 + ["long"]
    assert band_of(272_001, CATALOG.model("gpt-5.4-mini")) == "short"


def test_cached_tokens_count_toward_the_threshold_and_output_does_not() -> None:
    assert price(GPT, 272_001, cached=272_000) == Decimal(272_000 * 1 + 10) / 1_000_000
    assert price(GPT, 272_000, output=128_000) == Decimal(272_000 * 5 + 128_000 * 30) / 1_000_000


@given(models, tiers, inputs, outputs)
def test_one_more_token_of_input_costs_its_rate_except_at_the_one_cliff(
    model: Model, tier: Tier, tokens: int, output: int
) -> None:
    before = known(price(model, tokens, output=output, tier=tier))
    after = known(price(model, tokens + 1, output=output, tier=tier))
    short = model.rates(tier, "short", TODAY)
    long = model.rates(tier, "long", TODAY)
    assert short is not None
    if tokens == model.threshold_tokens:
        assert long is not None
        jump = (
            long.input * (tokens + 1) - short.input * tokens + output * (long.output - short.output)
        ).scaleb(-6)
        assert after - before == jump
        assert after > before * Decimal("1.5")
    else:
        rates = short if band_of(tokens, model) == "short" else long
        assert rates is not None
        assert after - before == rates.input.scaleb(-6)


@given(models, tiers, inputs, outputs)
def test_a_longer_answer_costs_its_rate_and_never_crosses_a_threshold(
    model: Model, tier: Tier, tokens: int, output: int
) -> None:
    rates = model.rates(tier, band_of(tokens, model), TODAY)
    difference = known(price(model, tokens, output=output + 1, tier=tier)) - known(
        price(model, tokens, output=output, tier=tier)
    )
    assert rates is not None
    assert difference == rates.output.scaleb(-6)


@given(models, tiers, inputs, outputs, st.data())
def test_bills_are_never_negative_and_cached_is_never_dearer_than_cold(
    model: Model, tier: Tier, tokens: int, output: int, data: st.DataObject
) -> None:
    cached = data.draw(st.integers(0, tokens))
    cold = known(price(model, tokens, output=output, tier=tier))
    warm = known(price(model, tokens, cached=cached, output=output, tier=tier))
    assert 0 <= warm <= cold


def test_without_a_cached_rate_cached_tokens_pay_the_input_rate() -> None:
    pro = CATALOG.model("gpt-5.5-pro")
    assert price(pro, 100_000, cached=100_000) == price(pro, 100_000) == Decimal(3)


def test_writing_the_cache_costs_its_own_rate_only_where_one_is_published() -> None:
    assert price(WRITER, 4_020, written=4_012) == Decimal(4_012 * 5 + 8 * 4) / 1_000_000
    assert price(GPT, 4_020, written=4_012) == price(GPT, 4_020)


def test_an_unknown_rate_gives_an_unknown_price() -> None:
    assert price(GPT, 272_000, tier="priority") == Decimal("3.4")
    assert price(GPT, 272_001, tier="priority") is None
    assert ceiling(GPT, tier="priority", on=TODAY, input_tokens=272_001, output_tokens=1) is None
    before = date(2026, 4, 23)
    assert cost(GPT, tier="standard", on=before, input_tokens=1, cached_tokens=0, output_tokens=1) is None


@pytest.mark.parametrize(
    ("cached", "written", "output"), [(-1, 0, 0), (0, -1, 0), (0, 0, -1), (101, 0, 0), (51, 50, 0)]
)
def test_counts_that_contradict_each_other_are_refused(cached: int, written: int, output: int) -> None:
    with pytest.raises(ValueError, match="contradict"):
        price(GPT, 100, cached=cached, written=written, output=output)


# --- others arrive at the same sums


@given(
    st.sampled_from([model for model in CATALOG.models if not model.id.startswith("gpt-6.2")]),
    inputs,
    outputs,
    st.data(),
)
def test_a_price_library_by_others_bills_the_same(
    model: Model, tokens: int, output: int, data: st.DataObject
) -> None:
    cached = data.draw(st.integers(0, tokens))
    written = data.draw(st.integers(0, tokens - cached)) if model.caches_at_breakpoints else 0
    counts = {"input_tokens": tokens, "output_tokens": output, "cache_read_tokens": cached}
    if written:
        counts["cache_write_tokens"] = written
    theirs = calc_price(
        Usage(**counts),
        model.id,
        provider_id="openai",
        genai_request_timestamp=datetime(2026, 11, 22, tzinfo=UTC),
    )
    assert price(model, tokens, cached=cached, output=output, written=written) == theirs.total_price


# --- ceilings


@given(models, tiers, inputs, outputs, st.data())
def test_no_bill_passes_the_ceiling(
    model: Model, tier: Tier, tokens: int, output: int, data: st.DataObject
) -> None:
    counted = data.draw(st.integers(0, tokens) | edges.filter(lambda edge: edge <= tokens))
    cached = data.draw(st.integers(0, counted))
    written = data.draw(st.integers(0, counted - cached))
    answered = data.draw(st.integers(0, output))
    top = known(ceiling(model, tier=tier, on=TODAY, input_tokens=tokens, output_tokens=output))
    bill = known(price(model, counted, cached=cached, written=written, output=answered, tier=tier))
    assert bill <= top
    assert to_micros_up(bill) <= to_micros_up(top)


def test_the_ceiling_is_what_a_cold_full_answer_costs() -> None:
    assert ceiling(GPT, tier="standard", on=TODAY, input_tokens=900_000, output_tokens=2_000) == Decimal(
        "9.09"
    )


def test_where_writing_the_cache_costs_more_the_ceiling_counts_every_token_as_written() -> None:
    top = ceiling(WRITER, tier="standard", on=TODAY, input_tokens=100_000, output_tokens=0)
    assert top == price(WRITER, 100_000, written=100_000) == Decimal("0.5")


def test_a_ceiling_holds_where_a_server_s_cached_tokens_cost_more_than_fresh_ones() -> None:
    text = """
    [[model]]
    id = "odd"
    context_window = 1000
    max_output_tokens = 100
    [[model.prices]]
    standard.short = { input = "1", cached_input = "3", output = "1" }
    """
    odd = CATALOG.with_models(text).model("odd")
    assert ceiling(odd, tier="standard", on=TODAY, input_tokens=100, output_tokens=0) == price(
        odd, 100, cached=100
    )


# --- estimates


@given(models, tiers, st.data())
def test_an_estimate_s_parts_are_in_order_and_its_ceiling_holds(
    model: Model, tier: Tier, data: st.DataObject
) -> None:
    tokens = data.draw(inputs)
    reserved = data.draw(st.integers(1, 128_000))
    one = Call(
        input_tokens=tokens,
        reserved_output_tokens=reserved,
        expected_output_tokens=data.draw(st.integers(1, reserved)),
        prefix_tokens=data.draw(st.integers(0, tokens)),
        expected_cached_tokens=data.draw(st.integers(0, tokens)),
        most_input_tokens=data.draw(st.none() | st.integers(tokens, tokens + 50_000)),
    )
    found = estimate(model, [one], tier=tier, on=TODAY)
    assume(found is not None)
    assert found is not None
    assert 0 < found.min_usd <= found.warm_usd <= found.cold_usd <= found.max_usd
    assert found.min_usd <= found.expected_usd <= found.max_usd
    counted = data.draw(st.integers(tokens, one.ceiling_input_tokens))
    assert known(price(model, counted, output=reserved, tier=tier)) <= found.max_usd


def test_what_each_part_of_an_estimate_means() -> None:
    found = guess(
        GPT,
        Call(
            input_tokens=100_000,
            reserved_output_tokens=4_000,
            expected_output_tokens=1_000,
            prefix_tokens=99_999,
            expected_cached_tokens=50_048,
        ),
    )
    assert found == Estimate(
        min_usd=Decimal(99_968 * 1 + 32 * 10 + 1 * 60) / 2_000_000,  # 781 steps of 128 are cached
        expected_usd=Decimal(50_048 * 1 + 49_952 * 10 + 1_000 * 60) / 2_000_000,
        max_usd=Decimal(100_000 * 5 + 4_000 * 30) / 1_000_000,
        cold_usd=Decimal(100_000 * 5 + 1_000 * 30) / 1_000_000,
        warm_usd=Decimal(99_968 * 1 + 32 * 10 + 1_000 * 60) / 2_000_000,
    )


def test_where_writing_costs_the_first_question_pays_for_the_prefix() -> None:
    found = guess(WRITER, call(100_000, prefix=99_999, cached=0))
    assert found.cold_usd == found.expected_usd == price(WRITER, 100_000, written=99_999, output=900)
    assert found.warm_usd == price(WRITER, 100_000, cached=99_999, output=900)
    assert guess(WRITER, call(100_000)).cold_usd == price(WRITER, 100_000, output=900)


def test_the_calls_of_a_plan_are_priced_one_by_one() -> None:
    calls = [call(272_000, prefix=271_000), call(200_000), call(272_001, cached=1_024)]
    parts = [astuple(guess(GPT, one)) for one in calls]
    assert astuple(guess(GPT, *calls)) == tuple(sum(column) for column in zip(*parts, strict=True))
    assert astuple(guess(GPT)) == (0, 0, 0, 0, 0)


def test_one_unknown_call_makes_the_whole_estimate_unknown() -> None:
    assert estimate(GPT, [call(1_000), call(272_001)], tier="priority", on=TODAY) is None
    assert estimate(GPT, [call(1_000), call(272_000)], tier="priority", on=TODAY) is not None
    ranged = replace(call(272_000), most_input_tokens=272_001)
    assert estimate(GPT, [ranged], tier="priority", on=TODAY) is None


def test_questions_in_sequence_pay_once_for_the_cold_prefix() -> None:
    found = guess(GPT, call(272_000, prefix=271_872))
    assert found.for_questions(1) == found.cold_usd
    assert found.for_questions(10) == found.cold_usd + 9 * found.warm_usd
    with pytest.raises(ValueError, match="contradict"):
        found.for_questions(0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"expected_output_tokens": 101},
        {"expected_output_tokens": -1},
        {"prefix_tokens": 1_001},
        {"prefix_tokens": -1},
        {"expected_cached_tokens": 1_001},
        {"most_input_tokens": 999},
    ],
)
def test_a_call_that_contradicts_itself_is_refused(wrong: dict[str, int]) -> None:
    right = Call(input_tokens=1_000, reserved_output_tokens=100, expected_output_tokens=100)
    with pytest.raises(ValueError, match="contradict"):
        replace(right, **wrong)


@pytest.mark.parametrize(
    ("prefix", "held"),
    [
        (0, 0),
        (1_023, 0),
        (1_024, 1_024),
        (1_151, 1_024),
        (1_152, 1_152),
        (271_999, 271_872),
        (272_000, 272_000),
    ],
)
def test_prefixes_are_cached_in_whole_steps(prefix: int, held: int) -> None:
    assert cacheable(prefix) == held


def test_a_breakpoint_caches_to_the_token() -> None:
    assert [cacheable(prefix, at_breakpoint=True) for prefix in (1_023, 1_024, 4_012)] == [0, 1_024, 4_012]


# --- the tables of the guides


@pytest.mark.parametrize(
    ("tier", "prefix", "expected"),
    [("standard", 0, "9.18"), ("flex", 0, "4.59"), ("standard", 899_000, "1.09"), ("flex", 899_000, "0.54")],
)
def test_a_900k_corpus_with_4000_tokens_of_output(tier: Tier, prefix: int, expected: str) -> None:
    found = guess(GPT, call(900_000, output=4_000, prefix=prefix), tier=tier)
    assert found.warm_usd.quantize(CENT) == Decimal(expected)


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        (32_000, "0.19"),
        (128_000, "0.67"),
        (250_000, "1.28"),
        (271_000, "1.38"),
        (300_000, "3.04"),
        (500_000, "5.04"),
        (920_000, "9.24"),
    ],
)
def test_one_call_with_900_tokens_of_output(tokens: int, expected: str) -> None:
    assert guess(GPT, call(tokens)).cold_usd.quantize(CENT) == Decimal(expected)


@pytest.mark.parametrize(
    ("tokens", "packs", "expected"),
    [(300_000, 2, "1.58"), (500_000, 2, "2.58"), (920_000, 4, "4.74"), (2_000_000, 8, "10.24")],
)
def test_split_into_short_calls_and_one_that_merges(tokens: int, packs: int, expected: str) -> None:
    """The table counts the merging call's output and leaves its input of a few hundred tokens out."""
    found = guess(GPT, *[call(tokens // packs)] * packs, call(0))
    assert found.cold_usd.quantize(CENT) == Decimal(expected)


def test_a_cached_prefix_of_272k_costs_what_27k_fresh_tokens_cost() -> None:
    assert price(GPT, 272_000, cached=272_000) == price(GPT, 27_200)


# --- what the threshold adds


def test_passing_the_threshold_adds_the_difference_for_every_token() -> None:
    assert threshold_extra(GPT, call(272_000, output=2_000), tier="standard", on=TODAY) == 0
    extra = threshold_extra(GPT, call(272_001, output=2_000), tier="standard", on=TODAY)
    assert extra == Decimal("2.81001") - Decimal(272_001 * 5 + 2_000 * 30) / 1_000_000
    assert threshold_extra(GPT, call(272_001), tier="priority", on=TODAY) is None


def test_a_document_s_share_of_the_input() -> None:
    assert input_usd(1_000, Rates(input=Decimal(5), output=Decimal(30))) == Decimal("0.005")


# --- tiers as replies name them


@pytest.mark.parametrize(
    ("replied", "asked", "billed"),
    [
        (None, "flex", "flex"),
        ("default", "flex", "standard"),
        ("default", "batch", "batch"),
        ("flex", "standard", "flex"),
        ("priority", "standard", "priority"),
        ("fast", "standard", "priority"),
        ("scale", "standard", None),
    ],
)
def test_the_reply_s_tier_is_billed(replied: str | None, asked: Tier, billed: Tier | None) -> None:
    assert billed_tier(replied, asked) == billed


# --- micro-dollars and text


@pytest.mark.parametrize(
    ("amount", "micros"),
    [("0", 0), ("1.42", 1_420_000), ("0.0000005", 1), ("2.810010", 2_810_010), ("1E+1", 10_000_000)],
)
def test_micro_dollars_round_up(amount: str, micros: int) -> None:
    assert to_micros_up(Decimal(amount)) == micros


money = st.decimals(0, 10_000, places=9)


@given(money, money)
def test_rounding_up_loses_less_than_a_micro_dollar_and_keeps_the_order(one: Decimal, other: Decimal) -> None:
    assert 0 <= from_micros(to_micros_up(one)) - one < Decimal("0.000001")
    low, high = sorted((one, other))
    assert to_micros_up(low) <= to_micros_up(high)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("1.42", "1.42"),
        ("2.81001", "2.81001"),
        ("0.999", "0.999"),
        ("5", "5.00"),
        ("0", "0.00"),
        ("1E+2", "100.00"),
        ("1E-7", "0.0000001"),
        ("1.500000", "1.50"),
        ("10.000", "10.00"),
    ],
)
def test_money_as_text(amount: str, text: str) -> None:
    assert usd(Decimal(amount)) == text


@given(money)
def test_money_as_text_is_exact(amount: Decimal) -> None:
    assert Decimal(usd(amount)) == amount


@given(
    shares=st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "c"]),
            st.integers(0, 10**9),
            st.sampled_from([Decimal(text) for text in ("0", "0.005", "1.25", "5.00", "10", "1E+1")]),
        )
    )
)
def test_shares_in_whole_numbers_are_the_exact_sums(shares: list[tuple[str, int, Decimal]]) -> None:
    sums: dict[str, Decimal] = {}
    for name, tokens, rate in shares:
        sums[name] = sums.get(name, Decimal(0)) + (tokens * rate).scaleb(-6)
    assert input_shares(shares) == {name: usd(amount) for name, amount in sums.items()}
