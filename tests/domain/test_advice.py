"""Which plan is recommended: the cheapest that reads everything, and what it takes for it not to."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain import advice, planner, pricing
from service.domain.advice import Asked, asks_for_all
from service.domain.planner import Plan
from service.domain.pricing import Estimate
from tests.domain.test_planner import TERMS, estimate_of, member, one_call_of, paged, split_of

ASKED = Asked(questions=("Who signed?",), pages=1_600)
PLENTY = replace(ASKED, fits=False)
ALL = replace(PLENTY, questions=("List every signature.",))


def ranked(budget: int, *, usd: str = "1.42") -> Plan:
    """A plan that reads the most relevant pages up to a budget."""
    plan = planner.plan_whole(one_call_of(budget), TERMS)
    price = Estimate(*[Decimal(usd)] * 5)
    return replace(plan, strategy=cast("Any", "ranked"), budget_tokens=budget, estimate=price)


BOOKS = [paged(ordinal, [500] * 100) for ordinal in range(1, 17)]
WHOLE = planner.plan_whole([one for one, _ in BOOKS], TERMS)
SPLIT = split_of(BOOKS, TERMS)
TOO_LARGE = planner.plan_whole([member(1, 950_000)], TERMS)
RANKED = [ranked(32_000, usd="0.19"), ranked(272_000), ranked(128_000, usd="0.67")]


# The rule.


def test_the_cheapest_plan_is_recommended() -> None:
    cheap = planner.plan_whole(one_call_of(1_000), TERMS)
    dear = planner.plan_whole(one_call_of(2_000), TERMS)
    assert advice.recommended([dear, cheap], ASKED) is cheap
    assert advice.recommended([cheap, dear], ASKED) is cheap


def test_one_call_wins_a_tie() -> None:
    one = planner.plan_whole(one_call_of(1_000), TERMS)
    two = replace(one, strategy="split", calls=one.calls * 2)
    assert advice.recommended([two, one], ASKED) is one
    assert advice.recommended([one, two], ASKED) is one


def test_what_is_not_feasible_is_never_recommended() -> None:
    over = planner.plan_whole(one_call_of(922_001), TERMS)
    fits = planner.plan_whole(one_call_of(900_000), TERMS)
    assert advice.recommended([over, fits], ASKED) is fits
    assert advice.recommended([over], ASKED) is None
    assert advice.recommended([], ASKED) is None


def test_a_known_price_is_recommended_before_an_unknown_one() -> None:
    corpus = [member(n, 100_000) for n in range(1, 4)]
    terms = replace(TERMS, tier="priority")
    whole = planner.plan_whole(corpus, terms)
    split = planner.plan_split(corpus, terms, page_tokens={})
    assert whole.estimate is None
    assert split.estimate is not None
    assert advice.recommended([whole, split], ASKED) is split


def priced(cold: str, warm: str) -> Plan:
    amounts = [Decimal(warm), Decimal(cold), Decimal(9), Decimal(cold), Decimal(warm)]
    return replace(WHOLE, estimate=Estimate(*amounts))


def test_many_questions_over_a_warm_cache_count() -> None:
    first, often = priced("1.00", "0.90"), priced("2.00", "0.10")
    assert advice.recommended([first, often], ASKED) is first
    assert advice.recommended([first, often], replace(ASKED, expected=2)) is first
    assert advice.recommended([first, often], replace(ASKED, expected=3)) is often
    said = advice.because(often, [first, often], replace(ASKED, expected=3))
    assert "$2.20 for 3 questions instead of $2.80" in said


@pytest.mark.parametrize("asked", [ASKED, replace(ASKED, questions=("List every signature.",))])
def test_what_fits_is_read_whole(asked: Asked) -> None:
    assert advice.recommended([WHOLE, *RANKED, SPLIT], asked) is SPLIT


def test_of_what_does_not_fit_the_most_is_read_for_an_ordinary_question() -> None:
    assert advice.recommended([TOO_LARGE, SPLIT, *RANKED], PLENTY) is RANKED[1]
    assert advice.recommended([TOO_LARGE, SPLIT], PLENTY) is SPLIT


def test_of_what_does_not_fit_everything_is_read_where_everything_is_asked() -> None:
    assert advice.recommended([TOO_LARGE, *RANKED, SPLIT], ALL) is SPLIT
    mixed = replace(PLENTY, questions=("Who signed?", "How many signed?"))
    assert advice.recommended([*RANKED, SPLIT], mixed) is SPLIT
    assert advice.recommended([TOO_LARGE, *RANKED], ALL) is RANKED[1]


prices = st.decimals(0, 20, places=2)


@given(drawn=st.lists(st.tuples(prices, prices, st.booleans()), min_size=1, max_size=5), n=st.integers(1, 9))
def test_no_feasible_plan_that_reads_everything_is_cheaper(
    drawn: list[tuple[Decimal, Decimal, bool]], n: int
) -> None:
    plans = [
        replace(priced(str(max(one)), str(min(one))), infeasible_because=None if feasible else "No.")
        for *one, feasible in drawn
    ]
    chosen = advice.recommended(plans, replace(ASKED, expected=n))
    feasible = [estimate_of(plan) for plan in plans if plan.feasible]
    if chosen is None:
        assert not feasible
        return
    assert chosen.feasible
    rule = Estimate.for_questions if n > 1 else lambda one, _: one.expected_usd
    assert rule(estimate_of(chosen), n) == min(rule(one, n) for one in feasible)


# The reason.


def test_the_reason_names_both_prices() -> None:
    split, whole = (pricing.rounded_up(estimate_of(plan).expected_usd) for plan in (SPLIT, WHOLE))
    assert advice.because(SPLIT, [WHOLE, SPLIT], ASKED) == (
        "Reads all 1,600 pages in 4 calls at or below the threshold and one that merges them: "
        f"{split} instead of {whole} in one call above the threshold."
    )


def test_a_plan_without_a_rival_has_its_price_alone() -> None:
    one = planner.plan_whole(one_call_of(1_000), TERMS)
    needless = planner.plan_split([member(1, 300)], TERMS, page_tokens={})
    said = advice.because(one, [one, needless], replace(ASKED, pages=1))
    assert said == f"Reads the only page in one call: {pricing.rounded_up(estimate_of(one).expected_usd)}."
    selected = replace(one, strategy="selected")
    assert advice.because(selected, [selected], replace(ASKED, pages=2)).startswith(
        "Reads all 2 pages of the selected documents in one call: $"
    )


def test_it_says_that_one_call_was_not_possible() -> None:
    assert advice.because(SPLIT, [TOO_LARGE, SPLIT], ALL).endswith(", since one call can't hold them.")


def test_without_a_threshold_none_is_spoken_of() -> None:
    said = advice.because(SPLIT, [TOO_LARGE, SPLIT], replace(ALL, threshold=False))
    assert said.startswith("Reads all 1,600 pages in 4 calls and one that merges them: $")


def test_an_unknown_price_is_said() -> None:
    whole = planner.plan_whole(one_call_of(300_000), replace(TERMS, tier="priority"))
    assert advice.because(whole, [whole], ASKED) == (
        "Reads all 1,600 pages in one call above the threshold: no price is published."
    )


def test_what_reading_a_part_would_cost_is_said_where_it_is_less() -> None:
    said = advice.because(SPLIT, [WHOLE, SPLIT, *RANKED], ASKED)
    assert said.endswith(" The most relevant 272,000 tokens alone would cost $1.42.")
    dear = ranked(272_000, usd="99")
    assert "most relevant" not in advice.because(SPLIT, [WHOLE, SPLIT, dear], ASKED)


def test_a_part_is_said_to_be_one_and_what_all_would_cost() -> None:
    whole = pricing.rounded_up(estimate_of(SPLIT).expected_usd)
    assert advice.because(RANKED[1], [TOO_LARGE, SPLIT, *RANKED], PLENTY) == (
        "Reads the most relevant 272,000 tokens of the 1,600 pages in one call, since not all of them fit "
        f"the model's window: $1.42 instead of {whole} for all in 4 calls at or below the "
        "threshold and one that merges them."
    )


# What asks for everything.


@pytest.mark.parametrize(
    "question",
    [
        "List all contracts",
        "What does every report say about risk?",
        "Compare 2021 and 2022.",
        "Give a comparison of both years.",
        "Summarise the findings.",
        "summarize it",
        "Write a short summary.",
        "How many people died?",
        "HOW  MANY? No: how many?",
        "For each vessel, name the captain.",
        "Enumerate the changes",
        "Is there an overview?",
        "Was steht in allen Verträgen?",
        "Nenne jeden Vertrag.",
        "Wie viele Schiffe sanken?",
        "Wieviele Schiffe sanken?",
        "Liste die Schiffe auf.",
        "Vergleiche die Jahre 2021 und 2022.",
        "Fasse die Berichte zusammen.",
        "Bitte um Zusammenfassung.",
        "Sämtliche Zahlungen?",
        "U\u0308berblick u\u0308ber die Jahre",
        "Quels sont tous les contrats ?",
        "Résume les rapports.",
        "Combien de navires ont coulé ?",
        "Combien d'hommes ?",
        "Énumère les navires.",
        "Comparez les années.",
        "Pour chaque navire, le capitaine ?",
        "Enumera todos los contratos.",
        "¿Cuántos barcos se hundieron?",
        "¿Cuantas naves?",
        "Resume los informes.",
        "Compara los años.",
        "¿Qué dice cada informe?",
    ],
)
def test_some_words_ask_for_everything(question: str) -> None:
    assert asks_for_all(question)


@pytest.mark.parametrize(
    "question",
    [
        "",
        "When did it open?",
        "Who signed the contract?",
        "Did it change at all?",
        "What was it after all?",
        "How do they relate to each other?",
        "What is the list price?",
        "What was the overall result of the smallest call?",
        "When did the talks resume?",
        "Is the company enlisted?",
        "Wann wurde der Hafen eröffnet?",
        "Welcher Fall war es?",
        "Quand le port a-t-il ouvert ?",
        "Combien coûte le permis ?",
        "¿Cuándo abrió el puerto?",
        "¿Cuánto costó?",
    ],
)
def test_an_ordinary_question_does_not(question: str) -> None:
    assert not asks_for_all(question)
