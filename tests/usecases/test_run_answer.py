"""An answer survives the death of its process: what was paid is kept, what may have been is never repeated.

A death is a context that is left behind; the next one opens the same store.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from service.domain import pricing
from service.domain.answers import Answer, AnswerStatus, Call, CallState
from service.domain.catalog import Rates
from service.domain.questions import Question
from service.errors import KeyNeeded
from service.factory import open_context
from service.settings import Settings
from service.store import answers, ledger
from service.usecases import arrange_corpus, manage_keys
from service.usecases.ask_question import Request, ask_question
from service.usecases.bill_verdict import Verdict
from service.usecases.cancel_answer import cancel_answer
from service.usecases.context import LOCAL, Context, Terms
from service.usecases.manage_budgets import Limit
from service.usecases.manage_keys import NewKey
from service.usecases.remove_document import remove_document
from service.usecases.resolve_answer import resolve_answer
from service.usecases.run_answer import FIRST_NUMBERS, run_answer
from tests.support.batching import Unworked
from tests.support.server import serving, settings_in, stored
from tests.support.upstream import Upstream, slow, stall_after


class Killed(BaseException):
    """The process dies here."""


@contextmanager
def process(settings: Settings, *, dies: Callable[[Context], bool] | None = None) -> Iterator[Context]:
    """A process on the store; it dies when it looks at the clock while `dies` holds."""
    context = replace(open_context(settings, queue=Unworked), terms=Terms(concurrent_calls=1))

    def now() -> datetime:
        if dies is not None and dies(context):
            raise Killed
        return datetime.now(UTC)

    try:
        yield replace(context, now=now)
    finally:
        context.db.close()


def asked(ctx: Context, *, documents: int = 1, tokens: int = 500, strategy: str = "whole") -> Answer:
    """Accept a question on so many documents; three of 140,000 tokens split into three parts and a merge."""
    ids = [stored(ctx, pages=n, tokens=tokens // n) for n in range(1, documents + 1)]
    corpus = arrange_corpus.create(ctx, LOCAL, name="Tests", document_ids=ids)
    question = Question(text="What is there?", model="gpt-5.5", strategies=(strategy,))
    return ask_question(ctx, LOCAL, corpus.id, Request(question=question))


def after(ctx: Context, answer: Answer) -> tuple[Answer, list[Call]]:
    """The answer and its calls as they are stored."""
    with ctx.db.read() as tx:
        found = answers.get(tx, LOCAL, answer.id)
        assert found is not None
        return found, answers.calls_of(tx, answer.id)


def states(calls: list[Call]) -> list[str]:
    return [call.state.value for call in calls]


def books(ctx: Context) -> dict[str, int]:
    """What each call has in the ledger, in micro-dollars."""
    sums: dict[str, int] = {}
    with ctx.db.read() as tx:
        for entry in ledger.entries(tx, LOCAL):
            sums[entry.call_id] = sums.get(entry.call_id, 0) + entry.micros
    return sums


def run(ctx: Context, answer: Answer) -> None:
    asyncio.run(run_answer(ctx, answer.id))


def test_ready_is_sent_once(settings: Settings, upstream: Upstream) -> None:
    with process(settings) as ctx:
        answer = asked(ctx)
    for _ in range(2):
        with process(settings) as ctx:
            run(ctx, answer)
            ended, calls = after(ctx, answer)
    assert (ended.status, states(calls), calls[0].attempts) == (AnswerStatus.DONE, ["done"], 1)
    assert len(upstream.requests) == 1
    assert ended.actual_usd == upstream.invoice[0].usd


@pytest.mark.parametrize("times", [1, 2], ids=["as dear", "dearer"])
def test_a_price_that_rose_before_the_sending_is_not_paid(
    settings: Settings, upstream: Upstream, times: int
) -> None:
    with process(settings) as ctx:
        answer = asked(ctx)
        catalog = ctx.catalog
    model = catalog.model("gpt-5.5")
    periods = [
        replace(period, prices=tuple(replace(one, rates=dearer(one.rates, times)) for one in period.prices))
        for period in model.price_periods
    ]
    risen = replace(model, price_periods=tuple(periods))
    others = tuple(risen if one is model else one for one in catalog.models)
    with process(settings) as ctx:
        run(replace(ctx, catalog=replace(catalog, models=others)), answer)
        ended, (call,) = after(ctx, answer)
        booked = books(ctx)
    if times == 1:
        assert ended.status is AnswerStatus.DONE
        return
    assert ended.error is not None
    assert (ended.status, ended.error.code) == (AnswerStatus.FAILED, "plan_changed")
    assert (call.state, booked) == (CallState.FAILED, {call.id: 0})
    assert upstream.requests == []


def dearer(rates: Rates, times: int) -> Rates:
    return replace(rates, input=rates.input * times, output=rates.output * times)


def test_a_key_that_was_revoked_meanwhile_spends_nothing(settings: Settings, upstream: Upstream) -> None:
    with process(settings) as ctx:
        manage_keys.add_key(ctx, NewKey("other"))
        key_id = manage_keys.add_key(ctx, NewKey("mine", limit=Limit(Decimal(5), "total")))["id"]
        corpus = arrange_corpus.create(
            ctx, LOCAL, name="Tests", document_ids=[stored(ctx, pages=1, tokens=50)]
        )
        request = Request(question=Question(text="What?", model="gpt-5.5"), key_id=key_id)
        assert ask_question(ctx, LOCAL, corpus.id, request).status is AnswerStatus.QUEUED
        manage_keys.revoke_key(ctx, key_id)
        with pytest.raises(KeyNeeded):
            ask_question(ctx, LOCAL, corpus.id, request)
    assert upstream.requests == []


def test_sent_is_in_doubt_and_never_sent_again(settings: Settings, upstream: Upstream) -> None:
    with process(settings) as ctx:
        answer = asked(ctx)
        with ctx.db.write() as tx:
            assert answers.take_for_sending(tx, f"{answer.id}.0", ctx.now())
    for _ in range(2):
        with process(settings) as ctx:
            run(ctx, answer)
            ended, (call,) = after(ctx, answer)
            held = books(ctx)
    assert (ended.status, call.state) == (AnswerStatus.IN_DOUBT, CallState.IN_DOUBT)
    assert upstream.requests == []
    assert held == {call.id: call.reserved_micros}


@pytest.mark.parametrize("billed", [None, True, False], ids=["undecided", "billed", "not billed"])
def test_a_reply_that_comes_late(settings: Settings, upstream: Upstream, *, billed: bool | None) -> None:
    """Another process takes an answer for lost that is still under way, and the user decides meanwhile."""
    upstream.script.append(slow(0.5, between_s=0.2))

    async def overtaken(first: Context, second: Context) -> None:
        running = asyncio.create_task(run_answer(first, answer.id))
        await asyncio.to_thread(until, lambda: len(upstream.requests) == 1)
        await asyncio.to_thread(run, second, answer)
        assert after(second, answer)[0].status is AnswerStatus.IN_DOUBT
        if billed is not None:
            resolve_answer(second, LOCAL, answer.id, Verdict(billed))
        await running

    with process(settings) as first, process(settings) as second:
        answer = asked(first)
        asyncio.run(overtaken(first, second))
        ended, (call,) = after(first, answer)
        booked, terminal = books(first)[call.id], [one.name for one in after_events(first, answer)]
        with first.db.read() as tx:
            assert ledger.held_micros(tx, LOCAL) == 0
    assert len(upstream.requests) == 1
    if billed is None:
        assert (ended.status, call.actual_usd) == (AnswerStatus.DONE, upstream.invoice[0].usd)
        assert booked == pricing.to_micros_up(upstream.invoice[0].usd)
    else:
        assert (ended.status, call.actual_usd) == (AnswerStatus.FAILED, None)
        assert booked == (call.reserved_micros if billed else 0)
        assert "done" not in terminal


def test_shown_text_is_kept_when_the_reply_breaks(settings: Settings, upstream: Upstream) -> None:
    upstream.script.append(stall_after(6))

    async def die_in_the_middle(ctx: Context, answer: Answer) -> None:
        running = asyncio.create_task(run_answer(ctx, answer.id))
        await asyncio.to_thread(until, lambda: len(after_events(ctx, answer)) >= 4)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    with process(settings) as ctx:
        answer = asked(ctx)
        asyncio.run(die_in_the_middle(ctx, answer))
        shown = "".join(event.data.get("text", "") for event in after_events(ctx, answer))
    with process(settings) as ctx:
        run(ctx, answer)
        ended, calls = after(ctx, answer)
        events = after_events(ctx, answer)
    assert (ended.status, states(calls)) == (AnswerStatus.IN_DOUBT, ["in_doubt"])
    assert ended.text == shown != ""
    earlier = [event.number for event in events if event.number < FIRST_NUMBERS]
    later = [event.number for event in events[len(earlier) :]]
    assert earlier == list(range(1, len(earlier) + 1))
    assert later == list(range(FIRST_NUMBERS, FIRST_NUMBERS + len(later)))
    assert [event.name for event in events].count("plan") == 1
    assert len(upstream.requests) == 1


def after_events(ctx: Context, answer: Answer) -> list[answers.Event]:
    with ctx.db.read() as tx:
        return answers.events_after(tx, answer.id, 0)


def until(check: Callable[[], bool]) -> None:
    """Wait for something that is about to be so."""
    deadline = time.monotonic() + 20
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def done_calls(ctx: Context) -> int:
    """How many of the only answer's calls are done."""
    with ctx.db.read() as tx:
        listed = answers.page_through(tx, LOCAL, corpus_id=None, after=None, limit=1)
        calls = answers.calls_of(tx, listed[0].id) if listed else []
    return sum(call.state is CallState.DONE for call in calls)


