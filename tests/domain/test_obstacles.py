"""Whatever stands in a plan's way is said with a way out, and the way out works."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain import obstacles, planner
from service.domain.manner import Images
from service.domain.planner import Plan
from service.domain.vision import MAX_PICTURES
from tests.domain.test_planner import COUNTS, SMALL, member, paged, split_of


def ways(plan: Plan) -> list[str]:
    assert not plan.feasible
    assert plan.infeasible_code
    assert plan.infeasible_because
    return [fix.do for fix in plan.fixes]


def test_what_needs_no_split_is_asked_in_one_call() -> None:
    plan = planner.plan_split([member(1, 300)], SMALL, page_tokens={})
    assert ways(plan) == ["use_strategy"]
    assert dict(plan.fixes[0].values) == {"strategy": "whole"}
    assert planner.plan_whole([member(1, 300)], SMALL).feasible


def test_a_page_that_is_too_large_is_left_out_with_its_document() -> None:
    good = [paged(n, [300]) for n in (2, 3, 4)]
    plan = split_of([paged(1, [100, 700]), *good], SMALL)
    assert ways(plan) == ["leave_out"]
    assert dict(plan.fixes[0].values)["document_ids"] == ["doc_1"]
    assert split_of(good, SMALL).feasible


def test_a_question_that_leaves_no_room_is_to_be_shortened() -> None:
    cramped = replace(SMALL, counts=replace(COUNTS, part_task=2_000))
    plan = split_of([paged(1, [10, 10])], cramped)
    assert ways(plan) == ["shorten_question"]
    assert "take 2,000 tokens" in (plan.infeasible_because or "")


@pytest.mark.parametrize("split", [False, True])
def test_too_many_pictures_are_sent_as_text(*, split: bool) -> None:
    shown = member(1, 500)._replace(images=Images(MAX_PICTURES + 1, 10, 10, 0, "x"))
    members = [shown, member(2, 500)]
    plan = planner.plan_split(members, SMALL, page_tokens={}) if split else planner.plan_whole(members, SMALL)
    assert ways(plan) == ["send_fewer_page_images", "leave_out"]


@given(
    parts=st.integers(2, 6),
    reserved=st.integers(1_000, 90_000),
    window=st.integers(2_000, 100_000),
    shared=st.integers(0, 60_000),
)
@settings(max_examples=200, deadline=None)
def test_with_the_output_that_is_named_the_findings_fit(
    parts: int, reserved: int, window: int, shared: int
) -> None:
    model = replace(SMALL.model, max_input_tokens=window, context_window=window + shared)
    terms = replace(SMALL, model=model, reserved_output_tokens=reserved, expected_output_tokens=1)
    members = [member(n, 600) for n in range(1, parts + 1)]
    pages = {one.document_id: [580] for one in members}
    plan = planner.plan_split(members, terms, page_tokens=pages)
    if plan.feasible or "findings" not in (plan.infeasible_because or ""):
        return
    assert "leave_out" in ways(plan)
    for fix in plan.fixes[:-1]:
        assert fix.do == "lower_max_completion_tokens"
        most = dict(fix.values)["max_completion_tokens"]
        for output, fits in ((most, True), (most + 1, False)):
            lower = replace(terms, reserved_output_tokens=output)
            if planner.split_capacity(lower) == planner.split_capacity(terms):  # as many parts
                assert planner.plan_split(members, lower, page_tokens=pages).feasible == fits


def test_where_no_output_would_fit_none_is_named() -> None:
    found = obstacles.findings_too_long(50, SMALL.model, around=SMALL.model.max_input_tokens, tags=16)
    assert [fix.do for fix in found.fixes] == ["leave_out"]
