"""A question is accepted and its answer taken up in one turn: flushed once, sent once, never lost."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Protocol

import pytest

from service import runner
from service.domain.answers import Answer, AnswerStatus
from service.domain.planner import PlannedCall
from service.domain.questions import Question
from service.errors import BudgetExceeded, NotFound, StoreUnavailable
from service.factory import open_context
from service.provider import ChatRequest
from service.runner import Runner
from service.settings import Settings
from service.store import answers, ledger
from service.store.flushing import Flushes
from service.store.session import Database, Transaction
from service.usecases import arrange_corpus, make_call, run_answer, save_streams, settle_call
from service.usecases.ask_question import Request, ask_question, get_answer, list_answers
from service.usecases.cancel_answer import cancel_answer
from service.usecases.context import LOCAL, Context
from service.usecases.describe_answer import describe_answer
from service.usecases.follow_answer import wait_for_answer
from service.usecases.manage_budgets import Limit, set_budget
from service.usecases.pack_prompt import pack_prompt
from service.usecases.run_answer import QUICK_TOKENS
from service.usecases.running import Begin, Run
from tests.support.batching import Unworked
from tests.support.server import settings_in, stored
from tests.support.upstream import Act, Upstream, slow

SEAT = "seat-1"
PLAIN = "The harbour opened in 1871."
"""Nothing in it is quoted."""


class Accept(Protocol):
    """Accepts a question, and has it taken up where it is told how."""

    def __call__(self, begin: Begin | None = None) -> Answer: ...


class Watched(Database):
    """A database of which some writes can be refused, and in which something may happen between two.

    Attributes:
        full: what is written is taken, and not committed.
    """

    writes = 0
    full = False
    before: Callable[[int], None] | None = None

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """Open a transaction, the first of a test numbered 1."""
        self.writes += 1
        if self.before is not None:
            self.before(self.writes)
        with super().write() as tx:
            yield tx
            if self.full:
                raise StoreUnavailable("The disk is full.")


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as running:
        yield running


@pytest.fixture
def ctx(tmp_path: Path, upstream: Upstream) -> Iterator[Context]:
    settings: Settings = settings_in(tmp_path, upstream)
    opened = open_context(settings, queue=Unworked)
    db = Watched(opened.db.url)
    opened.db.close()
    yield replace(opened, db=db)
    db.close()


@pytest.fixture
def corpus(ctx: Context) -> str:
    return arrange_corpus.create(ctx, LOCAL, name="Tests", document_ids=[stored(ctx, pages=1, tokens=500)]).id


@pytest.fixture
def flushes(monkeypatch: pytest.MonkeyPatch, upstream: Upstream) -> list[int]:
    """How many requests had been sent at each flush."""
    noted: list[int] = []
    wait = Flushes.wait

    def counted(self: Flushes) -> None:
        noted.append(len(upstream.requests))
        wait(self)

    monkeypatch.setattr(Flushes, "wait", counted)
    return noted


def asking(ctx: Context, corpus_id: str, *, key: str | None = None, text: str = "What is there?") -> Accept:
    question = Question(text=text, model="gpt-5.5", strategies=("whole",))
    request = Request(question=question, idempotency_key=key)
    return lambda begin=None: ask_question(ctx, LOCAL, corpus_id, request, begin)


def taken_on(ctx: Context, accept: Callable[[Begin], Answer], *, seat: str = SEAT) -> Answer:
    """Take a question on, and return its answer once it has ended."""

    async def go() -> Answer:
        running = Runner(ctx, seat, serving=True)
        answer = await running.take_on(accept)
        return await wait_for_answer(ctx, LOCAL, answer.id)

    return asyncio.run(asyncio.wait_for(go(), 60))


def test_what_accepts_and_what_takes_up_is_flushed_once_before_anything_is_sent(
    ctx: Context, corpus: str, upstream: Upstream, flushes: list[int]
) -> None:
    flushes.clear()
    ended = taken_on(ctx, asking(ctx, corpus))
    assert flushes.count(0) == 1
    assert (ended.status, len(upstream.requests)) == (AnswerStatus.DONE, 1)
    assert ended.actual_usd == upstream.invoice[0].usd


def test_nothing_of_an_answer_that_has_ended_waits_for_garbage_to_be_looked_for(
    ctx: Context, corpus: str, upstream: Upstream
) -> None:
    upstream.script.append(Act(text=PLAIN))
    text = "Which prompt is held?"

    def held() -> int:
        prompts = [one for one in gc.get_objects() if isinstance(one, ChatRequest)]
        return sum(text in one.messages[-1].text for one in prompts)

    async def go() -> tuple[int, int]:
        running = Runner(ctx, SEAT, serving=True)
        answer = await running.take_on(asking(ctx, corpus, text=text))
        under_way = held()
        await wait_for_answer(ctx, LOCAL, answer.id)
        await asyncio.to_thread(running.close, seconds=10)
        return under_way, held()

    gc.collect()
    gc.disable()
    try:
        assert asyncio.run(asyncio.wait_for(go(), 60)) == (1, 0)
    finally:
        gc.enable()


@pytest.mark.parametrize("text", [None, PLAIN], ids=["quoted", "plain"])
def test_what_is_told_of_an_end_is_what_is_stored(
    ctx: Context, corpus: str, upstream: Upstream, text: str | None
) -> None:
    upstream.script.append(Act(text=text, between_s=0.01))
    told = taken_on(ctx, asking(ctx, corpus))
    assert told.status is AnswerStatus.DONE
    assert describe_answer(told) == describe_answer(get_answer(ctx, LOCAL, told.id))


def test_a_refused_question_flushes_and_runs_nothing(
    ctx: Context, upstream: Upstream, flushes: list[int]
) -> None:
    flushes.clear()
    with pytest.raises(NotFound):
        taken_on(ctx, asking(ctx, "cor_none"))
    assert (flushes, upstream.requests) == ([], [])


def test_a_repeated_question_is_the_answer_that_runs(ctx: Context, corpus: str, upstream: Upstream) -> None:
    upstream.script.append(slow(0.3))

    async def go() -> list[Answer]:
        running = Runner(ctx, SEAT, serving=True)
        accept = asking(ctx, corpus, key="once")
        taken = [running.take_on(accept) for _ in range(5)]
        return [await wait_for_answer(ctx, LOCAL, answer.id) for answer in await asyncio.gather(*taken)]

    ended = asyncio.run(asyncio.wait_for(go(), 60))
    assert {(answer.id, answer.status) for answer in ended} == {(ended[0].id, AnswerStatus.DONE)}
    assert len(upstream.requests) == 1


def test_a_repeated_question_is_left_to_the_process_that_runs_it(
    ctx: Context, corpus: str, upstream: Upstream
) -> None:
    accept = asking(ctx, corpus, key="once")
    answer = accept()
    with ctx.db.write() as tx:
        assert answers.begin(tx, answer.id, ctx.now(), seat="seat-2")

    async def go() -> None:
        running = Runner(ctx, SEAT, serving=True)
        again = await running.take_on(accept)
        assert again.id == answer.id
        assert ctx.feed.get(answer.id) is None

    asyncio.run(go())
    assert upstream.requests == []


def test_a_question_whose_asker_left_in_the_queue_is_not_accepted(
    ctx: Context, corpus: str, upstream: Upstream
) -> None:
    go_on = threading.Event()

    async def go() -> None:
        running = Runner(ctx, SEAT, serving=True)
        before = ctx.writes.do(ctx.db, partial(go_on.wait, 30))
        asker = asyncio.create_task(running.take_on(asking(ctx, corpus)))
        await asyncio.sleep(0)
        asker.cancel()
        await asyncio.gather(asker, return_exceptions=True)
        go_on.set()
        await before
        await asyncio.to_thread(running.close, seconds=5)

    asyncio.run(asyncio.wait_for(go(), 60))
    assert list_answers(ctx, LOCAL, corpus_id=corpus, after=None, limit=10) == []
    assert upstream.requests == []


def test_what_was_asked_to_stop_before_it_was_taken_up_sends_nothing(
    ctx: Context, corpus: str, upstream: Upstream
) -> None:
    accept = asking(ctx, corpus)

    def accepted_and_stopped(_: Begin) -> Answer:
        answer = accept()
        cancel_answer(ctx, LOCAL, answer.id)
        return answer

    assert taken_on(ctx, accepted_and_stopped).status is AnswerStatus.CANCELLED
    assert upstream.requests == []


def test_a_store_that_goes_away_behind_the_acceptance_only_delays_the_answer(
    ctx: Context, corpus: str, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "STORE_SECONDS", 0.05)
    assert isinstance(ctx.db, Watched)
    first = ctx.db.writes + 1

    def away(number: int) -> None:
        if number in {first + 1, first + 2}:
            raise StoreUnavailable("The disk is full.")

    monkeypatch.setattr(ctx.db, "before", away)
    assert taken_on(ctx, asking(ctx, corpus)).status is AnswerStatus.DONE
    assert len(upstream.requests) == 1


def test_what_the_disk_did_not_take_is_never_sent(
    ctx: Context, corpus: str, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait, broken = Flushes.wait, [OSError(5, "Input/output error")]

    def failing(self: Flushes) -> None:
        if broken:
            raise broken.pop()
        wait(self)

    accepted: list[Answer] = []
    accept = asking(ctx, corpus)

    def noted(begin: Begin) -> Answer:
        accepted.append(accept(begin))
        return accepted[0]

    async def go() -> Answer:
        running = Runner(ctx, SEAT, serving=True)
        with pytest.raises(StoreUnavailable):
            await running.take_on(noted)
        return await wait_for_answer(ctx, LOCAL, accepted[0].id)

    monkeypatch.setattr(Flushes, "wait", failing)
    ended = asyncio.run(asyncio.wait_for(go(), 60))
    assert ended.status is AnswerStatus.IN_DOUBT  # nobody knows what such a disk holds
    assert upstream.requests == []


def test_a_short_question_with_a_plain_answer_takes_two_transactions(
    ctx: Context, corpus: str, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One accepts it and takes it up, the other records what it cost and how it ended."""
    monkeypatch.setattr(save_streams, "SAVE_SECONDS", 60.0)
    upstream.script.append(Act(text=PLAIN))
    assert isinstance(ctx.db, Watched)
    before = ctx.db.writes
    ended = taken_on(ctx, asking(ctx, corpus))
    assert (ended.status, ended.text, ended.actual_usd) == (
        AnswerStatus.DONE,
        PLAIN,
        upstream.invoice[0].usd,
    )
    assert ctx.db.writes - before == 2
    assert booked(ctx, ended) == [("done", 1, upstream.invoice[0].usd)]


