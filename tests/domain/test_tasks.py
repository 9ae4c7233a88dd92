"""Questions asked together: counted to the token, behind the same prefix, and priced against one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ingest import count_tokens
from service.domain import packing, planner, pricing, prompts, tasks
from service.domain.catalog import Tier
from service.domain.planner import CallKind, Plan, Terms
from service.domain.questions import Question, check_together, numbered
from service.errors import Invalid
from tests.domain.test_packing import Packed, cleaned, corpora, encoder_count, prefix
from tests.domain.test_planner import SMALL, TERMS, estimate_of, member

KINDS: tuple[CallKind, ...] = ("answer", "part", "merge")
lists = st.lists(cleaned, min_size=1, max_size=5)


def question_of(*texts: str, own: str | None = None) -> Question:
    """One question, or a list."""
    if len(texts) == 1:
        return Question(texts[0], "gpt-5.5", system_prompt=own)
    return Question(numbered(texts), "gpt-5.5", questions=texts, system_prompt=own)


def list_of(texts: Sequence[str], own: str | None = None) -> Question:
    """A list, be it of one."""
    return Question(numbered(texts), "gpt-5.5", questions=tuple(texts), system_prompt=own)


def assembled(documents: Sequence[Packed], question: Question) -> tuple[prompts.Message, ...]:
    return packing.messages(
        instructions=prompts.ANSWERING,
        parts=list(packing.parts_of(block for document in documents for block in document.blocks)),
        task=tasks.task_of(question, "answer"),
    )


# What is sent.


@given(documents=corpora, asked=lists, own=st.none() | cleaned)
@settings(max_examples=100, deadline=None)  # the encoder loads at the first count
def test_the_predicted_count_of_a_list_is_the_encoders(
    documents: list[Packed], asked: list[str], own: str | None
) -> None:
    question = list_of(asked, own)
    counts = tasks.counts_of(question, count_tokens)
    predicted = planner.whole_input([document.member for document in documents], counts)
    assert predicted == encoder_count(assembled(documents, question))


@given(documents=corpora, one=cleaned, asked=lists, own=st.none() | cleaned)
@settings(max_examples=100, deadline=None)
def test_the_same_documents_have_the_same_prefix_whatever_is_asked(
    documents: list[Packed], one: str, asked: list[str], own: str | None
) -> None:
    questions = [question_of(one), list_of(asked, own), list_of([one])]
    assert len({repr(prefix(assembled(documents, question))) for question in questions}) == 1
    members = [document.member for document in documents]
    planned = [
        planner.plan_whole(members, replace(TERMS, counts=tasks.counts_of(question, count_tokens)))
        for question in questions
    ]
    assert len({plan.calls[0].prefix_sha256 for plan in planned}) == 1
    assert len({plan.calls[0].prefix_tokens for plan in planned}) == 1


@given(asked=lists, own=st.none() | cleaned)
@settings(deadline=None)
def test_each_question_stands_under_its_number_in_order(asked: list[str], own: str | None) -> None:
    for kind in KINDS:
        task = tasks.task_of(list_of(asked, own), kind)
        blocks = "".join(
            f'<question n="{n}">\n{packing.defuse(one)}\n</question>\n' for n, one in enumerate(asked, 1)
        )
        assert task.startswith(prompts.SEVERAL_REMINDERS[kind])
        assert task.endswith(blocks)
        assert task.count("<question ") == task.count("</question>") == len(asked)
        assert task.count("<instructions>") == (1 if own else 0)


@pytest.mark.parametrize("kind", KINDS)
def test_one_question_is_asked_as_ever(kind: CallKind) -> None:
    task = tasks.task_of(question_of("Who?", own="Be brief."), kind)
    reminder = prompts.REMINDERS[kind]
    own = "<instructions>\nBe brief.\n</instructions>\n"
    assert task == f"{reminder}{own}<question>\nWho?\n</question>\n"


@given(asked=lists, other=lists, own=st.none() | cleaned)
@settings(deadline=None)
def test_a_task_begins_the_same_whatever_is_asked(
    asked: list[str], other: list[str], own: str | None
) -> None:
    for kind in KINDS:
        opening = tasks.opening_of(kind, own, is_list=True)
        for texts in (asked, other):
            task = tasks.task_of(list_of(texts, own), kind)
            assert task.startswith(opening + packing.defuse(texts[0]))
        alone = tasks.opening_of(kind, own, is_list=False)
        assert tasks.task_of(question_of(asked[0], own=own), kind).startswith(
            alone + packing.defuse(asked[0])
        )


@pytest.mark.parametrize("kind", KINDS)
def test_the_reminder_of_a_list_asks_for_numbers_and_quotes(kind: CallKind) -> None:
    said = prompts.SEVERAL_REMINDERS[kind]
    assert "numbered questions" in said
    assert '"the exact words" [D12 p.137]' in said
    assert said.startswith("<task>\n")
    assert said.endswith("</task>\n")


# The list itself.


def test_a_list_reads_as_numbered_lines() -> None:
    assert numbered(["Who? ", " When,\nand where?"]) == "1. Who?\n2. When,\nand where?"


def test_a_question_comes_back_from_its_json() -> None:
    for question in (question_of("Who?"), question_of("Who?", "When?")):
        assert Question.from_dict({**question.as_dict()}) == question
    earlier = {name: value for name, value in question_of("Who?").as_dict().items() if name != "questions"}
    assert Question.from_dict(earlier) == question_of("Who?")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ([], "1 to 100 questions; these are 0"),
        (["?"] * 101, "1 to 100 questions; these are 101"),
        (["Who?", " \n"], "Question 2 of `questions` is empty"),
        (["x" * 100_001] * 2, "200,002 characters together, more than 200,000"),
    ],
)
def test_what_can_not_be_asked_together_is_said(asked: list[str], said: str) -> None:
    with pytest.raises(Invalid, match=said):
        check_together(asked)


def test_what_can_be_asked_together_is_let_through() -> None:
    check_together(["?"])
    check_together(["x" * 2_000] * 100)


# The price.


def terms_for(question: Question, base: Terms = TERMS, *, reserved: int = 16_000) -> Terms:
    """As the use case makes them."""
    return replace(
        base,
        counts=tasks.counts_of(question, count_tokens),
        reserved_output_tokens=reserved,
        expected_output_tokens=planner.expected_output(None, reserved, questions=question.count),
    )


def together_of(question: Question, terms: Terms) -> tasks.Together:
    found = tasks.together(question, terms, count_tokens)
    assert found is not None
    return found


def one_by_one(texts: Sequence[str], plans: Sequence[Plan]) -> Decimal:
    """The first cold, the others warm, each planned by itself."""
    assert len(texts) == len(plans)
    estimates = [estimate_of(plan) for plan in plans]
    return estimates[0].cold_usd + sum((one.warm_usd for one in estimates[1:]), Decimal(0))


@given(asked=st.lists(cleaned, min_size=2, max_size=5), tokens=st.integers(500, 900_000))
@settings(max_examples=60, deadline=None)
def test_one_by_one_is_what_each_question_costs_by_itself(asked: list[str], tokens: int) -> None:
    members = [member(1, tokens)]
    question = question_of(*asked)
    terms = terms_for(question)
    plan = planner.plan_whole(members, terms)
    each = [planner.plan_whole(members, terms_for(question_of(one))) for one in asked]
    assert together_of(question, terms).one_by_one(plan) == one_by_one(asked, each)


@pytest.mark.parametrize("tier", ["standard", "flex"])
def test_one_by_one_holds_for_a_split_too(tier: Tier) -> None:
    members = [member(n, 100_000) for n in range(1, 7)]
    asked = ["Who signed?", "When, and before which of the witnesses of the other side?", "Why?"]
    base = replace(TERMS, tier=tier)
    terms = terms_for(question_of(*asked), base)
    plan = planner.plan_split(members, terms, page_tokens={})
    each = [planner.plan_split(members, terms_for(question_of(one), base), page_tokens={}) for one in asked]
    found = together_of(question_of(*asked), terms).one_by_one(plan)
    assert found == one_by_one(asked, each)
    assert found > estimate_of(plan).cold_usd, "each question pays for the documents again, cached or not"


def test_a_single_question_has_nothing_to_compare() -> None:
    question = question_of("Who?")
    assert tasks.together(question, terms_for(question), count_tokens) is None


def test_an_unknown_price_stays_unknown() -> None:
    question = question_of("Who?", "When?")
    terms = terms_for(question, replace(TERMS, tier="priority"))
    plan = planner.plan_whole([member(1, 300_000)], terms)
    assert together_of(question, terms).one_by_one(plan) is None


# The output.


@given(
    effort=st.sampled_from([None, "none", "low", "medium", "high", "xhigh"]),
    reserved=st.integers(1, 128_000),
    questions=st.integers(1, 100),
)
def test_more_questions_take_more_output_up_to_the_reserve(
    effort: str | None, reserved: int, questions: int
) -> None:
    one = planner.expected_output(effort, 128_000)
    expected = planner.expected_output(effort, reserved, questions=questions)
    assert expected == min(questions * one, reserved)


@pytest.mark.parametrize(("reserved", "cut", "fit"), [(7_200, False, 3), (7_199, True, 2), (100, True, 1)])
def test_answers_that_may_be_cut_are_known(reserved: int, *, cut: bool, fit: int) -> None:
    question = question_of("Who?", "When?", "Why?")
    found = together_of(question, terms_for(question, reserved=reserved))
    assert (found.usual_output, found.may_be_cut) == (7_200, cut)
    assert min(found.questions_that_fit, 3) == fit


# The window.


@given(
    sizes=st.lists(st.integers(30, 500), min_size=1, max_size=12),
    asked=st.lists(st.text(max_size=300), min_size=1, max_size=8),
    window=st.integers(300, 4_000),
    reserved=st.integers(1, 600),
)
@settings(max_examples=200, deadline=None)
def test_no_plan_passes_the_window_whatever_is_asked(
    sizes: list[int], asked: list[str], window: int, reserved: int
) -> None:
    model = replace(SMALL.model, context_window=window, max_input_tokens=window - 100)
    question = list_of(asked)
    terms = terms_for(question, replace(SMALL, model=model), reserved=reserved)
    members = [member(n, size) for n, size in enumerate(sizes, 1)]
    pages = {one.document_id: [one.tokens - 20] for one in members}
    plans = [planner.plan_whole(members, terms), planner.plan_split(members, terms, page_tokens=pages)]
    for plan in plans:
        assert plan.feasible or plan.infeasible_because
        for call in plan.calls:
            assert call.input_tokens <= model.max_input_tokens
            assert call.input_tokens + call.reserved_output_tokens <= window
            assert call.expected_input_tokens <= call.input_tokens
    assume(any(plan.feasible for plan in plans))


def test_the_ceiling_of_a_list_is_every_calls_full_output() -> None:
    question = question_of("Who?", "When?")
    plan = planner.plan_whole([member(1, 5_000)], terms_for(question))
    top = pricing.ceiling(
        TERMS.model, tier="standard", on=TERMS.on, input_tokens=plan.input_tokens, output_tokens=16_000
    )
    assert estimate_of(plan).max_usd == top
