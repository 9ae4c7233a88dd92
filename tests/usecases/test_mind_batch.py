"""A batch from its acceptance to its end, whatever becomes of its lines and of the process that minds it.

The ledger is held against the provider's invoice each time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.domain.answers import AnswerStatus
from service.domain.questions import Question
from service.errors import BudgetExceeded, Conflict, Invalid, NoBatches, OverMaxCost
from service.provider.client import HttpProvider
from service.provider.offline import OfflineProvider
from service.settings import Settings
from service.store import answers, batches
from service.usecases import arrange_corpus, manage_budgets, preview_question
from service.usecases.ask_question import Request, ask_question, get_answer
from service.usecases.bill_verdict import Verdict
from service.usecases.cancel_answer import cancel_answer
from service.usecases.context import LOCAL, Context
from service.usecases.follow_answer import follow_answer
from service.usecases.manage_budgets import Limit
from service.usecases.mind_batch import advance, cancel_batch
from service.usecases.put_in_batch import Order, put_in_batch
from service.usecases.remove_document import remove_document
from service.usecases.resolve_answer import resolve_answer
from tests.support.batching import (
    Clock,
    Killed,
    Mortal,
    MortalBatches,
    MortalProvider,
    answers_in,
    books,
    check_books,
    copied,
    described,
    held,
    minded,
    process,
    put_in,
)
from tests.support.server import settings_in, stored
from tests.support.upstream import Upstream
from tests.support.upstream_batches import Dropped, Fate

FOUR = ("Who came first?", "Who came second?", "Who came third?", "Who came last?")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A data folder with a corpus of one small document, and the corpus's id."""
    folder = tmp_path_factory.mktemp("template")
    with Upstream() as upstream, process(settings_in(folder, upstream)) as ctx:
        corpus = arrange_corpus.create(
            ctx, LOCAL, name="Tests", document_ids=[stored(ctx, pages=3, tokens=8)]
        )
    return folder / "data", corpus.id


@pytest.fixture
def corpus(template: tuple[Path, str]) -> str:
    return template[1]


@pytest.fixture
def installed(template: tuple[Path, str], tmp_path: Path, upstream: Upstream) -> Settings:
    copied(template[0], tmp_path / "data")
    return settings_in(tmp_path, upstream)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ctx(installed: Settings, clock: Clock) -> Iterator[Context]:
    with process(installed, clock) as context:
        yield context


def with_limits(ctx: Context, upstream: Upstream, **limits: int) -> Context:
    """A provider whose files hold less."""
    profile = replace(upstream.profile(), **limits)  # type: ignore[arg-type]
    return replace(ctx, provider=HttpProvider(profile, upstream.key))


def statuses(ctx: Context, batch_id: str) -> list[str]:
    return [one.status.value for one in answers_in(ctx, batch_id)]


def test_questions_are_answered_at_half_the_price(
    ctx: Context, corpus: str, upstream: Upstream, clock: Clock
) -> None:
    batch = put_in(ctx, corpus, *FOUR)
    told = described(ctx, batch.id)
    assert (told["status"], told["counts"]) == ("preparing", {"total": 4, "done": 0, "failed": 0})
    assert Decimal(told["cost"]["reserved_usd"]) == Decimal(held(ctx)).scaleb(-6)
    seen: list[str] = []
    minded(ctx, batch.id, clock, lambda: seen.append(described(ctx, batch.id)["status"]))
    assert list(dict.fromkeys(seen)) == ["submitted", "in_progress", "finalizing"]
    told = described(ctx, batch.id)
    assert (told["status"], told["counts"]) == ("done", {"total": 4, "done": 4, "failed": 0})
    assert Decimal(told["cost"]["actual_usd"]) == sum(one.usd for one in upstream.invoice)
    assert [one["question"] for one in told["answers"]] == list(FOUR)
    assert [one.service_tier for one in upstream.invoice] == ["batch"] * 4
    check_books(ctx, upstream)
    for answer in answers_in(ctx, batch.id):
        (bill,) = [one for one in upstream.invoice if one.asked == answer.question]
        assert answer.actual_usd == bill.usd, "results come in any order, and each is its own question's"
        assert [one["verdict"] for one in answer.citations] == ["exact"]
        assert answer.plan["service_tier"] == "batch"
    assert upstream.requests == [], "nothing is asked the dear way"
    assert len(upstream.batches.files) == 1, "the file with the documents was deleted, the results are there"