@pytest.mark.parametrize("paid", [1, 2, 3])
def test_split_pays_only_what_is_missing(settings: Settings, upstream: Upstream, paid: int) -> None:
    with process(settings) as ctx:
        answer = asked(ctx, documents=3, tokens=140_000, strategy="split")
    with process(settings, dies=lambda ctx: done_calls(ctx) == paid) as ctx, pytest.raises(Killed):
        run(ctx, answer)
    assert len(upstream.requests) == paid
    with process(settings) as ctx:
        before = after(ctx, answer)[1]
        assert states(before) == ["done"] * paid + ["ready"] * (4 - paid)
        run(ctx, answer)
        ended, calls = after(ctx, answer)
        sums = books(ctx)
    assert (ended.status, states(calls)) == (AnswerStatus.DONE, ["done"] * 4)
    assert calls[:paid] == before[:paid]
    assert [call.attempts for call in calls] == [1] * 4
    assert len(upstream.requests) == 4
    assert ended.actual_usd == sum((line.usd for line in upstream.invoice), Decimal(0))
    assert sums == {call.id: pricing.to_micros_up(call.actual_usd or Decimal(0)) for call in calls}


def test_end_is_written_after_a_death_before_it(settings: Settings, upstream: Upstream) -> None:
    with process(settings) as ctx:
        answer = asked(ctx)
    with process(settings, dies=lambda ctx: done_calls(ctx) == 1) as ctx, pytest.raises(Killed):
        run(ctx, answer)
    with process(settings) as ctx:
        assert after(ctx, answer)[0].status is AnswerStatus.RUNNING
        run(ctx, answer)
        ended, _ = after(ctx, answer)
        events = after_events(ctx, answer)
    assert ended.status is AnswerStatus.DONE
    assert "".join(event.data["text"] for event in events if event.name == "delta") == ended.text
    assert [event.name for event in events][-2:] == ["usage", "done"]
    assert len(upstream.requests) == 1


