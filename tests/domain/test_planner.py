"""Plans: everything asked is read once, no call passes its limit, and the price is the published one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from math import ceil
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from service.domain import packing, planner, pricing, prompts
from service.domain.catalog import Catalog, Tier
from service.domain.corpora import Member
from service.domain.documents import DocumentStatus
from service.domain.planner import MARGIN_TOKENS, Plan, Terms
from service.domain.prompt_counts import PromptCounts

CATALOG = Catalog.parse(
    (Path(__file__).resolve().parents[2] / "service/domain/catalog.toml").read_text(encoding="utf-8")
)
GPT = CATALOG.model("gpt-5.5")
TODAY = date(2026, 11, 22)
THRESHOLD = 272_000
GUARD = 13_600
COUNTS = PromptCounts(instructions=200, task=60, part_task=90, merge_instructions=120, merge_task=55)
AROUND = packing.CALL_OVERHEAD + COUNTS.instructions + COUNTS.task
TERMS = Terms(
    model=GPT,
    tier="standard",
    on=TODAY,
    counts=COUNTS,
    reserved_output_tokens=2_000,
    expected_output_tokens=1_400,
    guard_tokens=GUARD,
)
SMALL = replace(TERMS, model=replace(GPT, threshold_tokens=1_000))
"""The same rules with a threshold that little documents pass."""


def member(
    ordinal: int, tokens: int, *, pages: int = 1, wrapper: int = 20, filename: str | None = None
) -> Member:
    """A document of so many tokens, tags included."""
    return Member(
        document_id=f"doc_{ordinal}",
        ordinal=ordinal,
        filename=filename or f"{ordinal}.pdf",
        status=DocumentStatus.READY,
        wrapper_tokens=wrapper,
        pages_tokens=tokens - wrapper,
        pages=pages,
        chars=tokens * 4,
        pages_without_text=0,
        pack_sha256=f"{ordinal:064x}",
    )


def paged(ordinal: int, page_tokens: Sequence[int]) -> tuple[Member, list[int]]:
    """A document with these pages."""
    return member(ordinal, sum(page_tokens) + 20, pages=len(page_tokens)), list(page_tokens)


def one_call_of(tokens: int) -> list[Member]:
    """A corpus of one document whose whole call has exactly so many input tokens."""
    return [member(1, tokens - AROUND)]


def split_of(members: Sequence[tuple[Member, list[int]]], terms: Terms) -> Plan:
    """As the use case plans it: page counts are read for oversized documents only."""
    asked = [one for one, _ in members]
    cut = {one.document_id for one in planner.oversized(asked, terms)}
    return planner.plan_split(
        asked, terms, page_tokens={one.document_id: pages for one, pages in members if one.document_id in cut}
    )


def estimate_of(plan: Plan) -> pricing.Estimate:
    assert plan.estimate is not None
    return plan.estimate


def read_pages(plan: Plan) -> list[tuple[str, int]]:
    """Every page the calls read, as often as they do."""
    return [
        (piece.document_id, page)
        for call in plan.calls
        for piece in call.slices
        for page in range(piece.first, piece.last + 1)
    ]


page_lists = st.lists(st.integers(1, 400), min_size=1, max_size=12)
documents = st.lists(page_lists, min_size=1, max_size=14).map(
    lambda drawn: [paged(ordinal, pages) for ordinal, pages in enumerate(drawn, 1)]
)
large_documents = st.lists(
    st.lists(st.integers(100, 400), min_size=2, max_size=8), min_size=3, max_size=9
).map(lambda drawn: [paged(ordinal, pages) for ordinal, pages in enumerate(drawn, 1)])
"""Always more than one call holds."""


# What is read.


@given(drawn=documents)
def test_a_whole_plan_reads_every_page_once_in_order(drawn: list[tuple[Member, list[int]]]) -> None:
    plan = planner.plan_whole([one for one, _ in drawn], TERMS)
    assert plan.feasible
    assert len(plan.calls) == 1
    assert read_pages(plan) == [
        (one.document_id, page) for one, pages in drawn for page in range(1, len(pages) + 1)
    ]
    assert plan.calls[0].input_tokens == AROUND + sum(sum(pages) + 20 for _, pages in drawn)


@given(drawn=large_documents)
@settings(max_examples=150, deadline=None)
def test_a_split_reads_every_page_exactly_once_within_the_threshold(
    drawn: list[tuple[Member, list[int]]],
) -> None:
    plan = split_of(drawn, SMALL)
    assert plan.feasible
    parts, merge = plan.calls[:-1], plan.calls[-1]
    assert merge.kind == "merge"
    assert not merge.slices
    assert all(call.kind == "part" for call in parts)
    assert sorted(read_pages(plan)) == sorted(
        (one.document_id, page) for one, pages in drawn for page in range(1, len(pages) + 1)
    )
    pages_of = {one.document_id: pages for one, pages in drawn}
    for call in parts:
        counted = sum(20 + sum(pages_of[s.document_id][s.first - 1 : s.last]) for s in call.slices)
        around = packing.CALL_OVERHEAD + COUNTS.instructions + COUNTS.part_task
        assert call.input_tokens == counted + around
        assert call.input_tokens <= 1_000 - MARGIN_TOKENS
        assert call.band == "short"
        places = [(piece.ordinal, piece.first) for piece in call.slices]
        assert places == sorted(places)


@given(drawn=documents)
@settings(max_examples=150, deadline=None)
def test_a_split_makes_as_few_calls_as_it_says(drawn: list[tuple[Member, list[int]]]) -> None:
    plan = split_of(drawn, SMALL)
    capacity = planner.split_capacity(SMALL)
    pieces = [piece.tokens for call in plan.calls for piece in call.slices]
    if not plan.feasible:
        assert plan.infeasible_code == "not_needed"
        assert sum(one.tokens for one, _ in drawn) <= capacity
        return
    parts = len(plan.calls) - 1
    assert ceil(sum(pieces) / capacity) <= parts <= first_fit_decreasing(pieces, capacity)


def first_fit_decreasing(sizes: Sequence[int], capacity: int) -> int:
    rooms: list[int] = []
    for size in sorted(sizes, reverse=True):
        for place, room in enumerate(rooms):
            if size <= room:
                rooms[place] -= size
                break
        else:
            rooms.append(capacity - size)
    return len(rooms)


def test_largest_first_is_taken_where_it_needs_fewer_calls() -> None:
    capacity = planner.split_capacity(SMALL)
    big, little = capacity - 100, 100
    sizes = [big, big, little, little]  # in order: three calls
    plan = planner.plan_split([member(n, size) for n, size in enumerate(sizes, 1)], SMALL, page_tokens={})
    assert [[piece.ordinal for piece in call.slices] for call in plan.calls] == [[1, 3], [2, 4], []]


def test_documents_stay_in_order_where_that_needs_no_more_calls() -> None:
    capacity = planner.split_capacity(SMALL)
    sizes = [100, capacity - 200, capacity - 100]  # largest first would put the first beside the last
    plan = planner.plan_split([member(n, size) for n, size in enumerate(sizes, 1)], SMALL, page_tokens={})
    assert [[piece.ordinal for piece in call.slices] for call in plan.calls] == [[1, 2], [3], []]


@given(drawn=large_documents, more=page_lists)
@settings(max_examples=150, deadline=None)
def test_a_document_that_joins_leaves_the_packs_before_it_as_they_are(
    drawn: list[tuple[Member, list[int]]], more: list[int]
) -> None:
    before = split_of(drawn, SMALL)
    after = split_of([*drawn, paged(len(drawn) + 1, more)], SMALL)
    assume(in_order(before) and in_order(after))
    earlier = [call.prefix_sha256 for call in before.calls[:-1]]
    later = [call.prefix_sha256 for call in after.calls[:-1]]
    assert later[: len(earlier) - 1] == earlier[:-1]  # the last one may take the newcomer in


def in_order(plan: Plan) -> bool:
    places = [(piece.ordinal, piece.first) for call in plan.calls for piece in call.slices]
    return places == sorted(places)


def test_an_oversized_document_is_cut_between_pages() -> None:
    book = paged(1, [500, 200, 300, 600, 10])
    plan = split_of([book, paged(2, [100])], SMALL)
    capacity = planner.split_capacity(SMALL)  # 632
    runs = [[(s.ordinal, s.first, s.last, s.tokens) for s in call.slices] for call in plan.calls]
    assert capacity == 632
    assert runs == [
        [(1, 1, 1, 520)],
        [(1, 2, 3, 520)],
        [(1, 4, 5, 630)],
        [(2, 1, 1, 120)],
        [],
    ]
    identities = [piece.identity for call in plan.calls for piece in call.slices if piece.ordinal == 1]
    assert len(set(identities)) == 3


def test_no_page_is_ever_cut() -> None:
    plan = split_of([paged(1, [100, 700, 100])], SMALL)
    assert not plan.feasible
    assert plan.infeasible_code == "over_window"
    assert "Page 2 of 1.pdf alone holds 700 tokens" in (plan.infeasible_because or "")
    assert plan.estimate is None
    assert not plan.calls


def test_a_question_that_fills_the_threshold_leaves_no_room_to_split() -> None:
    cramped = replace(SMALL, counts=replace(COUNTS, part_task=2_000))
    plan = split_of([paged(1, [10, 10])], cramped)
    assert not plan.feasible
    assert plan.infeasible_code == "over_window"


def test_what_fits_one_call_is_not_split() -> None:
    plan = planner.plan_split([member(1, 300), member(2, 300)], SMALL, page_tokens={})
    assert (plan.feasible, plan.infeasible_code) == (False, "not_needed")


def test_a_split_whose_findings_pass_the_window_is_refused() -> None:
    wordy = replace(
        SMALL, reserved_output_tokens=60_000, model=replace(SMALL.model, max_input_tokens=100_000)
    )
    plan = planner.plan_split([member(1, 500), member(2, 500)], wordy, page_tokens={})
    assert plan.infeasible_code == "over_window"
    assert "max_completion_tokens" in (plan.infeasible_because or "")


# The window and the threshold.


@pytest.mark.parametrize("tokens", [1_000, 271_999, 272_000])
def test_up_to_the_threshold_the_short_rates_hold(tokens: int) -> None:
    plan = planner.plan_whole(one_call_of(tokens), TERMS)
    assert plan.calls[0].input_tokens == plan.input_tokens == plan.largest_call == tokens
    assert plan.calls[0].band == "short"
    assert not plan.crosses_threshold
    assert plan.threshold_extra_usd == 0


@pytest.mark.parametrize("tokens", [272_001, 278_528, 921_999, 922_000])
def test_above_the_threshold_the_long_rates_hold(tokens: int) -> None:
    plan = planner.plan_whole(one_call_of(tokens), TERMS)
    assert plan.calls[0].band == "long"
    assert plan.crosses_threshold
    assert plan.threshold_extra_usd == (tokens * Decimal(5) + 1_400 * Decimal(15)) / 1_000_000


def test_one_token_over_the_window_is_refused_with_the_reason() -> None:
    plan = planner.plan_whole(one_call_of(922_001), TERMS)
    assert not plan.feasible
    assert plan.infeasible_code == "over_window"
    assert "922,001 input tokens do not fit gpt-5.5's limit of 922,000" in (plan.infeasible_because or "")
    assert plan.input_tokens == plan.largest_call == 922_001
    assert (plan.calls, plan.estimate) == ((), None)


@pytest.mark.parametrize(("reserved", "most"), [(1, 922_000), (2_000, 922_000), (128_000, 922_000)])
def test_less_output_buys_no_more_input(reserved: int, most: int) -> None:
    assert planner.max_input(replace(TERMS, reserved_output_tokens=reserved)) == most


def test_a_shared_window_leaves_the_input_what_the_output_does_not_take() -> None:
    small = replace(TERMS, model=CATALOG.model("gpt-5.4-mini"), reserved_output_tokens=128_000)
    assert planner.max_input(small) == 272_000
    tight = replace(small, model=replace(small.model, context_window=300_000))
    assert planner.max_input(tight) == 172_000


@pytest.mark.parametrize(
    ("tokens", "status"),
    [
        (258_399, "below"),
        (258_400, "below"),
        (258_401, "near"),
        (271_999, "near"),
        (272_000, "near"),
        (272_001, "over"),
        (922_000, "over"),
    ],
)
def test_the_guard_band_is_five_percent_below_the_threshold(tokens: int, status: str) -> None:
    assert planner.status_of(tokens, THRESHOLD, GUARD) == status


@given(tokens=st.integers(1, 400_000), threshold=st.integers(1, 400_000))
def test_a_guard_band_is_a_share_or_tokens(tokens: int, threshold: int) -> None:
    assert planner.guard_tokens(tokens, threshold) == tokens
    assert planner.guard_tokens(0.05, THRESHOLD) == GUARD
    assert 0 <= planner.guard_tokens(tokens / 400_001, threshold) <= threshold


@given(
    effort=st.sampled_from([None, "none", "low", "medium", "high", "xhigh", "new"]),
    reserved=st.integers(1, 128_000),
)
def test_the_expected_output_never_passes_the_reserved(effort: str | None, reserved: int) -> None:
    assert 1 <= planner.expected_output(effort, reserved) <= reserved


# The price.


@pytest.mark.parametrize(("tokens", "usd"), [(272_000, "1.42"), (272_001, "2.81001"), (900_000, "9.09")])
def test_the_published_checks_come_out(tokens: int, usd: str) -> None:
    estimate = estimate_of(planner.plan_whole(one_call_of(tokens), TERMS))
    assert pricing.usd(estimate.max_usd) == usd


def test_a_warm_question_pays_the_cached_rate_for_whole_steps_of_the_prefix() -> None:
    cold = planner.plan_whole(one_call_of(900_000), replace(TERMS, expected_output_tokens=2_000))
    prefix = 900_000 - COUNTS.task - packing.OVERHEAD.per_message
    assert cold.calls[0].prefix_tokens == prefix
    cached = prefix // 128 * 128
    expected = (Decimal(900_000 - cached) * 10 + cached + Decimal(2_000) * 45) / 1_000_000
    assert estimate_of(cold).warm_usd == expected
    assert estimate_of(cold).expected_usd == estimate_of(cold).cold_usd == Decimal("9.09")
    assert cold.expected_cached_tokens == 0
    warmth: dict[tuple[planner.CallKind, str], int] = {
        ("answer", call.prefix_sha256): cached for call in cold.calls
    }
    held = replace(TERMS, expected_output_tokens=2_000, cached=warmth)
    warm = planner.plan_whole(one_call_of(900_000), held)
    assert warm.expected_cached_tokens == cached
    assert estimate_of(warm).expected_usd == expected
    assert estimate_of(warm).max_usd == Decimal("9.09")  # a cache is a hope, never a ceiling


def test_a_prefix_of_another_corpus_warms_nothing() -> None:
    other = planner.plan_whole([member(2, 300_000)], TERMS)
    warm = replace(TERMS, cached={("answer", call.prefix_sha256): 1_024 for call in other.calls})
    assert planner.plan_whole(one_call_of(300_000), warm).expected_cached_tokens == 0


def test_a_split_of_a_large_corpus_costs_about_half() -> None:
    terms = replace(TERMS, reserved_output_tokens=4_000, expected_output_tokens=4_000)
    corpus = [paged(ordinal, [500] * 100) for ordinal in range(1, 19)]  # 900,000 tokens of pages
    members = [one for one, _ in corpus]
    whole, split = planner.plan_whole(members, terms), split_of(corpus, terms)
    assert [call.band for call in split.calls] == ["short"] * 5
    assert whole.crosses_threshold
    assert not split.crosses_threshold
    assert estimate_of(split).cold_usd < Decimal("0.6") * estimate_of(whole).cold_usd
    assert estimate_of(split).max_usd < estimate_of(whole).max_usd


def test_a_documents_slices_pay_for_their_own_tags() -> None:
    corpus = [paged(1, [500] * 1_800)]
    split = split_of(corpus, TERMS)
    around = packing.CALL_OVERHEAD + COUNTS.instructions + COUNTS.part_task
    parts = split.calls[:-1]
    assert sum(call.input_tokens for call in parts) == 900_000 + len(parts) * (around + 20)


def test_the_merge_is_reserved_at_its_longest_and_expected_at_its_usual() -> None:
    split = planner.plan_split([member(1, 600), member(2, 600)], SMALL, page_tokens={})
    merge = split.calls[-1]
    around = packing.CALL_OVERHEAD + COUNTS.merge_instructions + COUNTS.merge_task
    assert merge.input_tokens == around + 2 * (2_000 + planner.FINDINGS_TOKENS)
    assert merge.expected_input_tokens == around + 2 * (1_400 + planner.FINDINGS_TOKENS)
    assert split.input_tokens == sum(call.expected_input_tokens for call in split.calls)


@given(
    one=st.integers(AROUND + 21, 922_000),
    other=st.integers(AROUND + 21, 922_000),
    tier=st.sampled_from(["standard", "batch", "flex"]),
)
@settings(deadline=None)
def test_more_input_never_costs_less(one: int, other: int, tier: Tier) -> None:
    less, more = sorted((one, other))
    terms = replace(TERMS, tier=tier)
    cheap, dear = (estimate_of(planner.plan_whole(one_call_of(n), terms)) for n in (less, more))
    assert cheap.cold_usd <= dear.cold_usd
    assert cheap.max_usd <= dear.max_usd
    assert cheap.expected_usd <= dear.expected_usd
    if pricing.band_of(less, GPT) == pricing.band_of(more, GPT):
        rate = GPT.rates(tier, pricing.band_of(less, GPT), TODAY)
        assert rate is not None
        assert (dear.max_usd - cheap.max_usd) == (more - less) * rate.input / 1_000_000


@given(drawn=documents, expected=st.integers(1, 2_000))
@settings(deadline=None)
def test_estimates_are_ordered(drawn: list[tuple[Member, list[int]]], expected: int) -> None:
    terms = replace(SMALL, expected_output_tokens=expected)
    for plan in (planner.plan_whole([one for one, _ in drawn], terms), split_of(drawn, terms)):
        if plan.estimate is None:
            continue
        estimate = plan.estimate
        assert estimate.min_usd <= estimate.warm_usd <= estimate.cold_usd <= estimate.max_usd
        assert estimate.min_usd <= estimate.expected_usd <= estimate.max_usd


def test_an_unknown_price_stays_unknown() -> None:
    plan = planner.plan_whole(one_call_of(300_000), replace(TERMS, tier="priority"))
    assert plan.feasible
    assert (plan.estimate, plan.threshold_extra_usd) == (None, None)


# Identity.


def test_the_fingerprint_is_of_everything_that_is_sent() -> None:
    plan = planner.plan_whole([member(1, 500), member(2, 500)], TERMS)
    others = [
        planner.plan_whole([member(2, 500), member(1, 500)], TERMS),
        planner.plan_whole([member(1, 500)], TERMS),
        planner.plan_whole([member(1, 500), member(2, 501)], TERMS),
        planner.plan_whole([member(1, 500), member(2, 500, filename="x")], TERMS),
        planner.plan_whole([member(1, 500), member(2, 500)], TERMS, strategy="selected"),
        planner.plan_whole([member(1, 500), member(2, 500)], replace(TERMS, counts=replace(COUNTS, task=63))),
    ]
    assert planner.plan_whole([member(1, 500), member(2, 500)], TERMS).fingerprint == plan.fingerprint
    assert len({plan.fingerprint, *(other.fingerprint for other in others)}) == 7


def test_a_calls_prefix_is_the_packed_ones() -> None:
    one, two = member(1, 500), member(2, 500)
    call = planner.plan_whole([one, two], TERMS).calls[0]
    assert call.prefix_sha256 == packing.prefix_sha256(
        instructions=prompts.ANSWERING,
        documents=[(packing.open_document(m.ordinal, m.filename), m.pack_sha256) for m in (one, two)],
    )


def test_the_question_changes_no_prefix() -> None:
    longer = replace(TERMS, counts=replace(COUNTS, task=900))
    assert (
        planner.plan_whole(one_call_of(5_000), TERMS).calls[0].prefix_sha256
        == planner.plan_whole(one_call_of(5_000), longer).calls[0].prefix_sha256
    )
