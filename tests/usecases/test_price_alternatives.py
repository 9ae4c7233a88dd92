"""Other ways to pay for the same calls, and what is said where there is none."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from service.advising import lines
from service.domain import planner
from service.domain.pricing import rounded_up
from service.usecases.price_alternatives import alternatives
from tests.domain.test_planner import CATALOG, TERMS, estimate_of, member, one_call_of

WHOLE = planner.plan_whole(one_call_of(900_000), TERMS)


def test_each_cheaper_tier_has_every_figure_and_what_it_saves() -> None:
    for one in alternatives(WHOLE, TERMS, [1, 10]):
        then = estimate_of(planner.plan_whole(one_call_of(900_000), replace(TERMS, tier=one["service_tier"])))
        assert Decimal(one["cost"]["max_usd"]) == then.max_usd == estimate_of(WHOLE).max_usd / 2
        assert Decimal(one["saves_usd"]) == estimate_of(WHOLE).expected_usd - then.expected_usd
        assert [each["n"] for each in one["cost"]["for_questions"]] == [1, 10]
        assert Decimal(one["cost"]["for_questions"][1]["usd"]) == then.for_questions(10)


@pytest.mark.parametrize(
    ("tier", "others"),
    [
        ("standard", ["flex", "batch"]),
        ("priority", ["flex", "batch"]),
        ("flex", ["batch"]),
        ("batch", ["flex"]),
    ],
)
def test_its_own_tier_is_no_alternative(tier: str, others: list[str]) -> None:
    terms = replace(TERMS, tier=tier)  # type: ignore[arg-type]
    plan = planner.plan_whole(one_call_of(1_000), terms)
    assert [one["service_tier"] for one in alternatives(plan, terms, [1])] == others


def test_a_provider_that_can_not_be_asked_for_tiers_is_named() -> None:
    for one in alternatives(WHOLE, TERMS, [1], without_tiers="oxen"):
        assert (one["cost"], one["saves_usd"]) == (None, None)
        assert one["note"] == "oxen can't be asked for a service tier."


def test_an_unpublished_price_is_said() -> None:
    text = """
    [[model]]
    id = "local"
    context_window = 100_000
    max_output_tokens = 10_000
    [[model.prices]]
    standard.short = { input = "1", output = "1" }
    """
    terms = replace(TERMS, model=CATALOG.with_models(text).model("local"))
    plan = planner.plan_whole([member(1, 500)], terms)
    notes = [(one["cost"], one["note"]) for one in alternatives(plan, terms, [1])]
    assert notes == [(None, f"No price is published for local at {tier}.") for tier in ("flex", "batch")]


def test_what_is_not_feasible_has_no_price() -> None:
    over = planner.plan_whole(one_call_of(922_001), TERMS)
    assert [one["cost"] for one in alternatives(over, TERMS, [1])] == [None, None]


def test_what_costs_more_than_a_warm_cache_is_no_saving() -> None:
    held = {(call.kind, call.prefix_sha256): call.prefix_tokens // 128 * 128 for call in WHOLE.calls}
    warm = planner.warmed(WHOLE, replace(TERMS, cached=held))
    flex, batch = alternatives(warm, TERMS, [1])
    assert (Decimal(flex["saves_usd"]) > 0, flex["costs_more_usd"]) == (True, "0.00")
    more = Decimal(batch["cost"]["expected_usd"]) - estimate_of(warm).expected_usd
    assert (batch["saves_usd"], Decimal(batch["costs_more_usd"])) == ("0.00", more)
    assert more > 0
    assert batch["note"].startswith(f"It most probably costs {rounded_up(more)} more than asking now")
    described = {"data": [{"id": "pln_1", "cost": None, "alternatives": [flex, batch]}]}
    *_, tiers = lines({**described, "recommended": "pln_1", "recommended_because": "It reads all."})
    assert tiers.count("more than asking now") == 1
    assert tiers.endswith("more than asking now).")