def test_stop_before_the_start_sends_nothing(settings: Settings, upstream: Upstream) -> None:
    with process(settings) as ctx:
        answer = asked(ctx)
        cancel_answer(ctx, LOCAL, answer.id)
    with process(settings) as ctx:
        run(ctx, answer)
        ended, (call,) = after(ctx, answer)
        assert books(ctx) == {call.id: 0}
    assert (ended.status, call.state) == (AnswerStatus.CANCELLED, CallState.FAILED)
    assert upstream.requests == []


def test_stopped_stays_stopped_after_a_death(settings: Settings, upstream: Upstream) -> None:
    upstream.script.append(slow(0.05, between_s=0.2))

    async def stop_in_the_middle(ctx: Context, answer: Answer) -> None:
        running = asyncio.create_task(run_answer(ctx, answer.id))
        await asyncio.to_thread(until, lambda: len(upstream.invoice) == 1)
        await asyncio.to_thread(cancel_answer, ctx, LOCAL, answer.id)
        await running

    with process(settings) as ctx:
        answer = asked(ctx)
    with process(settings, dies=lambda ctx: done_calls(ctx) == 1) as ctx, pytest.raises(Killed):
        asyncio.run(stop_in_the_middle(ctx, answer))
    with process(settings) as ctx:
        run(ctx, answer)
        ended, (call,) = after(ctx, answer)
    assert (ended.status, call.finish_reason) == (AnswerStatus.CANCELLED, "cancelled")
    assert ended.actual_usd == call.actual_usd
    assert len(upstream.requests) == 1


