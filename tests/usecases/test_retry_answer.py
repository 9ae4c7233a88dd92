"""An answer that broke off is gone on with: what was paid for is kept, and nothing is paid twice."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as tried_with
from hypothesis import strategies as st

from service.domain import pricing
from service.domain.answers import Answer, AnswerStatus
from service.domain.questions import Question
from service.errors import BudgetExceeded, Conflict, OverMaxCost, PlanChanged, ProviderChanged
from service.settings import Settings
from service.store import answers, ledger
from service.usecases import arrange_corpus, manage_budgets
from service.usecases.ask_question import Request, ask_question
from service.usecases.bill_verdict import Verdict
from service.usecases.cancel_answer import cancel_answer
from service.usecases.context import LOCAL, Context
from service.usecases.describe_answer import describe_answer
from service.usecases.keep_conversation import begin
from service.usecases.manage_budgets import Limit
from service.usecases.remove_document import remove_document
from service.usecases.resolve_answer import resolve_answer
from service.usecases.retry_answer import plan_retry, retry_answer
from service.usecases.run_answer import run_answer
from tests.support.server import settings_in
from tests.support.upstream import Upstream, cut_after, stall_after, status, well
from tests.usecases.test_run_answer import (
    after,
    after_events,
    asked,
    books,
    dearer,
    process,
    run,
    states,
    until,
)

REFUSED = status(400, "invalid_value")
"""Not billed, and never sent again by itself."""


@pytest.fixture
def ctx(settings: Settings) -> Iterator[Context]:
    with process(settings) as context:
        yield context


def split(ctx: Context) -> Answer:
    """An accepted question of three parts and a merge."""
    return asked(ctx, documents=3, tokens=140_000, strategy="split")


def broken(ctx: Context, upstream: Upstream, *acts: Any) -> Answer:  # noqa: ANN401 - an act
    """A split whose requests end so."""
    upstream.script.extend(acts)
    answer = split(ctx)
    run(ctx, answer)
    return after(ctx, answer)[0]


def again(ctx: Context, answer: Answer, **limits: Any) -> Answer:  # noqa: ANN401 - any limit
    """Retry an answer, and run it to its end."""
    new = retry_answer(ctx, LOCAL, answer.id, Request(**limits))
    run(ctx, new)
    return after(ctx, new)[0]


def billed(upstream: Upstream) -> Decimal:
    return sum((line.usd for line in upstream.invoice), Decimal(0))


@pytest.mark.parametrize("part", [0, 1, 2, 3], ids=["first", "second", "third", "merge"])
def test_only_what_is_missing_is_paid(ctx: Context, upstream: Upstream, part: int) -> None:
    answer = broken(ctx, upstream, *[well()] * part, REFUSED)
    assert (answer.status, len(upstream.invoice)) == (AnswerStatus.FAILED, part)
    plan = plan_retry(ctx, LOCAL, answer.id)
    assert [call["kept"] for call in plan["calls"]] == [True] * part + [False] * (4 - part)
    assert plan["retry_of"] == answer.id
    new = again(ctx, answer)
    ended, calls = after(ctx, new)
    assert (ended.status, states(calls)) == (AnswerStatus.DONE, ["done"] * 4)
    assert len(upstream.invoice) == 4, "every call was paid for once"
    assert (answer.actual_usd or 0) + (ended.actual_usd or 0) == billed(upstream)
    assert pricing.usd(pricing.from_micros(ended.reserved_micros)) == plan["cost"]["max_usd"]
    assert [call.kept_from for call in calls] == [f"{answer.id}.{n}" if n < part else None for n in range(4)]
    sums = books(ctx)
    assert {name.partition(".")[0] for name in sums} == {answer.id, new.id}
    assert sum(sums.values()) == sum(pricing.to_micros_up(line.usd) for line in upstream.invoice)
    assert not any(f"{new.id}.{n}" in sums for n in range(part)), "what is kept has no line in the ledger"
    assert (after(ctx, answer)[0].retried_as, ended.retry_of) == (new.id, answer.id)


@given(fates=st.lists(st.booleans(), max_size=9))
@tried_with(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_however_often_it_breaks_the_books_are_the_invoice(
    tmp_path_factory: pytest.TempPathFactory, fates: list[bool]
) -> None:
    with Upstream() as upstream, process(settings_in(tmp_path_factory.mktemp("store"), upstream)) as ctx:
        answer = broken(ctx, upstream, *[well() if good else REFUSED for good in fates])
        chain = [answer]
        while chain[-1].status is not AnswerStatus.DONE:
            chain.append(again(ctx, chain[-1]))
        assert len(upstream.invoice) == 4
        assert sum((one.actual_usd or Decimal(0) for one in chain), Decimal(0)) == billed(upstream)
        assert sum(books(ctx).values()) == sum(pricing.to_micros_up(line.usd) for line in upstream.invoice)
        used = [one.usage.prompt_tokens for one in chain if one.usage]
        assert sum(used) == sum(line.prompt_tokens for line in upstream.invoice)
        with ctx.db.read() as tx:
            assert ledger.held_micros(tx, LOCAL) == 0


def test_a_second_retry_is_the_first(ctx: Context, upstream: Upstream) -> None:
    answer = broken(ctx, upstream, well(), REFUSED)
    plan = plan_retry(ctx, LOCAL, answer.id)
    new = retry_answer(ctx, LOCAL, answer.id, Request())
    assert retry_answer(ctx, LOCAL, answer.id, Request()).id == new.id
    by_plan = ask_question(ctx, LOCAL, answer.corpus_id, Request(plan_id=plan["id"]))
    assert by_plan.id == new.id
    run(ctx, new)
    assert retry_answer(ctx, LOCAL, answer.id, Request()).status is AnswerStatus.DONE
    assert len(upstream.invoice) == 4


def test_what_was_stopped_is_asked_again_and_the_rest_is_kept(ctx: Context, upstream: Upstream) -> None:
    upstream.script.extend([well(), stall_after(3)])
    answer = split(ctx)

    async def stop_in_the_second() -> None:
        running = asyncio.create_task(run_answer(ctx, answer.id))
        await asyncio.to_thread(until, lambda: len(upstream.invoice) == 2)
        await asyncio.to_thread(cancel_answer, ctx, LOCAL, answer.id)
        await running

    asyncio.run(stop_in_the_second())
    assert after(ctx, answer)[0].status is AnswerStatus.CANCELLED
    plan = plan_retry(ctx, LOCAL, answer.id)
    assert [call["kept"] for call in plan["calls"]] == [True, False, False, False]
    assert again(ctx, answer).status is AnswerStatus.DONE
    assert len(upstream.requests) == 5


def test_a_single_call_is_simply_asked_again(ctx: Context, upstream: Upstream) -> None:
    upstream.script.append(REFUSED)
    answer = asked(ctx)
    run(ctx, answer)
    new = again(ctx, answer)
    assert (new.status, new.actual_usd) == (AnswerStatus.DONE, billed(upstream))
    assert new.plan["calls"][0]["prefix_sha256"] == answer.plan["calls"][0]["prefix_sha256"]


def test_what_can_not_be_retried_says_what_to_do(ctx: Context, upstream: Upstream) -> None:
    done = asked(ctx)
    with pytest.raises(Conflict, match="still queued"):
        plan_retry(ctx, LOCAL, done.id)
    run(ctx, done)
    with pytest.raises(Conflict, match="replay") as told:
        plan_retry(ctx, LOCAL, done.id)
    assert told.value.fixes[0].do == "replay"
    doubtful = broken(ctx, upstream, well(), cut_after(2))
    assert doubtful.status is AnswerStatus.IN_DOUBT
    with pytest.raises(Conflict, match="Resolve it first") as told:
        retry_answer(ctx, LOCAL, doubtful.id, Request())
    assert told.value.fixes[0].do == "resolve"


@pytest.mark.parametrize("was_billed", [True, False], ids=["billed", "not billed"])
def test_once_a_doubt_is_resolved_the_rest_can_be_asked(
    ctx: Context, upstream: Upstream, *, was_billed: bool
) -> None:
    answer = broken(ctx, upstream, well(), cut_after(2))
    resolve_answer(ctx, LOCAL, answer.id, Verdict(was_billed))
    new = again(ctx, answer)
    assert new.status is AnswerStatus.DONE
    assert [call.kept_from is not None for call in after(ctx, new)[1]] == [True, False, False, False]
    assert len(upstream.requests) == 5


def test_a_document_that_is_gone_is_named(ctx: Context, upstream: Upstream) -> None:
    answer = broken(ctx, upstream, well(), REFUSED)
    plan = plan_retry(ctx, LOCAL, answer.id)
    gone = answer.plan["calls"][0]["documents"][0]
    arrange_corpus.take_out(ctx, LOCAL, answer.corpus_id, gone["document_id"])
    with pytest.raises(PlanChanged, match=gone["filename"]):
        retry_answer(ctx, LOCAL, answer.id, Request())
    with pytest.raises(PlanChanged, match=gone["filename"]):
        ask_question(ctx, LOCAL, answer.corpus_id, Request(plan_id=plan["id"]))
    arrange_corpus.append(ctx, LOCAL, answer.corpus_id, gone["document_id"])
    with pytest.raises(PlanChanged, match=gone["filename"]):
        plan_retry(ctx, LOCAL, answer.id)  # it stands elsewhere now: the bytes would be others
    remove_document(ctx, LOCAL, gone["document_id"])
    with pytest.raises(PlanChanged, match=gone["filename"]):
        plan_retry(ctx, LOCAL, answer.id)
    assert len(upstream.requests) == 2


def test_documents_that_joined_since_change_nothing(ctx: Context, upstream: Upstream) -> None:
    answer = broken(ctx, upstream, well(), REFUSED)
    from_elsewhere = asked(ctx, documents=4, tokens=9)
    name = from_elsewhere.plan["calls"][0]["document_ids"][3]
    arrange_corpus.append(ctx, LOCAL, answer.corpus_id, name)
    new = again(ctx, answer)
    assert new.status is AnswerStatus.DONE
    assert {one["document_id"]: one["reason"] for one in new.plan["coverage"]["documents_out"]} == {
        name: "joined_later"
    }


def test_prices_that_moved_are_refused(ctx: Context, upstream: Upstream) -> None:
    answer = broken(ctx, upstream, well(), REFUSED)
    model = ctx.catalog.model("gpt-5.5")
    periods = tuple(
        replace(period, prices=tuple(replace(one, rates=dearer(one.rates, 2)) for one in period.prices))
        for period in model.price_periods
    )
    others = tuple(
        replace(model, price_periods=periods) if one is model else one for one in ctx.catalog.models
    )
    with pytest.raises(PlanChanged, match="prices"):
        plan_retry(replace(ctx, catalog=replace(ctx.catalog, models=others)), LOCAL, answer.id)


def test_another_engine_does_not_go_on(ctx: Context, upstream: Upstream, tmp_path: Path) -> None:
    answer = broken(ctx, upstream, well(), REFUSED)
    with process(settings_in(tmp_path)) as offline, pytest.raises(ProviderChanged, match="offline"):
        plan_retry(offline, LOCAL, answer.id)


def test_limits_hold_for_what_is_missing_alone(ctx: Context, upstream: Upstream) -> None:
    answer = broken(ctx, upstream, well(), well(), REFUSED)
    most = Decimal(plan_retry(ctx, LOCAL, answer.id)["cost"]["max_usd"])
    assert most < Decimal(answer.plan["cost"]["max_usd"]) / 2
    with pytest.raises(OverMaxCost):
        retry_answer(ctx, LOCAL, answer.id, Request(max_cost_usd=most - Decimal("0.000001")))
    spent = answer.actual_usd or Decimal(0)
    manage_budgets.set_budget(ctx, LOCAL, "tenant", Limit(spent + most - Decimal("0.001"), "total"))
    with pytest.raises(BudgetExceeded):
        retry_answer(ctx, LOCAL, answer.id, Request())
    assert after(ctx, answer)[0].retried_as is None, "what was refused is no retry"
    manage_budgets.set_budget(ctx, LOCAL, "tenant", Limit(spent + most + Decimal("0.001"), "total"))
    assert again(ctx, answer, max_cost_usd=most).status is AnswerStatus.DONE


def test_a_turn_is_retried_as_a_turn(ctx: Context, upstream: Upstream) -> None:
    first = asked(ctx, documents=2)
    talk = begin(ctx, LOCAL, first.corpus_id)["id"]

    def turn(text: str) -> Answer:
        question = Question(text=text, model="gpt-5.5", strategies=("whole",), conversation_id=talk)
        accepted = ask_question(ctx, LOCAL, first.corpus_id, Request(question=question))
        run(ctx, accepted)
        return after(ctx, accepted)[0]

    turn("What came first?")
    upstream.script.append(REFUSED)
    failed = turn("And then?")
    new = again(ctx, failed)
    assert (new.status, new.conversation_id) == (AnswerStatus.DONE, talk)
    prompts = [request.body["messages"] for request in upstream.requests]
    assert prompts[-1] == prompts[-2], "just what was refused was sent again"
    assert turn("And at last?").plan["conversation"]["turns"][-1]["answer_id"] == new.id


def test_the_stream_of_a_retry_tells_what_is_kept(ctx: Context, upstream: Upstream) -> None:
    answer = broken(ctx, upstream, well(), REFUSED)
    new = again(ctx, answer)
    told = [event.data for event in after_events(ctx, new) if event.name == "progress"]
    assert [(one["kind"], one["part"], one["state"]) for one in told] == [
        ("part", 1, "kept"),
        ("part", 2, "started"),
        ("part", 2, "done"),
        ("part", 3, "started"),
        ("part", 3, "done"),
        ("merge", None, "started"),
        ("merge", None, "done"),
    ]
    described = describe_answer(new)
    assert described["cache"]["cached_tokens"] is not None
    assert described["estimate"]["predicted_prompt_tokens"] > 0
    with ctx.db.read() as tx:
        assert answers.calls_of(tx, new.id)[0].actual_usd == 0