def test_an_answer_is_followed_as_ever(ctx: Context, corpus: str, clock: Clock) -> None:
    batch = put_in(ctx, corpus, FOUR[0])
    (answer,) = answers_in(ctx, batch.id)
    minded(ctx, batch.id, clock)

    async def names() -> list[str]:
        return [event.name async for event in follow_answer(ctx, LOCAL, answer.id) if event]

    assert asyncio.run(names()) == ["plan", "delta", "citation", "usage", "done"]


def test_a_split_takes_two_rounds(ctx: Context, upstream: Upstream, clock: Clock) -> None:
    ids = [stored(ctx, pages=n, tokens=140_000 // n) for n in (1, 2, 3)]
    corpus = arrange_corpus.create(ctx, LOCAL, name="Large", document_ids=ids)
    batch = put_in(ctx, corpus.id, FOUR[0], FOUR[1], strategies=("split",))
    minded(ctx, batch.id, clock)
    assert statuses(ctx, batch.id) == ["done", "done"]
    sizes = [len(made.lines) for made in upstream.batches.made.values()]
    assert sizes == [6, 2], "the merges wait for their parts"
    assert len(upstream.invoice) == 8
    check_books(ctx, upstream)


# What may become of lines.


def test_each_line_has_its_own_end(ctx: Context, corpus: str, upstream: Upstream, clock: Clock) -> None:
    upstream.batches.fates = {
        "second": Fate(status=400, code="bad_request"),
        "third": Fate(usage=False),
    }
    upstream.batches.strays = ["ans_of_somebody.0", "nonsense"]
    batch = put_in(ctx, corpus, *FOUR)
    minded(ctx, batch.id, clock)
    assert statuses(ctx, batch.id) == ["done", "failed", "done", "done"]
    refused, uncounted = answers_in(ctx, batch.id)[1:3]
    assert refused.error is not None
    assert "This line was refused." in refused.error.detail
    assert uncounted.usage is not None
    assert uncounted.usage.estimated
    told = described(ctx, batch.id)
    assert (told["status"], told["counts"]["failed"]) == ("done", 1)
    assert told["files"][0]["unknown_lines"] == 2
    assert held(ctx) == 0
    paid = {call: micros for call, micros in books(ctx).items() if micros}
    assert len(paid) == len(upstream.invoice) == 3


@pytest.mark.parametrize("fate", [Fate(left_out=True), Fate(garbled=True)], ids=["left out", "garbled"])
def test_what_nobody_knows_is_in_doubt(
    ctx: Context, corpus: str, upstream: Upstream, clock: Clock, fate: Fate
) -> None:
    upstream.batches.fates = {"second": fate}
    batch = put_in(ctx, corpus, *FOUR)
    minded(ctx, batch.id, clock)
    assert statuses(ctx, batch.id) == ["done", "in_doubt", "done", "done"]
    assert described(ctx, batch.id)["status"] == "in_doubt"
    doubtful = answers_in(ctx, batch.id)[1]
    assert held(ctx) == doubtful.reserved_micros
    resolve_answer(ctx, LOCAL, doubtful.id, Verdict(billed=False))
    assert held(ctx) == 0


def test_an_expired_batch_keeps_what_is_done(
    ctx: Context, corpus: str, upstream: Upstream, clock: Clock
) -> None:
    upstream.batches.expires, upstream.batches.expire_after = True, 1
    batch = put_in(ctx, corpus, *FOUR)
    minded(ctx, batch.id, clock)
    told = described(ctx, batch.id)
    assert (told["status"], told["counts"]) == ("expired", {"total": 4, "done": 1, "failed": 3})
    codes = {one.error.code for one in answers_in(ctx, batch.id) if one.error}
    assert codes == {"batch_expired"}
    check_books(ctx, upstream)


@pytest.mark.parametrize("done", [0, 2, 4])
def test_a_cancelled_batch_keeps_what_is_done(
    ctx: Context, corpus: str, upstream: Upstream, clock: Clock, done: int
) -> None:
    upstream.batches.hold, upstream.batches.cancel_after = True, done
    batch = put_in(ctx, corpus, *FOUR)
    asyncio.run(advance(ctx, batch.id))
    with pytest.raises(Conflict, match="cancel the batch"):
        cancel_answer(ctx, LOCAL, answers_in(ctx, batch.id)[0].id)
    cancel_batch(ctx, LOCAL, batch.id)
    minded(ctx, batch.id, clock)
    told = described(ctx, batch.id)
    assert told["status"] == ("cancelled" if done < 4 else "done")
    assert sorted(statuses(ctx, batch.id)) == ["cancelled"] * (4 - done) + ["done"] * done
    check_books(ctx, upstream)
    with pytest.raises(Conflict):
        cancel_batch(ctx, LOCAL, batch.id)


def test_the_only_question_of_a_batch_is_cancelled_with_it(
    ctx: Context, corpus: str, upstream: Upstream, clock: Clock
) -> None:
    batch = put_in(ctx, corpus, FOUR[0])
    cancel_answer(ctx, LOCAL, answers_in(ctx, batch.id)[0].id)
    minded(ctx, batch.id, clock)
    assert statuses(ctx, batch.id) == ["cancelled"]
    assert described(ctx, batch.id)["status"] == "cancelled"
    assert upstream.batches.made == {}, "it was stopped before anything was sent"
    check_books(ctx, upstream)


FATES = {
    "well": Fate(),
    "refused": Fate(status=400, code="bad_request"),
    "busy": Fate(status=500, code="server_error"),
    "bad": Fate(status=0, code="invalid_line"),
}


@given(
    fates=st.lists(st.sampled_from(sorted(FATES)), min_size=1, max_size=5),
    lines=st.integers(1, 3),
    end=st.sampled_from(["completed", "expired"]),
    done=st.integers(0, 3),
    data=st.data(),
)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_books_are_the_invoice(
    template: tuple[Path, str],
    tmp_path_factory: pytest.TempPathFactory,
    fates: list[str],
    lines: int,
    end: str,
    done: int,
    data: st.DataObject,
) -> None:
    folder = tmp_path_factory.mktemp("books")
    copied(template[0], folder / "data")
    clock = Clock()
    with Upstream() as upstream, process(settings_in(folder, upstream), clock) as ctx:
        here = with_limits(ctx, upstream, batch_file_lines=lines)
        upstream.batches.fates = {f"Number {n}:": FATES[fate] for n, fate in enumerate(fates)}
        upstream.batches.expires, upstream.batches.expire_after = end == "expired", done
        upstream.batches.too_much_above = data.draw(st.sampled_from([None, 1, 2]))
        batch = put_in(here, template[1], *(f"Number {n}: who came?" for n in range(len(fates))))
        minded(here, batch.id, clock)
        check_books(here, upstream)
        found = answers_in(here, batch.id)
        assert all(one.status.final for one in found)
        assert sum(one.status is AnswerStatus.DONE for one in found) == len(upstream.invoice)
        for one, fate in zip(found, fates, strict=True):
            assert fate == "well" or one.status is AnswerStatus.FAILED


# What a provider takes.


def test_files_are_split_by_lines_and_by_bytes(
    ctx: Context, corpus: str, upstream: Upstream, clock: Clock
) -> None:
    by_lines = put_in(ctx, corpus, *FOUR)
    minded(with_limits(ctx, upstream, batch_file_lines=3), by_lines.id, clock)
    files = described(ctx, by_lines.id)["files"]
    assert [one["lines"] for one in files] == [3, 1]
    by_bytes = put_in(ctx, corpus, *FOUR)
    minded(with_limits(ctx, upstream, batch_file_bytes=files[0]["bytes"]), by_bytes.id, clock)
    assert [one["lines"] for one in described(ctx, by_bytes.id)["files"]] == [3, 1]
    too_large = put_in(ctx, corpus, *FOUR)
    minded(with_limits(ctx, upstream, batch_file_bytes=500), too_large.id, clock)
    assert {one.error.code for one in answers_in(ctx, too_large.id) if one.error} == {"too_large"}
    assert described(ctx, too_large.id)["status"] == "failed"
    check_books(ctx, upstream)


def test_too_much_waiting_goes_in_smaller_files_later(
    ctx: Context, corpus: str, upstream: Upstream, clock: Clock
) -> None:
    upstream.batches.too_much_above = 1
    batch = put_in(ctx, corpus, *FOUR)
    told: list[object] = []
    minded(ctx, batch.id, clock, lambda: told.append(described(ctx, batch.id)["error"]))
    assert statuses(ctx, batch.id) == ["done"] * 4
    assert {"rate_limited"} == {one["code"] for one in told if isinstance(one, dict)}
    assert [one.status for one in upstream.batches.made.values()] == ["failed"] * 3 + ["completed"] * 4
    check_books(ctx, upstream)


def test_a_line_that_is_not_taken_does_not_stop_the_others(
    ctx: Context, corpus: str, upstream: Upstream, clock: Clock
) -> None:
    upstream.batches.fates = {"second": Fate(status=0, code="invalid_line")}
    batch = put_in(ctx, corpus, *FOUR)
    minded(ctx, batch.id, clock)
    assert statuses(ctx, batch.id) == ["done", "failed", "done", "done"]
    check_books(ctx, upstream)


def test_a_provider_without_batches_holds_nothing(ctx: Context, corpus: str, upstream: Upstream) -> None:
    upstream.batches.offered = False
    with pytest.raises(NoBatches, match="openai has no batches"):
        put_in(ctx, corpus, *FOUR)
    with pytest.raises(NoBatches, match="offline"):
        put_in(replace(ctx, provider=OfflineProvider()), corpus, *FOUR)
    assert books(ctx) == {}


def test_another_engine_is_not_asked(ctx: Context, corpus: str, upstream: Upstream, clock: Clock) -> None:
    unsent, sent = put_in(ctx, corpus, FOUR[0]), put_in(ctx, corpus, FOUR[1])
    asyncio.run(advance(ctx, sent.id))
    other = replace(ctx, provider=OfflineProvider())
    for batch in (unsent, sent):
        asyncio.run(advance(other, batch.id))
    (answer,) = answers_in(ctx, unsent.id)
    assert answer.error is not None
    assert answer.error.code == "provider_changed"
    assert "run the service with it again" in described(ctx, sent.id)["error"]["detail"]
    minded(ctx, sent.id, clock)
    assert statuses(ctx, sent.id) == ["done"]
    check_books(ctx, upstream)


# What is accepted.


def test_money_is_held_before_and_for_all_or_none(ctx: Context, corpus: str) -> None:
    one = Decimal(described(ctx, put_in(ctx, corpus, FOUR[0]).id)["cost"]["reserved_usd"])
    manage_budgets.set_budget(ctx, LOCAL, "tenant", Limit(4 * one, "total"))
    before = held(ctx)
    with pytest.raises(BudgetExceeded):
        put_in(ctx, corpus, *FOUR)
    assert held(ctx) == before, "three would have fitted, and none is held"
    asked = tuple(
        Request(question=Question(text=text, model="gpt-5.5", service_tier="batch")) for text in FOUR
    )
    with pytest.raises(OverMaxCost, match="all 4 questions"):
        asyncio.run(put_in_batch(ctx, LOCAL, corpus, Order(asked, max_cost_usd=one)))
    assert held(ctx) == before


def test_what_is_no_batch_is_refused(ctx: Context, corpus: str) -> None:
    standard, batch = (
        preview_question.preview_question(
            ctx, LOCAL, corpus, Question(text="Who?", model="gpt-5.5", service_tier=tier)
        ).offers[0]
        for tier in (None, "batch")
    )

    def order(*plan_ids: str) -> None:
        asked = tuple(Request(plan_id=one) for one in plan_ids)
        asyncio.run(put_in_batch(ctx, LOCAL, corpus, Order(asked)))

    with pytest.raises(Invalid, match="not priced for a batch"):
        order(standard.id)
    with pytest.raises(Invalid, match="named twice"):
        order(batch.id, batch.id)
    with pytest.raises(Invalid, match="1 to 1,000"):
        order()
    with pytest.raises(Invalid, match="no repairs"):
        put_in(ctx, corpus, "Who?", repair=True)
    with pytest.raises(Invalid, match="takes a day"):
        ask_question(ctx, LOCAL, corpus, Request(plan_id=batch.id))
    assert books(ctx) == {}
    order(batch.id)
    assert held(ctx) > 0


def test_a_key_pays_once(ctx: Context, corpus: str) -> None:
    def order(text: str) -> str:
        question = Question(text=text, model="gpt-5.5", service_tier="batch")
        put = Order((Request(question=question),), idempotency_key="k")
        return asyncio.run(put_in_batch(ctx, LOCAL, corpus, put)).id

    assert order("Who?") == order("Who?")
    assert len(books(ctx)) == 1
    with pytest.raises(Invalid, match="another request"):
        order("When?")


def test_a_removed_document_is_not_asked(ctx: Context, corpus: str, upstream: Upstream, clock: Clock) -> None:
    batch = put_in(ctx, corpus, *FOUR)
    (answer, *_) = answers_in(ctx, batch.id)
    remove_document(ctx, LOCAL, answer.plan["calls"][0]["document_ids"][0])
    minded(ctx, batch.id, clock)
    assert {one.error.code for one in answers_in(ctx, batch.id) if one.error} == {"plan_changed"}
    assert upstream.batches.made == {}
    check_books(ctx, upstream)


# A reply that is lost, and a process that dies.


def lost(upstream: Upstream, *, after: bool, times: int = 1) -> None:
    """Lose the reply to the making of a batch, made or not."""
    left = [times]

    def drop(method: str, path: str) -> None:
        if (method, path) == ("POST", "/v1/batches") and left[0]:
            left[0] -= 1
            raise Dropped

    setattr(upstream.batches, "after" if after else "before", drop)


@pytest.mark.parametrize("after", [True, False], ids=["made", "not made"])
def test_a_lost_reply_is_looked_for(
    ctx: Context, corpus: str, upstream: Upstream, clock: Clock, *, after: bool
) -> None:
    put_in_before = put_in(ctx, corpus, "Who was there before?")
    minded(ctx, put_in_before.id, clock)
    lost(upstream, after=after)
    batch = put_in(ctx, corpus, *FOUR)
    minded(ctx, batch.id, clock)
    assert statuses(ctx, batch.id) == ["done"] * 4
    assert len(upstream.batches.made) == 2, "one for each: none was made twice"
    assert upstream.batches.uploads == (2 if after else 3)
    check_books(ctx, upstream)


def test_it_waits_before_it_looks(ctx: Context, corpus: str, upstream: Upstream) -> None:
    """Until then the request may be on its way."""
    lost(upstream, after=False)
    batch = put_in(ctx, corpus, *FOUR)
    for _ in range(3):
        asyncio.run(advance(ctx, batch.id))
    assert upstream.batches.asked.count(("GET", "/v1/batches")) == 1, "the one that asks for batches at all"
    assert described(ctx, batch.id)["files"][0]["state"] == "sent"


def test_a_provider_out_of_reach_is_waited_for(
    ctx: Context, corpus: str, upstream: Upstream, clock: Clock
) -> None:
    batch = put_in(ctx, corpus, *FOUR)
    left = [4]

    def broken(method: str, path: str) -> None:
        if left[0] and method in {"GET", "POST"} and path != "/v1/batches":
            left[0] -= 1
            raise Dropped

    upstream.batches.before = broken
    minded(ctx, batch.id, clock)
    assert left == [0]
    assert statuses(ctx, batch.id) == ["done"] * 4
    check_books(ctx, upstream)


def test_what_never_ends_is_in_doubt(ctx: Context, corpus: str, upstream: Upstream) -> None:
    clock = Clock(step=timedelta(hours=6))
    slow = replace(ctx, now=clock.now)
    batch = put_in(slow, corpus, *FOUR)
    asyncio.run(advance(slow, batch.id))
    upstream.batches.made.clear()
    minded(slow, batch.id, clock)
    assert statuses(ctx, batch.id) == ["in_doubt"] * 4
    assert described(ctx, batch.id)["status"] == "in_doubt"
    assert held(ctx) > 0


def survived(installed: Settings, batch_id: str, upstream: Upstream) -> None:
    """Whatever happened before: every question is answered, and billed once."""
    clock = Clock()
    with process(installed, clock) as ctx:
        minded(ctx, batch_id, clock)
        assert statuses(ctx, batch_id) == ["done"] * 2
        assert len(upstream.invoice) == 2
        check_books(ctx, upstream)


@pytest.mark.parametrize("before", [True, False], ids=["before", "behind"])
@pytest.mark.parametrize("at", range(1, 9))
def test_death_around_each_request(
    installed: Settings, corpus: str, upstream: Upstream, at: int, *, before: bool
) -> None:
    clock = Clock()
    with process(installed, clock) as ctx:
        batch = put_in(ctx, corpus, *FOUR[:2])
        mortal = MortalBatches(ctx.provider.batches, at=at, before=before)
        here = replace(ctx, provider=MortalProvider(ctx.provider, mortal))
        try:
            minded(here, batch.id, clock)
        except Killed:
            assert mortal.said == at
        else:
            assert at > mortal.said, "it ended before"
    survived(installed, batch.id, upstream)


@pytest.mark.parametrize("before", [True, False], ids=["before", "behind"])
@pytest.mark.parametrize("at", range(1, 18))
def test_death_around_each_commit(
    installed: Settings, corpus: str, upstream: Upstream, at: int, *, before: bool
) -> None:
    clock = Clock()
    with process(installed, clock) as ctx:
        batch = put_in(ctx, corpus, *FOUR[:2])
        mortal = Mortal(ctx.db.url, at=at, before=before)
        try:
            minded(replace(ctx, db=mortal), batch.id, clock)
        except Killed:
            assert mortal.left <= 0
        else:
            assert mortal.left > 0, "it ended before"
        finally:
            mortal.close()
    survived(installed, batch.id, upstream)


def test_death_again_and_again(installed: Settings, corpus: str, upstream: Upstream) -> None:
    """Every process gets one commit further than the one before."""
    with process(installed) as ctx:
        batch = put_in(ctx, corpus, *FOUR[:2])
    clock = Clock()
    for _ in range(200):
        with process(installed, clock) as ctx:
            mortal = Mortal(ctx.db.url, at=3, before=False)
            try:
                minded(replace(ctx, db=mortal), batch.id, clock)
            except Killed:
                clock.tick()
                continue
            finally:
                mortal.close()
            break
    else:
        raise AssertionError("it never ended")
    survived(installed, batch.id, upstream)


def test_nothing_else_runs_what_waits_for_a_batch(ctx: Context, corpus: str) -> None:
    batch = put_in(ctx, corpus, *FOUR)
    with ctx.db.read() as tx:
        assert answers.unfinished(tx, seat="seat-1") == []
        assert batches.unfinished(tx) == [batch.id]
    assert get_answer(ctx, LOCAL, answers_in(ctx, batch.id)[0].id).batch_id == batch.id
