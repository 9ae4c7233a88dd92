"""Pictures in plans: limits, ceilings and thresholds hold at the upper end, what is expected at the lower."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from service.domain import planner, pricing
from service.domain.corpora import Member
from service.domain.manner import NO_IMAGES, Images, sum_of
from service.domain.planner import Plan
from service.domain.vision import MAX_PICTURES
from tests.domain.test_planner import SMALL, estimate_of, paged, read_pages

Page = tuple[int, Images]


def picture(patches: int) -> Images:
    """One page as so many patches; none for 0."""
    return Images(1, patches, patches + patches // 5, 0, f"{patches}") if patches else NO_IMAGES


page = st.tuples(st.integers(1, 200), st.sampled_from([0, 0, 25, 100, 240]).map(picture))
documents = st.lists(st.lists(page, min_size=1, max_size=9), min_size=1, max_size=8)


def member(ordinal: int, drawn: Sequence[Page]) -> Member:
    made, _ = paged(ordinal, [tokens for tokens, _ in drawn])
    images = sum_of(one for _, one in drawn)
    return made._replace(images=replace(images, identity="x" if images.pages else ""))


def members_of(drawn: Sequence[Sequence[Page]]) -> list[Member]:
    return [member(ordinal, pages) for ordinal, pages in enumerate(drawn, 1)]


def split_of(drawn: Sequence[Sequence[Page]]) -> Plan:
    members = members_of(drawn)
    pages = {one.document_id: drawn[one.ordinal - 1] for one in planner.oversized(members, SMALL)}
    return planner.plan_split(
        members,
        SMALL,
        page_tokens={name: [tokens for tokens, _ in of] for name, of in pages.items()},
        page_images={
            name: {n: one for n, (_, one) in enumerate(of, 1) if one.pages} for name, of in pages.items()
        },
    )


@given(drawn=documents)
def test_a_whole_plan_holds_every_picture_in_its_range(drawn: list[list[Page]]) -> None:
    members = members_of(drawn)
    plan = planner.plan_whole(members, SMALL)
    (call,) = plan.calls
    bare = planner.plan_whole([one._replace(images=NO_IMAGES) for one in members], SMALL)
    images = sum_of(one for pages in drawn for _, one in pages)
    assert call.images == images
    assert call.expected_input_tokens == bare.input_tokens + images.tokens_min
    assert (
        plan.input_tokens == plan.largest_call == call.input_tokens == bare.input_tokens + images.tokens_max
    )
    assert plan.crosses_threshold == (plan.input_tokens > 1_000)
    assert plan.estimate == planner.price_whole(plan.input_tokens, SMALL, spread=images.spread)
    assert (call.prefix_sha256 != bare.calls[0].prefix_sha256) == bool(images.pages)


@given(drawn=documents, share=st.floats(0, 1), output=st.integers(0, 2_000))
def test_no_bill_in_the_range_passes_the_ceiling(drawn: list[list[Page]], share: float, output: int) -> None:
    plan = planner.plan_whole(members_of(drawn), SMALL)
    (call,) = plan.calls
    billed = call.expected_input_tokens + round(share * call.images.spread)
    for cached in (0, min(call.prefix_tokens, billed)):
        bill = pricing.cost(
            SMALL.model,
            tier="standard",
            on=SMALL.on,
            input_tokens=billed,
            cached_tokens=cached,
            output_tokens=output,
        )
        assert bill is not None
        assert bill <= estimate_of(plan).max_usd
    found = estimate_of(plan)
    assert found.min_usd <= found.warm_usd <= found.cold_usd <= found.max_usd
    assert (plan.threshold_extra_usd or Decimal(0)) > 0 or not plan.crosses_threshold


@given(drawn=documents)
def test_a_split_stays_below_the_threshold_at_the_upper_end(drawn: list[list[Page]]) -> None:
    plan = split_of(drawn)
    assume(plan.feasible)
    parts = [call for call in plan.calls if call.kind == "part"]
    assert all(call.input_tokens <= 1_000 for call in parts)
    assert sum_of(call.images for call in plan.calls) == sum_of(one for pages in drawn for _, one in pages)
    text = [tokens for pages in drawn for tokens, _ in pages]
    wrappers = 20 * sum(len(call.slices) for call in parts)
    assert sum(piece.tokens for call in parts for piece in call.slices) == sum(text) + wrappers
    expected = [(f"doc_{n}", p) for n, pages in enumerate(drawn, 1) for p in range(1, len(pages) + 1)]
    assert sorted(read_pages(plan)) == sorted(expected)


def test_splits_are_drawn_at_all() -> None:
    plan = split_of([[(100, picture(240))] * 4, [(100, NO_IMAGES)]])
    assert [[(one.first, one.last) for one in call.slices] for call in plan.calls] == [
        [(1, 1)],
        [(2, 2)],
        [(3, 3)],
        [(4, 4), (1, 1)],
        [],
    ]


def test_one_picture_can_be_too_large_for_a_call() -> None:
    plan = split_of([[(100, picture(25)), (100, picture(700))]])
    assert plan.infeasible_code == "over_window"
    assert "Page 2" in (plan.infeasible_because or "")


@pytest.mark.parametrize(("pages", "feasible"), [(MAX_PICTURES, True), (MAX_PICTURES + 1, False)])
def test_no_call_holds_more_pictures_than_one_may(pages: int, *, feasible: bool) -> None:
    one = paged(1, [10])[0]._replace(images=Images(pages, 10 * pages, 12 * pages, 0, "x"))
    roomy = replace(SMALL, model=replace(SMALL.model, threshold_tokens=40_000))
    other = paged(2, [39_000])[0]
    whole = planner.plan_whole([one], roomy)
    split = planner.plan_split([one, other], roomy, page_tokens={})
    assert (whole.feasible, split.feasible) == (feasible, feasible)
    if not feasible:
        assert "1,501 pictures are more" in (whole.infeasible_because or "")
        assert whole.input_tokens == planner.whole_input([one], roomy.counts)
