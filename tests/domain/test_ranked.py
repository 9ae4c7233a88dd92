"""Ranked plans: never over their budget, counted exactly, in the documents' order, and never reused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain import advice, planner, ranked, ranking, terms
from service.domain.corpora import Member
from service.domain.planner import Plan
from service.domain.ranking import RankedPage
from tests.domain.test_planner import AROUND, SMALL, TERMS, paged

Corpus = list[tuple[Member, list[int]]]

corpora = st.lists(st.lists(st.integers(1, 400), min_size=1, max_size=8), min_size=1, max_size=8).map(
    lambda drawn: [paged(ordinal, pages) for ordinal, pages in enumerate(drawn, 1)]
)


def pages_of(corpus: Corpus) -> list[RankedPage]:
    return [
        RankedPage(one.document_id, number, tokens)
        for one, pages in corpus
        for number, tokens in enumerate(pages, 1)
    ]


@st.composite
def ranked_corpora(draw: st.DrawFn) -> tuple[Corpus, list[RankedPage]]:
    """A corpus, and some of its pages in the order of their rank."""
    corpus = draw(corpora)
    every = draw(st.permutations(pages_of(corpus)))
    return corpus, every[: draw(st.integers(1, len(every)))]


def read(plan: Plan) -> list[tuple[int, int]]:
    return [
        (piece.ordinal, number)
        for call in plan.calls
        for piece in call.slices
        for first, last in piece.runs
        for number in range(first, last + 1)
    ]


def planned(corpus: Corpus, pages: Sequence[RankedPage], budget: int) -> Plan:
    members = [one for one, _ in corpus]
    return ranked.plan_ranked(ranked.pack(pages, members, budget, TERMS), TERMS)


@given(drawn=ranked_corpora(), budget=st.integers(AROUND, AROUND + 4_000))
def test_the_budget_is_never_passed_and_the_count_is_that_of_the_pages(
    drawn: tuple[Corpus, list[RankedPage]], budget: int
) -> None:
    corpus, pages = drawn
    plan = planned(corpus, pages, budget)
    if not plan.feasible:
        assert min(page.tokens for page in pages) + 20 > budget - AROUND
        return
    counts = {(one.ordinal, number): n for one, held in corpus for number, n in enumerate(held, 1)}
    documents = {ordinal for ordinal, _ in read(plan)}
    assert plan.input_tokens == AROUND + sum(counts[page] for page in read(plan)) + 20 * len(documents)
    assert plan.input_tokens <= budget == plan.budget_tokens
    assert read(plan) == sorted(set(read(plan)))


@given(drawn=ranked_corpora())
def test_a_page_is_left_out_only_where_it_does_not_fit_any_more(
    drawn: tuple[Corpus, list[RankedPage]],
) -> None:
    corpus, pages = drawn
    plan = planned(corpus, pages, AROUND + 1_000)
    if plan.feasible:
        inside = set(read(plan))
        ordinals = {one.document_id: one.ordinal for one, _ in corpus}
        left = AROUND + 1_000 - plan.input_tokens
        out = [page for page in pages if (ordinals[page.document_id], page.number) not in inside]
        assert all(page.tokens > left - 20 for page in out)


@given(drawn=ranked_corpora())
def test_where_all_pages_fit_the_slices_are_those_of_whole_documents(
    drawn: tuple[Corpus, list[RankedPage]],
) -> None:
    corpus, _ = drawn
    everything = planned(corpus, pages_of(corpus), 199_000)
    whole = planner.plan_whole([one for one, _ in corpus], TERMS)
    assert everything.calls == whole.calls
    assert everything.fingerprint != whole.fingerprint


@given(drawn=ranked_corpora())
def test_the_pages_are_part_of_the_identity(drawn: tuple[Corpus, list[RankedPage]]) -> None:
    corpus, pages = drawn
    plan, fewer = planned(corpus, pages, 199_000), planned(corpus, pages[:-1] or pages, 199_000)
    assert (plan.fingerprint == fewer.fingerprint) == (read(plan) == read(fewer))


def test_from_200k_up_whole_documents_come_first_with_a_share_of_the_budget() -> None:
    corpus = [paged(1, [40_000] * 2), paged(2, [10_000] * 20), paged(3, [60_000])]
    best = [RankedPage("doc_2", 1, 10_000), RankedPage("doc_1", 2, 40_000), RankedPage("doc_3", 1, 60_000)]
    # The document of the best page is larger than the share; the next fits; the third does not beside it.
    found = ranked.pack(best, [one for one, _ in corpus], 230_000, TERMS)
    assert [(piece.ordinal, piece.runs) for piece in found.slices] == [
        (1, ((1, 2),)),
        (2, ((1, 1),)),
        (3, ((1, 1),)),
    ]
    pages_only = ranked.pack(best, [one for one, _ in corpus], 128_000, TERMS)
    assert [(piece.ordinal, piece.runs) for piece in pages_only.slices] == [
        (1, ((2, 2),)),
        (2, ((1, 1),)),
        (3, ((1, 1),)),
    ]


def test_at_the_threshold_a_margin_stays_free_as_in_a_split() -> None:
    corpus = [paged(1, [1] * 300_000)]
    plan = planned(corpus, pages_of(corpus), 272_000)
    assert 272_000 - planner.MARGIN_TOKENS - 1 <= plan.input_tokens <= 272_000 - planner.MARGIN_TOKENS


def test_budgets_are_offered_where_the_documents_are_larger() -> None:
    assert ranked.worth_it(272_001, TERMS) == (272_000, 128_000, 32_000)
    assert ranked.worth_it(272_000, TERMS) == (128_000, 32_000)
    assert ranked.worth_it(32_000, TERMS) == ()
    assert ranked.worth_it(50_000, TERMS, asked=40_000) == (40_000,)
    assert ranked.worth_it(50_000, SMALL) == (1_000,)


@pytest.mark.parametrize("threshold", [None, 272_000])
def test_a_model_without_a_threshold_is_offered_its_window(threshold: int | None) -> None:
    terms = replace(TERMS, model=replace(TERMS.model, threshold_tokens=threshold))
    assert ranked.budgets(terms)[0] == (threshold or planner.max_input(terms))


def test_a_budget_over_the_window_is_refused_and_so_is_one_that_holds_nothing() -> None:
    assert (refused := ranked.refusal(2_000_000, TERMS, asked=1_000_000)) is not None
    assert refused.code == "over_window"
    assert (refused := ranked.refusal(2_000_000, TERMS, asked=AROUND)) is not None
    assert refused.code == "over_budget"
    assert (refused := ranked.refusal(30_000, TERMS)) is not None
    assert refused.code == "not_needed"
    assert ranked.refusal(2_000_000, TERMS, asked=3_000) is None


@given(drawn=ranked_corpora(), questions=st.integers(1, 1000))
def test_the_next_question_pays_for_pages_of_its_own(
    drawn: tuple[Corpus, list[RankedPage]], questions: int
) -> None:
    plan = planned(*drawn, 199_000)
    assert plan.estimate is not None
    assert plan.for_questions(questions) == questions * plan.estimate.cold_usd
    whole = planner.plan_whole([one for one, _ in drawn[0]], TERMS)
    assert whole.estimate is not None
    assert whole.for_questions(questions) == whole.estimate.for_questions(questions)


def test_a_ranked_plan_is_not_recommended_beside_one_that_reads_everything() -> None:
    corpus = [paged(1, [200] * 200)]
    part = planned(corpus, pages_of(corpus)[:3], 32_000)
    whole = planner.plan_whole([corpus[0][0]], TERMS)
    assert part.estimate is not None
    assert whole.estimate is not None
    assert part.estimate.expected_usd < whole.estimate.expected_usd
    assert advice.recommended([part, whole], advice.Asked(("Grain?",))) is whole
    larger = replace(part, budget_tokens=128_000)
    assert advice.recommended([part, larger], advice.Asked(("Grain?",))) is larger


def test_a_plan_that_can_not_be_asked_costs_nothing() -> None:
    plan = ranked.plan_refused(ranked.nothing_matches(32_000))
    assert not plan.feasible
    assert plan.for_questions(3) is None
    assert plan.input_tokens == Decimal(0)


# Names, and several questions.


def test_a_rarer_word_in_a_name_counts_more_and_a_word_in_all_names_tells_nothing_apart() -> None:
    names = ["Apple_report.pdf", "Pear_report.pdf", "Plum_report.pdf"]
    members = [paged(n, [10])[0]._replace(filename=name) for n, name in enumerate(names, 1)]
    scores = ranking.name_scores(("appl", "report"), members, {})
    assert scores[1] > scores[2] == scores[3] > 0
    assert ranking.tells_apart(scores, 3)
    assert not ranking.tells_apart(ranking.name_scores(("report",), members, {}), 3)
    assert not ranking.tells_apart(ranking.name_scores(("grain",), members, {}), 3)


@pytest.mark.parametrize(
    ("name", "nothing"),
    [("scan_0012.pdf", True), ("1f9a.pdf", True), ("document (3).docx", True), ("harbour.pdf", False)],
)
def test_a_title_is_asked_where_the_name_says_nothing(name: str, nothing: bool) -> None:  # noqa: FBT001 - a case
    assert ranking.says_nothing(name) == nothing


def test_a_title_counts_as_a_name() -> None:
    members = [paged(n, [10])[0]._replace(filename=f"scan{n}.pdf") for n in (1, 2)]
    scores = ranking.name_scores(("harbour",), members, {"doc_2": "The Harbour in 1912"})
    assert set(scores) == {2}


@given(scores=st.dictionaries(st.integers(1, 500), st.floats(0.001, 50.0), min_size=1))
def test_levels_keep_the_order_of_names_and_stay_near_their_scores(scores: dict[int, float]) -> None:
    most = max(scores.values())
    found = ranking.levels(scores)
    assert len(found) <= ranking.LEVELS
    assert sorted(ordinal for _, held in found for ordinal in held) == sorted(scores)
    for weight, held in found:
        for ordinal in held:
            off = abs(weight / ranking.NAME_WEIGHT - scores[ordinal])
            assert off <= most / ranking.LEVELS + 1e-9


def test_several_questions_get_their_pages_by_turns() -> None:
    first = [RankedPage("doc_1", number, 10) for number in (1, 2, 3)]
    second = [RankedPage("doc_1", 2, 10), RankedPage("doc_2", 1, 10)]
    assert ranking.in_turn([first, second]) == [first[0], first[1], second[1], first[2]]
    assert ranking.in_turn([]) == []


@pytest.mark.parametrize(
    ("asked", "names"),
    [("What does the report say of dues?", False), ("What does the Brno report say?", True)],
)
def test_a_word_that_says_nothing_of_a_document_names_none(asked: str, names: bool) -> None:  # noqa: FBT001 - drawn
    members = [
        paged(ordinal, [10])[0]._replace(filename=name)
        for ordinal, name in enumerate(["brno report.pdf", "plzen minutes.pdf"], 1)
    ]
    assert ranking.names_a_document(terms.of_question(asked), members, {}) == names


def test_pages_are_too_large_that_would_be_read_were_they_shorter() -> None:
    corpus = [paged(1, [900, 400]), paged(2, [450, 950])]
    first, second, third, last = pages_of(corpus)
    members = [one for one, _ in corpus]
    packed = ranked.pack([first, second, third, last], members, AROUND + 500, TERMS)
    assert [(page.document_id, page.number) for page in packed.too_large] == [(first.document_id, 1)]
    (told,) = packed.too_large
    assert ranked.pack([first], members, told.needed_tokens, TERMS).slices
