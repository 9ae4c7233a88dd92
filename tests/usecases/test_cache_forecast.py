"""The forecast of cached tokens, held against the cache of a provider that has never heard of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from service.domain.questions import Question, numbered
from service.errors import PlanChanged, RequestExceedsProviderRate
from service.factory import open_context
from service.settings import Settings
from service.store import ledger, rate_limits
from service.usecases import arrange_corpus, preview_question
from service.usecases.ask_question import Request, ask_question, get_answer
from service.usecases.context import LOCAL, Context
from service.usecases.describe_answer import describe_answer
from service.usecases.forget_limits import forget_limits
from service.usecases.index_pages import make_searchable
from service.usecases.learn_terms import limited_as
from service.usecases.remove_document import remove_document
from service.usecases.report_spend import Span, report_spend
from service.usecases.run_answer import run_answer
from tests.support.batching import Unworked
from tests.support.counted import counted, prose
from tests.support.upstream import Upstream, no_usage, slow

STEP = 128


@pytest.fixture
def ctx(settings: Settings) -> Iterator[Context]:
    context = open_context(settings, queue=Unworked)
    yield context
    context.db.close()


def corpus_of(ctx: Context, *words: int, name: str = "Tests") -> tuple[str, list[str]]:
    """A corpus of documents of so many words, and their ids."""
    ids = [counted(ctx, f"{name} {n}.txt", [prose(n, size)]) for n, size in enumerate(words, 1)]
    return arrange_corpus.create(ctx, LOCAL, name=name, document_ids=ids).id, ids


def ask(ctx: Context, corpus: str, text: str = "What came?", **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
    question = Question(text=text, model="gpt-5.5", **{"strategies": ("whole",), **more})
    answer = ask_question(ctx, LOCAL, corpus, Request(question=question))
    asyncio.run(run_answer(ctx, answer.id))
    return describe_answer(get_answer(ctx, LOCAL, answer.id))


def check(answer: dict[str, Any], *, code: str) -> None:
    cache = answer["cache"]
    assert answer["status"] == "done", answer["error"]
    assert (cache["code"], abs(cache["difference"]) <= STEP) == (code, True), cache
    assert cache["cached_tokens"] == answer["usage"]["cached_tokens"]
    assert cache["because"].endswith(".")


def test_another_question_finds_all_of_it(ctx: Context) -> None:
    corpus, _ = corpus_of(ctx, 900, 700)
    check(ask(ctx, corpus), code="first_question")
    for text in ("Which pilot?", "And when, in words that are longer than before?"):
        again = ask(ctx, corpus, text)
        check(again, code="hit")
        assert again["cache"]["difference"] == 0
        assert again["usage"]["cached_tokens"] > 1_600


def test_appended_documents_leave_the_rest_cached(ctx: Context) -> None:
    corpus, _ = corpus_of(ctx, 900, 700)
    ask(ctx, corpus)
    arrange_corpus.append(ctx, LOCAL, corpus, counted(ctx, "new.txt", [prose(9, 1_500)]))
    cache = preview_question.meter(ctx, LOCAL, corpus, model_name=None)["cache"]
    assert (cache["lost_tokens"], cache["lost_usd"]) == (0, "0.00")
    assert "new.txt is read for the first time" in cache["because"]
    grown = ask(ctx, corpus)
    check(grown, code="hit")
    assert 1_600 < grown["usage"]["cached_tokens"] < 2_000
    check(ask(ctx, corpus), code="hit")


def test_removed_in_the_middle_what_follows_is_read_anew(ctx: Context) -> None:
    corpus, ids = corpus_of(ctx, 1_300, 700, 900)
    ask(ctx, corpus)
    before = preview_question.meter(ctx, LOCAL, corpus, model_name=None)
    arrange_corpus.take_out(ctx, LOCAL, corpus, ids[1])
    meter = preview_question.meter(ctx, LOCAL, corpus, model_name=None)
    cache = meter["cache"]
    assert cache["code"] == "changed"
    assert "also read Tests 2.txt" in cache["because"]
    assert cache["lost_tokens"] == meter["documents"][1]["tokens"]
    told = Decimal(before["documents"][1]["if_removed"]["costs_usd"])
    assert abs(told - Decimal(cache["lost_usd"])) < Decimal("0.0015")
    shrunk = ask(ctx, corpus)
    check(shrunk, code="changed")
    assert 1_300 < shrunk["usage"]["cached_tokens"] < 1_700
    cost = Decimal(meter["cache"]["next_question_usd"])
    assert cost > Decimal(meter["per_question"]["warm_usd"])
    check(ask(ctx, corpus), code="hit")


def test_reordered_by_taking_out_and_adding_again(ctx: Context) -> None:
    corpus, ids = corpus_of(ctx, 1_300, 700, 900)
    ask(ctx, corpus)
    arrange_corpus.take_out(ctx, LOCAL, corpus, ids[1])
    arrange_corpus.append(ctx, LOCAL, corpus, ids[1])
    moved = ask(ctx, corpus)
    check(moved, code="changed")
    assert 1_300 < moved["usage"]["cached_tokens"] < 1_700


def test_without_the_first_document_nothing_is_left(ctx: Context) -> None:
    corpus, ids = corpus_of(ctx, 1_300, 1_200)
    ask(ctx, corpus)
    remove_document(ctx, LOCAL, ids[0])
    cache = preview_question.meter(ctx, LOCAL, corpus, model_name=None)["cache"]
    assert (cache["code"], cache["expected_cached_tokens"]) == ("changed", 0)
    assert cache["lost_tokens"] > 1_200
    left = ask(ctx, corpus)
    check(left, code="changed")
    assert left["usage"]["cached_tokens"] == 0


def test_own_instructions_stand_behind_the_documents(ctx: Context) -> None:
    corpus, _ = corpus_of(ctx, 1_300)
    ask(ctx, corpus, system_prompt="Answer in one word, and in capital letters.")
    check(ask(ctx, corpus, system_prompt="Answer at length."), code="hit")


def test_short_packs_are_never_cached(ctx: Context) -> None:
    corpus, _ = corpus_of(ctx, 200)
    ask(ctx, corpus)
    check(ask(ctx, corpus), code="too_short")


def test_after_an_hour_nothing_is_expected(ctx: Context) -> None:
    corpus, _ = corpus_of(ctx, 1_300)
    ask(ctx, corpus)
    late = replace(ctx, now=lambda: datetime.now(UTC) + timedelta(minutes=61))
    plan = preview_question.preview_question(late, LOCAL, corpus, Question(text="When?", model="gpt-5.5"))
    assert plan.offers[0].description["cache"]["code"] == "expired"
    assert ask(late, corpus)["cache"]["code"] == "better_than_expected"


def test_the_provider_let_go_of_it(ctx: Context, upstream: Upstream) -> None:
    corpus, _ = corpus_of(ctx, 1_300)
    ask(ctx, corpus)
    upstream.forget()
    missed = ask(ctx, corpus)
    assert missed["cache"]["code"] == "evicted"
    assert missed["cache"]["difference"] < -1_000


def test_no_details_no_verdict(ctx: Context, upstream: Upstream) -> None:
    corpus, _ = corpus_of(ctx, 1_300)
    upstream.tells_cache = False
    assert ask(ctx, corpus)["cache"]["code"] == "not_told"
    upstream.tells_cache = True
    upstream.script.append(no_usage())
    untold = ask(ctx, corpus)
    assert (untold["cache"]["code"], untold["cache"]["difference"]) == ("not_told", None)


def test_first_questions_side_by_side_all_miss(ctx: Context, upstream: Upstream) -> None:
    corpus, _ = corpus_of(ctx, 1_300)
    upstream.script.extend([slow(1.0), slow(1.0)])
    questions = [Question(text=text, model="gpt-5.5", strategies=("whole",)) for text in ("One?", "Two?")]
    accepted = [ask_question(ctx, LOCAL, corpus, Request(question=one)) for one in questions]

    async def run_both() -> None:
        await asyncio.gather(*(run_answer(ctx, answer.id) for answer in accepted))

    asyncio.run(run_both())
    told = [describe_answer(get_answer(ctx, LOCAL, answer.id))["cache"] for answer in accepted]
    assert [one["cached_tokens"] for one in told] == [0, 0]
    assert sorted(one["code"] for one in told) == ["first_question", "parallel"]


def test_an_answer_holds_its_estimate_against_the_bill(ctx: Context, upstream: Upstream) -> None:
    corpus, _ = corpus_of(ctx, 1_300)
    answers = [ask(ctx, corpus, f"Question {n}?") for n in range(7)]
    for answer in answers:
        estimate = answer["estimate"]
        off = Decimal(answer["cost"]["actual_usd"]) - Decimal(answer["cost"]["estimated_usd"])
        assert Decimal(estimate["error_usd"]) == off
        assert estimate["prompt_tokens"] == estimate["predicted_prompt_tokens"] + estimate["difference"]
        assert estimate["difference"] == 0
    first, last = (abs(one["estimate"]["error_share"]) for one in (answers[1], answers[-1]))
    assert last < first / 5, "the length of answers is learnt after five of them"
    total = report_spend(ctx, LOCAL, Span(), "day")["total"]["estimate"]
    assert total["calls"] == 7
    assert total["cached_tokens"] == sum(line.cached_tokens for line in upstream.invoice)
    errors = [Decimal(one["estimate"]["error_usd"]) for one in answers]
    assert abs(Decimal(total["mean_error_usd"]) - sum(errors, Decimal(0)) / 7) < Decimal("0.000001")


def test_how_the_provider_counts_is_learnt_after_three_replies(ctx: Context, upstream: Upstream) -> None:
    upstream.extra_tokens = 9
    corpus, _ = corpus_of(ctx, 1_300)
    off = [ask(ctx, corpus, f"Question {n}?")["estimate"]["difference"] for n in range(5)]
    assert off == [9, 9, 9, 0, 0]


def accept(ctx: Context, corpus: str, plan: dict[str, Any]) -> dict[str, Any]:
    """Ask by an offered plan."""
    answer = ask_question(ctx, LOCAL, corpus, Request(plan_id=plan["id"]))
    asyncio.run(run_answer(ctx, answer.id))
    return describe_answer(get_answer(ctx, LOCAL, answer.id))


def offered(ctx: Context, corpus: str, strategy: str = "whole") -> dict[str, Any]:
    question = Question(text="What came?", model="gpt-5.5", strategies=(strategy,))
    return preview_question.preview_question(ctx, LOCAL, corpus, question).offers[0].description


@pytest.mark.parametrize("extra", [(0,) * 6, (-9, -9, -9), (0, -40, 0, -70)], ids=["exact", "less", "unlike"])
@pytest.mark.parametrize("strategy", ["whole", "split"])
def test_what_other_answers_teach_moves_no_offered_plan(
    ctx: Context, upstream: Upstream, extra: tuple[int, ...], strategy: str
) -> None:
    upstream.tokens_per_minute = 2_000 if strategy == "split" else 2_000_000
    small, _ = corpus_of(ctx, 900, name="Small")
    ask(ctx, small)
    corpus, _ = corpus_of(ctx, 900, 800, 700)
    plan = offered(ctx, corpus, strategy)
    assert plan["feasible"], plan["infeasible_because"]
    for n, upstream.extra_tokens in enumerate(extra):
        ask(ctx, small, f"Question {n}?")
    answer = accept(ctx, corpus, plan)
    assert answer["status"] == "done", answer["error"]
    assert answer["cost"]["max_usd"] == plan["cost"]["max_usd"]
    assert Decimal(answer["cost"]["actual_usd"]) <= Decimal(plan["cost"]["max_usd"])


def test_a_plan_whose_ceiling_is_none_any_more_is_refused(ctx: Context, upstream: Upstream) -> None:
    corpus, _ = corpus_of(ctx, 1_300)
    plan = offered(ctx, corpus)
    upstream.extra_tokens = 9
    for n in range(3):
        ask(ctx, corpus, f"Question {n}?")
    with pytest.raises(PlanChanged, match="the provider's count"):
        accept(ctx, corpus, plan)


@pytest.fixture
def edge(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> str:
    """A corpus whose one call comes to 30 tokens below the threshold, which lies lower than usual."""
    corpus, _ = corpus_of(ctx, 1_300)
    tokens = preview_question.meter(ctx, LOCAL, corpus, model_name=None)["input_tokens"]
    question = Question(text="What came?", model="gpt-5.5", strategies=("whole",))
    with ctx.db.read() as tx:
        plan = preview_question.preview_in(tx, ctx, LOCAL, corpus, question).offers[0].plan
    assert plan.input_tokens > tokens
    model = replace(ctx.catalog.model("gpt-5.5"), threshold_tokens=plan.input_tokens + 30)
    monkeypatch.setattr(type(ctx.catalog), "model", lambda _self, _name: model)
    return corpus


def planned(ctx: Context, corpus: str) -> dict[str, Any]:
    question = Question(text="What came?", model="gpt-5.5", strategies=("whole",))
    return preview_question.preview_question(ctx, LOCAL, corpus, question).offers[0].description


def test_near_the_threshold_the_plan_says_that_the_count_is_in_doubt(ctx: Context, edge: str) -> None:
    plan = planned(ctx, edge)
    (warning,) = [one for one in plan["warnings"] if one["code"] == "threshold_in_doubt"]
    assert warning["doubt_tokens"] == 64
    assert Decimal(warning["short_usd"]) < Decimal(warning["long_usd"])
    assert plan["calls"][0]["price_band"] == "short"
    output = plan["reserved_output_tokens"]
    short = Decimal(plan["input_tokens"] * 5 + output * 30) / 1_000_000
    assert Decimal(plan["cost"]["max_usd"]) == short


def test_where_replies_differ_the_ceiling_holds_the_price_beyond_the_threshold(
    ctx: Context, upstream: Upstream, edge: str
) -> None:
    for n, upstream.extra_tokens in enumerate((0, 0, 0, 40)):
        ask(ctx, edge, f"Question {n}?")
    plan = planned(ctx, edge)
    assert "threshold_in_doubt" in [one["code"] for one in plan["warnings"]]
    long = Decimal((plan["input_tokens"] + 40) * 10 + plan["reserved_output_tokens"] * 45) / 1_000_000
    assert Decimal(plan["cost"]["max_usd"]) == long
    assert Decimal(ask(ctx, edge)["cost"]["reserved_usd"]) >= long


def test_once_the_count_is_known_nothing_is_in_doubt(ctx: Context, edge: str) -> None:
    for n in range(3):
        ask(ctx, edge, f"Question {n}?")
    plan = planned(ctx, edge)
    assert "threshold_in_doubt" not in [one["code"] for one in plan["warnings"]]
    output = plan["reserved_output_tokens"]
    short = Decimal(plan["input_tokens"] * 5 + output * 30) / 1_000_000
    assert Decimal(plan["cost"]["max_usd"]) == short


def test_a_limit_that_was_told_refuses_before_money_is_held(ctx: Context, upstream: Upstream) -> None:
    corpus, _ = corpus_of(ctx, 900)
    large, _ = corpus_of(ctx, 900, 800, 700, name="Large")
    upstream.tokens_per_minute = 2_000
    ask(ctx, corpus)
    asked = len(upstream.requests)
    with pytest.raises(RequestExceedsProviderRate) as caught:
        ask(ctx, large)
    assert [fix.do for fix in caught.value.fixes] == ["use_strategy", "raise_provider_limit"]
    assert len(upstream.requests) == asked
    with ctx.db.read() as tx:
        assert ledger.held_micros(tx, LOCAL) == 0
    plan = planned(ctx, large)
    assert (plan["feasible"], plan["infeasible_code"]) == (False, "request_exceeds_provider_rate")
    split = ask(ctx, large, strategies=("split",))
    assert split["status"] == "done", split["error"]
    assert all(line.prompt_tokens <= 2_000 for line in upstream.invoice)


def test_a_limit_is_learnt_from_a_refusal_and_tried_again_after_a_day(
    ctx: Context, upstream: Upstream
) -> None:
    corpus, _ = corpus_of(ctx, 900, 800, 700)
    upstream.tokens_per_minute = 2_000
    refused = ask(ctx, corpus)
    assert (refused["status"], refused["error"]["code"]) == ("failed", "request_exceeds_provider_rate")
    with pytest.raises(RequestExceedsProviderRate):
        ask(ctx, corpus)
    upstream.tokens_per_minute = 2_000_000
    with pytest.raises(RequestExceedsProviderRate):
        ask(ctx, corpus)
    forget_limits(ctx, "gpt-5.5")
    assert ask(ctx, corpus)["status"] == "done", "whoever knows better has it tried at once"
    with ctx.db.write() as tx:
        rate_limits.remember(
            tx, 2_000, engine=limited_as(ctx, "standard"), model="gpt-5.5", band="short", at=ctx.now()
        )
    tomorrow = replace(ctx, now=lambda: datetime.now(UTC) + timedelta(hours=25))
    assert ask(tomorrow, corpus)["status"] == "done"


def test_a_limit_is_its_tiers_and_its_accounts_own(ctx: Context, upstream: Upstream) -> None:
    corpus, _ = corpus_of(ctx, 900, 800, 700)
    upstream.tokens_per_minute = 2_000
    assert ask(ctx, corpus)["error"]["code"] == "request_exceeds_provider_rate"
    upstream.tokens_per_minute = 2_000_000
    with pytest.raises(RequestExceedsProviderRate):
        ask(ctx, corpus)
    assert ask(ctx, corpus, service_tier="flex")["status"] == "done"
    other_account = replace(ctx, terms=replace(ctx.terms, account="another"))
    assert ask(other_account, corpus)["status"] == "done"
    with pytest.raises(RequestExceedsProviderRate):
        ask(ctx, corpus)


def test_a_short_call_s_limit_says_nothing_of_a_long_one(ctx: Context, edge: str) -> None:
    with ctx.db.write() as tx:
        rate_limits.remember(
            tx, 100, engine=limited_as(ctx, "standard"), model="gpt-5.5", band="long", at=ctx.now()
        )
    assert planned(ctx, edge)["feasible"]


def test_a_split_is_forecast_call_by_call(ctx: Context, upstream: Upstream) -> None:
    upstream.tokens_per_minute = 4_000
    small, _ = corpus_of(ctx, 900, name="Small")
    ask(ctx, small)
    corpus, _ = corpus_of(ctx, 1_400, 1_500, 1_600, 1_700)
    first = ask(ctx, corpus, strategies=("split",))
    check(first, code="first_question")
    again = ask(ctx, corpus, "And who?", strategies=("split",))
    check_split(again)
    assert again["cache"]["code"] == "hit"


def check_split(answer: dict[str, Any]) -> None:
    """Each part may be a step off."""
    assert answer["status"] == "done", answer["error"]
    assert abs(answer["cache"]["difference"]) <= 4 * STEP
    assert answer["cache"]["cached_tokens"] > 3_000


@pytest.mark.parametrize("between", ["split", "ranked", "selected"])
def test_what_was_packed_otherwise_is_no_loss(ctx: Context, upstream: Upstream, between: str) -> None:
    """A meter compares the whole pack with one that was sent whole: of a part nothing was taken out."""
    upstream.tokens_per_minute = 2_600
    corpus, ids = corpus_of(ctx, 900, 800, 700)
    more: dict[str, Any] = {"strategies": (between,)}
    if between == "ranked":
        more["budget_tokens"] = 2_000
    if between == "selected":
        more["document_ids"] = (ids[1],)
    small, _ = corpus_of(ctx, 100, name="Small")
    ask(ctx, small)  # the provider tells its limit, so that a split is needed
    question = Question(text="Record 2?", model="gpt-5.5", **more)
    make_searchable(ctx, LOCAL, corpus, question, patient=True)
    assert ask(ctx, corpus, "Record 2?", **more)["status"] == "done"
    cache = preview_question.meter(ctx, LOCAL, corpus, model_name=None)["cache"]
    assert (cache["lost_tokens"], cache["lost_usd"]) == (0, "0.00"), cache
    assert cache["code"] in {"first_question", "hit"}


@pytest.mark.parametrize("between", ["split", "selected"])
def test_a_loss_is_told_against_what_was_sent_whole(ctx: Context, upstream: Upstream, between: str) -> None:
    corpus, ids = corpus_of(ctx, 900, 800, 700)
    assert ask(ctx, corpus)["status"] == "done"
    upstream.tokens_per_minute = 2_600
    small, _ = corpus_of(ctx, 100, name="Small")
    ask(ctx, small)
    named = {"document_ids": (ids[1],)} if between == "selected" else {}
    assert ask(ctx, corpus, "Record 3?", strategies=(between,), **named)["status"] == "done"
    arrange_corpus.take_out(ctx, LOCAL, corpus, ids[1])
    meter = preview_question.meter(ctx, LOCAL, corpus, model_name=None)
    assert meter["cache"]["lost_tokens"] == meter["documents"][1]["tokens"]


@pytest.mark.parametrize("words", range(1_300, 1_400, 14))
def test_a_list_of_questions_shares_no_more_than_the_documents(ctx: Context, words: int) -> None:
    """What stands before a list's first question is its own, and the same before every list."""
    corpus, _ = corpus_of(ctx, words)
    ask(ctx, corpus)
    asked = [
        ask(ctx, corpus, questions=questions, text=numbered(questions))
        for questions in (("What came?", "And when?"), ("By which pilot?", "And where to?", "Why?"))
    ]
    first, second = (one["cache"]["difference"] for one in asked)
    assert (first in {0, STEP}, second) == (True, 0), (first, second)