def test_document_that_goes_before_it_is_read(settings: Settings, upstream: Upstream) -> None:
    with process(settings) as ctx:
        answer = asked(ctx)
        remove_document(ctx, LOCAL, answer.plan["coverage"]["documents_in"][0])
        run(ctx, answer)
        ended, (call,) = after(ctx, answer)
        assert books(ctx) == {call.id: 0}
    assert ended.error is not None
    assert (ended.status, ended.error.code) == (AnswerStatus.FAILED, "plan_changed")
    assert upstream.requests == []


def test_free_question_is_never_paid_for(settings: Settings, upstream: Upstream, tmp_path: Path) -> None:
    with process(settings_in(tmp_path)) as ctx:
        answer = asked(ctx)
        assert answer.engine == "offline"
    with process(settings) as ctx:
        run(ctx, answer)
        ended, calls = after(ctx, answer)
    assert ended.error is not None
    assert (ended.status, ended.error.code) == (AnswerStatus.FAILED, "provider_changed")
    assert "offline" in ended.error.detail
    assert "openai" in ended.error.detail
    assert states(calls) == ["failed"]
    assert upstream.requests == []


def test_paid_question_is_not_finished_with_passages(
    settings: Settings, upstream: Upstream, tmp_path: Path
) -> None:
    with process(settings) as ctx:
        answer = asked(ctx)
    with process(settings_in(tmp_path)) as ctx:
        run(ctx, answer)
        ended, (call,) = after(ctx, answer)
        assert books(ctx) == {call.id: 0}
    assert ended.error is not None
    assert (ended.status, ended.error.code, ended.text) == (AnswerStatus.FAILED, "provider_changed", "")
    assert upstream.requests == []


def test_what_was_paid_is_kept_when_the_provider_changes(
    settings: Settings, upstream: Upstream, tmp_path: Path
) -> None:
    with process(settings) as ctx:
        answer = asked(ctx)
    with process(settings, dies=lambda ctx: done_calls(ctx) == 1) as ctx, pytest.raises(Killed):
        run(ctx, answer)
    with process(settings_in(tmp_path)) as ctx:
        run(ctx, answer)
        ended, _ = after(ctx, answer)
    assert (ended.status, ended.engine) == (AnswerStatus.DONE, "openai")
    assert ended.actual_usd == upstream.invoice[0].usd
    assert len(upstream.requests) == 1


def test_part_in_doubt_stays_so_when_the_provider_changes(
    settings: Settings, upstream: Upstream, tmp_path: Path
) -> None:
    with process(settings) as ctx:
        answer = asked(ctx, documents=3, tokens=140_000, strategy="split")
        with ctx.db.write() as tx:
            assert answers.take_for_sending(tx, f"{answer.id}.0", ctx.now())
    with process(settings_in(tmp_path)) as ctx:
        run(ctx, answer)
        ended, calls = after(ctx, answer)
    assert ended.error is not None
    assert (ended.status, ended.error.code) == (AnswerStatus.IN_DOUBT, "in_doubt")
    assert states(calls) == ["in_doubt", "failed", "failed", "failed"]
    assert upstream.requests == []


def test_it_runs_once_in_a_process(settings: Settings, upstream: Upstream) -> None:
    upstream.script.append(slow(0.1))

    async def twice(ctx: Context, answer: Answer) -> None:
        await asyncio.gather(run_answer(ctx, answer.id), run_answer(ctx, answer.id))

    with process(settings) as ctx:
        answer = asked(ctx)
        asyncio.run(twice(ctx, answer))
        ended, calls = after(ctx, answer)
    assert (ended.status, states(calls)) == (AnswerStatus.DONE, ["done"])
    assert len(upstream.requests) == 1


def test_service_takes_up_what_was_accepted(settings: Settings, upstream: Upstream) -> None:
    with process(settings) as ctx:
        answer = asked(ctx)
    for _ in range(2):
        with serving(settings) as server:
            ended = server.finished(answer.id)
            assert ended["status"] == "done"
    assert len(upstream.requests) == 1
    assert Decimal(ended["cost"]["actual_usd"]) == upstream.invoice[0].usd