def test_a_long_prompt_is_made_while_no_transaction_is_open(
    ctx: Context, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = stored(ctx, pages=2, tokens=QUICK_TOKENS + 1_000)
    corpus_id = arrange_corpus.create(ctx, LOCAL, name="Long", document_ids=[long]).id
    within: list[bool] = []

    def packed(
        run: Run, planned: PlannedCall, findings: Sequence[str], *, tx: Transaction | None
    ) -> ChatRequest:
        within.append(tx is not None)
        return pack_prompt(run, planned, findings, tx=tx)

    monkeypatch.setattr(make_call, "pack_prompt", packed)
    assert taken_on(ctx, asking(ctx, corpus_id)).status is AnswerStatus.DONE
    assert within == [False]
    assert len(upstream.requests) == 1


def test_a_question_over_its_budget_is_not_left_running(
    ctx: Context, corpus: str, upstream: Upstream
) -> None:
    """Its prompt was made before the budget was asked."""
    set_budget(ctx, LOCAL, "tenant", Limit(Decimal("0.000001"), "day"))
    with pytest.raises(BudgetExceeded):
        taken_on(ctx, asking(ctx, corpus))
    assert list_answers(ctx, LOCAL, corpus_id=corpus, after=None, limit=10) == []
    assert upstream.requests == []


def test_a_store_that_takes_no_acceptance_leaves_nothing_running(
    ctx: Context, corpus: str, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk fills up while the acceptance is committed."""
    monkeypatch.setattr(runner, "STORE_SECONDS", 0.05)
    db = ctx.db
    assert isinstance(db, Watched)
    db.full = True

    async def go() -> None:
        running = Runner(ctx, SEAT, serving=True)
        with pytest.raises(StoreUnavailable):
            await running.take_on(asking(ctx, corpus))
        db.full = False
        await asyncio.to_thread(running.close, seconds=5)

    asyncio.run(asyncio.wait_for(go(), 60))
    assert list_answers(ctx, LOCAL, corpus_id=corpus, after=None, limit=10) == []
    assert upstream.requests == []


def test_a_plain_answer_waits_for_the_store_at_its_end(
    ctx: Context, corpus: str, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(make_call, "STORE_SECONDS", 0.05)
    monkeypatch.setattr(save_streams, "SAVE_SECONDS", 60.0)
    upstream.script.append(Act(text=PLAIN))
    assert isinstance(ctx.db, Watched)
    end = ctx.db.writes + 2

    def away(number: int) -> None:
        if number in {end, end + 1}:
            raise StoreUnavailable("The disk is full.")

    monkeypatch.setattr(ctx.db, "before", away)
    ended = taken_on(ctx, asking(ctx, corpus))
    assert (ended.status, ended.text) == (AnswerStatus.DONE, PLAIN)
    assert booked(ctx, ended) == [("done", 1, upstream.invoice[0].usd)]
    assert len(upstream.requests) == 1


def test_what_was_paid_for_is_booked_though_the_answer_breaks_at_its_end(
    ctx: Context, corpus: str, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream.script.append(Act(text=PLAIN))

    async def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(run_answer, "check_and_repair", broken)
    ended = taken_on(ctx, asking(ctx, corpus))
    assert ended.status is AnswerStatus.FAILED
    assert (ended.error and ended.error.code, ended.actual_usd) == (
        "internal_error",
        upstream.invoice[0].usd,
    )
    assert booked(ctx, ended) == [("done", 1, upstream.invoice[0].usd)]


def test_what_was_paid_for_is_booked_though_its_stream_cannot_be_saved(
    ctx: Context, corpus: str, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream.script.append(Act(text=PLAIN))

    async def broken(_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("service.usecases.save_streams._Round.leave", broken)
    ended = taken_on(ctx, asking(ctx, corpus))
    assert (ended.status, ended.text) == (AnswerStatus.FAILED, PLAIN)
    assert booked(ctx, ended) == [("done", 1, upstream.invoice[0].usd)]


def test_what_cannot_be_booked_is_in_doubt_and_ends(
    ctx: Context, corpus: str, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream.script.append(Act(text=PLAIN))

    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(settle_call, "observe", broken)
    ended = taken_on(ctx, asking(ctx, corpus))
    assert (ended.status, ended.text) == (AnswerStatus.IN_DOUBT, PLAIN)
    assert booked(ctx, ended) == [("in_doubt", 1, None)]
    with ctx.db.read() as tx:
        assert ledger.is_held(tx, f"{ended.id}.0")


def test_a_loop_does_not_end_before_what_it_took_on_runs(
    ctx: Context, corpus: str, upstream: Upstream
) -> None:
    """Its asker leaves while the question is being accepted: it is paid for, and brought to its end."""
    accepting, go_on = threading.Event(), threading.Event()
    accept = asking(ctx, corpus)

    def slowly(begin: Begin) -> Answer:
        accepting.set()
        assert go_on.wait(30)
        return accept(begin)

    async def go() -> None:
        running = Runner(ctx, SEAT, serving=True)
        asker = asyncio.create_task(running.take_on(slowly))
        assert await asyncio.to_thread(accepting.wait, 30)
        asker.cancel()
        await asyncio.sleep(0)
        go_on.set()
        await asyncio.gather(asker, return_exceptions=True)
        await asyncio.to_thread(running.close, seconds=10)

    asyncio.run(asyncio.wait_for(go(), 60))
    (answer,) = list_answers(ctx, LOCAL, corpus_id=corpus, after=None, limit=10)
    assert answer.status is AnswerStatus.DONE
    assert len(upstream.requests) == 1


def booked(ctx: Context, answer: Answer) -> list[tuple[str, int, Decimal | None]]:
    """How the calls of an answer stand in the store."""
    with ctx.db.read() as tx:
        calls = answers.calls_of(tx, answer.id)
    return [(call.state.value, call.attempts, call.actual_usd) for call in calls]
