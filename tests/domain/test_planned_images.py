"""What a question shows is in every call that asks it, counted once, and in no prefix."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from service.domain import packing, planner, ranked, repairs
from service.domain.manner import Images
from service.domain.planner import Terms
from service.domain.vision import MAX_PICTURES
from tests.domain.test_planned_pictures import documents, members_of
from tests.domain.test_planned_pictures import picture as page_picture
from tests.domain.test_planner import SMALL

counts = st.integers(1, 120)
spreads = st.integers(0, 40)


def showing(least: int, spread: int, *, before: int = 0) -> Terms:
    own = Images(1, least, least + spread)
    earlier = Images(1, before, before + spread) if before else Images()
    return replace(SMALL, counts=replace(SMALL.counts, images=own, history_images=earlier))


@given(drawn=documents, least=counts, spread=spreads, before=st.sampled_from([0, 0, 17]))
def test_a_whole_plan_adds_exactly_the_pictures(
    drawn: list[list[tuple[int, Images]]], least: int, spread: int, before: int
) -> None:
    members, terms = members_of(drawn), showing(least, spread, before=before)
    bare, plan = (planner.plan_whole(members, one) for one in (SMALL, terms))
    assume(plan.feasible)
    (call,), (without,) = plan.calls, bare.calls
    shown = terms.counts.shown
    assert call.expected_input_tokens == without.expected_input_tokens + shown.tokens_min
    assert (
        call.input_tokens
        == without.input_tokens + shown.tokens_max
        == planner.whole_input(members, terms.counts)
    )
    assert call.pictures.pages == without.images.pages + shown.pages
    assert call.pictures.spread == call.input_tokens - call.expected_input_tokens
    assert call.prefix_sha256 == without.prefix_sha256, "what is cached is the same"
    assert call.prefix_tokens == without.prefix_tokens + before, (
        "earlier turns are part of it, the question never"
    )
    assert plan.crosses_threshold == (plan.input_tokens > (SMALL.model.threshold_tokens or 0))
    pages = sum(member.images.spread for member in members)
    assert plan.estimate == planner.price_whole(plan.input_tokens, terms, spread=pages)


@pytest.mark.parametrize("over", [0, 1])
def test_the_threshold_is_crossed_by_the_most_they_can_be(over: int) -> None:
    members = members_of([[(100, page_picture(0))]])
    at = SMALL.model.threshold_tokens or 0
    room = at - planner.whole_input(members, SMALL.counts)
    plan = planner.plan_whole(members, showing(1, room - 1 + over))
    assert plan.input_tokens == at + over
    assert plan.crosses_threshold == bool(over)
    assert plan.calls[0].expected_input_tokens == at - room + 1


@given(drawn=documents, least=counts, spread=spreads)
def test_every_call_of_a_split_holds_them_below_the_threshold(
    drawn: list[list[tuple[int, Images]]], least: int, spread: int
) -> None:
    members, terms = members_of(drawn), showing(least, spread)
    pages = {one.document_id: drawn[one.ordinal - 1] for one in planner.oversized(members, terms)}
    plan = planner.plan_split(
        members,
        terms,
        page_tokens={name: [tokens for tokens, _ in of] for name, of in pages.items()},
        page_images={
            name: {n: one for n, (_, one) in enumerate(of, 1) if one.pages} for name, of in pages.items()
        },
    )
    assume(plan.feasible)
    for call in plan.calls:
        assert call.shown == terms.counts.images
        if call.kind == "part":
            assert call.input_tokens <= (SMALL.model.threshold_tokens or 0)
            assert call.expected_input_tokens == call.input_tokens - call.pictures.spread
    merge, parts = plan.calls[-1], len(plan.calls) - 1
    findings = parts * (terms.reserved_output_tokens + planner.FINDINGS_TOKENS)
    texts = packing.CALL_OVERHEAD + terms.counts.merge_instructions + terms.counts.merge_task + findings
    assert merge.input_tokens == texts + least + spread
    usual = parts * (terms.reserved_output_tokens - terms.expected_output_tokens)
    assert merge.expected_input_tokens == texts + least - usual


def test_a_ranked_pack_leaves_room_for_them() -> None:
    assert ranked.room(600, showing(50, 10)) == ranked.room(600, SMALL) - 60


def test_a_repair_shows_statements_instead() -> None:
    members = members_of([[(100, page_picture(0))]])
    terms = replace(showing(50, 10, before=20), reserved_output_tokens=20, expected_output_tokens=20)
    plan, bare = (
        repairs.with_repair(planner.plan_whole(members, one), one)
        for one in (terms, replace(terms, counts=replace(terms.counts, images=Images())))
    )
    assert plan.repair is not None
    assert bare.repair is not None
    assert (plan.repair.input_tokens, plan.repair.expected_input_tokens) == (
        bare.repair.input_tokens,
        bare.repair.expected_input_tokens,
    )
    assert plan.repair.shown == terms.counts.history_images


def test_more_pictures_than_a_request_may_hold() -> None:
    members = members_of([[(10, page_picture(0))]])
    many = Images(MAX_PICTURES + 1, 1, 1)
    plan = planner.plan_whole(members, replace(SMALL, counts=replace(SMALL.counts, images=many)))
    assert not plan.feasible
    assert f"{MAX_PICTURES + 1:,} pictures are more" in (plan.infeasible_because or "")
