"""A repair is in the ceiling and nowhere else, passes no threshold alone, and reads clean lines."""

from __future__ import annotations

from dataclasses import asdict, replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain import planner, pricing, repairs, statements
from service.domain.observations import Counting
from service.domain.planner import Plan, Terms
from service.domain.rates import RateLimits
from tests.domain.test_planner import TERMS, THRESHOLD, member, one_call_of

WITH = replace(TERMS, counts=replace(TERMS.counts, repair_task=160))
SHOWN = WITH.reserved_output_tokens
MORE = 160 - WITH.counts.task + SHOWN
"""Input that a repair may take beside its answer's."""


def planned(tokens: int, terms: Terms = WITH) -> tuple[Plan, Plan]:
    plain = planner.plan_whole(one_call_of(tokens), terms)
    return plain, repairs.with_repair(plain, terms)


@given(st.integers(2_000, THRESHOLD - MORE))
def test_only_the_ceiling_holds_it(tokens: int) -> None:
    plain, repaired = planned(tokens)
    assert plain.estimate is not None
    assert repaired.estimate is not None
    assert repaired.repair is not None
    top = Decimal((tokens + MORE) * 5 + 2_000 * 30).scaleb(-6)
    assert repaired.estimate.max_usd - plain.estimate.max_usd == top
    assert asdict(replace(repaired.estimate, max_usd=plain.estimate.max_usd)) == asdict(plain.estimate)
    assert replace(repaired, repair=None, estimate=plain.estimate) == plain
    assert repaired.all_calls == (*plain.calls, repaired.repair)
    assert repaired.fingerprint != plain.fingerprint
    call, answer = repaired.repair, plain.calls[0]
    assert (call.slices, call.prefix_sha256, call.band) == (answer.slices, answer.prefix_sha256, "short")
    assert call.expected_cached_tokens == pricing.cacheable(answer.prefix_tokens)


@pytest.mark.parametrize(
    ("tokens", "doubt", "planned_for"),
    [
        (THRESHOLD - MORE, 0, True),
        (THRESHOLD - MORE + 1, 0, False),
        (THRESHOLD - MORE - 64, 64, True),
        (THRESHOLD - MORE - 63, 64, False),
        (THRESHOLD, 0, False),
        (THRESHOLD + 1, 0, True),
    ],
)
def test_none_passes_the_threshold_that_its_answer_keeps(tokens: int, doubt: int, planned_for: bool) -> None:  # noqa: FBT001
    plain, repaired = planned(tokens, replace(WITH, counting=Counting(doubt=doubt)))
    assert (repaired.repair is not None) is planned_for
    assert repaired.feasible
    if not planned_for:
        assert "threshold of 272,000" in (repaired.repair_left_out or "")
        assert repaired.estimate == plain.estimate


def test_none_that_the_window_or_the_rate_refuses() -> None:
    most = planner.max_input(WITH)
    assert "window" in (planned(most)[1].repair_left_out or "")
    assert planned(most - MORE)[1].repair is not None
    limited = replace(WITH, limits=RateLimits(short=50_000, long=50_000))
    assert "per minute" in (planned(50_000, limited)[1].repair_left_out or "")
    assert planned(50_000 - MORE, limited)[1].repair is not None


def test_none_of_a_split_nor_of_what_is_not_feasible() -> None:
    members = [member(n, 140_000) for n in (1, 2, 3)]
    split = planner.plan_split(members, WITH, page_tokens={})
    assert "split" in (repairs.with_repair(split, WITH).repair_left_out or "")
    never = planned(planner.max_input(WITH) + 1)[1]
    assert (never.repair, never.repair_left_out) == (None, "The plan is not feasible.")


def test_small_reserves_bound_it() -> None:
    for reserved in (1, 50, 16_000):
        terms = replace(WITH, reserved_output_tokens=reserved, expected_output_tokens=1)
        _, repaired = planned(10_000, terms)
        assert repaired.repair is not None
        assert repaired.repair.reserved_output_tokens == min(reserved, repairs.OUTPUT_TOKENS)
        shown = repaired.repair.input_tokens - 10_000 - 100
        assert shown == min(reserved, repairs.SHOWN_TOKENS)


def test_corrections_are_clean_lines() -> None:
    reply = """Here they are:
1. "the words" [D1 p.2]
2. WITHDRAWN
**3.** "more" [D2 p.3].
- 4) withdrawn: nothing proves it
5. "two" [D1 p.1] "of them" [D1 p.2]
6. no quote [D1 p.1]
7. "no mark"
1. "a second say" [D9 p.9]
"""
    found = repairs.corrections(reply)
    said = {n: one.claim and (one.claim.marker, one.claim.quote) for n, one in found.items()}
    assert said == {1: ("[D1 p.2]", "the words"), 2: None, 3: ("[D2 p.3]", "more"), 4: None}


def test_only_failed_statements_of_sources_that_are_there_are_asked() -> None:
    verdicts = ["exact", "close", "altered", "elsewhere", "missing", "missing"]
    text = " ".join(f'"{n}" [D{n} p.1]' for n in range(6))
    said = statements.read(text, structured=False)
    citations = [{"verdict": verdict, "source_gone": n == 5} for n, verdict in enumerate(verdicts)]
    assert repairs.failed(said, citations) == [2, 4]


def test_statements_are_shown_on_lines_of_their_own() -> None:
    said = statements.read('It is\nso: "bad <page n=1>\nwords" [D1 p.2]', structured=False)
    found = {"page": 2, "text": "good\n words"}
    shown = repairs.excerpt(said, 0, {"found": found})
    task = repairs.task([shown])
    (line,) = [one for one in task.splitlines() if one.startswith("1. ")]
    assert line == '1. It is so: "bad \u2039page n=1> words" [D1 p.2] (page 2 says: good words)'
    assert task.endswith("\n</task>\n")
