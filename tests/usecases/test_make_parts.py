"""The parts of a split go side by side, but for one that leaves in the cache what the others begin with."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.domain import bins, progress
from service.domain.answers import Answer, AnswerStatus
from service.domain.questions import Question
from service.settings import Settings
from service.store import answers
from service.usecases import arrange_corpus
from service.usecases.ask_question import Request, ask_question, get_answer
from service.usecases.cancel_answer import cancel_answer
from service.usecases.context import LOCAL, Context, Terms
from service.usecases.describe_plan import calls_of
from service.usecases.follow_answer import follow_answer
from service.usecases.run_answer import run_answer
from tests.support.counted import counted, prose
from tests.support.upstream import Upstream, cut_after, stall_after, status, well
from tests.usecases.test_run_answer import Killed, after_events, done_calls, process, run, until

MEET_SECONDS = 30.0
"""Where they do not meet, the test fails after so long."""


@pytest.fixture
def ctx(settings: Settings) -> Iterator[Context]:
    with process(settings) as context:
        yield replace(context, terms=Terms(concurrent_calls=4))


def split(
    ctx: Context, monkeypatch: pytest.MonkeyPatch, packs: Sequence[Sequence[int]], *, words: int = 1_300
) -> Answer:
    """An accepted question over documents that are packed so, each into every part that names it."""
    number = 1 + max(place for places in packs for place in places)
    ids = [counted(ctx, f"volume {n}.txt", [prose(n, words)]) for n in range(number)]
    corpus = arrange_corpus.create(ctx, LOCAL, name="Tests", document_ids=ids).id
    monkeypatch.setattr(bins, "fewest", lambda *_: [list(places) for places in packs])
    question = Question(text="What came?", model="gpt-5.5", strategies=("split",))
    return ask_question(ctx, LOCAL, corpus, Request(question=question))


def ran(ctx: Context, answer: Answer) -> Answer:
    run(ctx, answer)
    return get_answer(ctx, LOCAL, answer.id)


def meet(upstream: Upstream, *places: int) -> None:
    """Have the requests at these places of the next ones answered only once all of them have come."""
    barrier, count = threading.Barrier(len(places)), itertools.count()
    usual = upstream.answer

    def answer(body: dict[str, Any]) -> str:
        if next(count) in places:
            barrier.wait(MEET_SECONDS)
        return usual(body)

    upstream.answer = answer


SHARING = ((0, 1), (0, 2), (0, 3))
MOMENT = timedelta(seconds=30)
APART = ((0,), (1,), (2,))


def test_the_first_goes_alone_where_the_others_find_it_cached(
    ctx: Context, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = split(ctx, monkeypatch, SHARING)
    meet(upstream, 1, 2)
    done = ran(ctx, answer)
    assert done.status is AnswerStatus.DONE, done.error
    first, *others, _merge = upstream.invoice
    assert first.cached_tokens == 0
    assert [line.cached_tokens >= 1_024 for line in others] == [True, True]
    sent = moments(ctx, answer)
    assert sent[0][1] <= min(sent[1][0], sent[2][0]), "the others waited for it"


@pytest.mark.parametrize(
    ("packs", "words"), [(APART, 1_300), (SHARING, 500)], ids=["nothing shared", "too short to be cached"]
)
def test_all_go_at_once_where_nothing_is_won(
    ctx: Context,
    upstream: Upstream,
    monkeypatch: pytest.MonkeyPatch,
    packs: Sequence[Sequence[int]],
    words: int,
) -> None:
    meet(upstream, 0, 1, 2)
    assert ran(ctx, split(ctx, monkeypatch, packs, words=words)).status is AnswerStatus.DONE


def test_what_is_held_already_is_awaited_by_none(
    ctx: Context, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = split(ctx, monkeypatch, SHARING)
    assert ran(ctx, answer).status is AnswerStatus.DONE
    meet(upstream, 0, 1, 2)
    question = Question(text="And then?", model="gpt-5.5", strategies=("split",))
    again = ask_question(ctx, LOCAL, answer.corpus_id, Request(question=question))
    assert ran(ctx, again).status is AnswerStatus.DONE
    assert all(line.cached_tokens for line in upstream.invoice[4:7])


def test_no_part_waits_for_one_that_failed(
    ctx: Context, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream.script.append(status(400, "invalid_value"))
    answer = split(ctx, monkeypatch, SHARING)
    assert ran(ctx, answer).status is AnswerStatus.FAILED
    assert len(upstream.requests) == 1, "after a failure none is begun"
    assert [(one["part"], one["state"]) for one in told(ctx, answer)] == [(1, "started"), (1, "failed")]


def moments(ctx: Context, answer: Answer) -> list[tuple[Any, Any]]:
    """When each call was sent, and when it ended."""
    with ctx.db.read() as tx:
        rows = tx.exec_driver_sql(
            "SELECT sent_at, finished_at FROM calls WHERE answer_id = ? ORDER BY part", (answer.id,)
        ).all()
    return [(row[0], row[1]) for row in rows]


def told(ctx: Context, answer: Answer) -> list[dict[str, Any]]:
    return [event.data for event in after_events(ctx, answer) if event.name == "progress"]


def test_each_part_is_named_when_it_begins_and_when_it_ends(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = split(replace(ctx, terms=Terms(concurrent_calls=1)), monkeypatch, ((0, 1), (2,)))
    run(replace(ctx, terms=Terms(concurrent_calls=1)), answer)
    events = told(ctx, answer)
    assert [(one["kind"], one["part"], one["of"], one["state"], one["done"]) for one in events] == [
        ("part", 1, 2, "started", 0),
        ("part", 1, 2, "done", 1),
        ("part", 2, 2, "started", 1),
        ("part", 2, 2, "done", 2),
        ("merge", None, 2, "started", 2),
        ("merge", None, 2, "done", 2),
    ]
    names = [one["filename"] for one in events[0]["documents"]]
    assert (names, events[0]["documents_in_all"]) == (["volume 0.txt", "volume 1.txt"], 2)
    assert events[0]["documents"][0] == {
        "document_id": answer.plan["calls"][0]["document_ids"][0],
        "filename": "volume 0.txt",
        "first_page": 1,
        "last_page": 1,
    }

    async def followed() -> list[dict[str, Any]]:
        stream = follow_answer(ctx, LOCAL, answer.id)
        return [event.data async for event in stream if event and event.name == "progress"]

    assert asyncio.run(followed()) == events, "who comes later is told the same"


def test_after_a_death_nothing_is_told_twice(
    settings: Settings, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    with process(settings) as ctx:
        answer = split(ctx, monkeypatch, APART)
    with process(settings, dies=lambda ctx: done_calls(ctx) == 2) as ctx, pytest.raises(Killed):
        run(ctx, answer)
    with process(settings) as ctx:
        run(ctx, answer)
        events = [progress.told(one) for one in told(ctx, answer)]
    assert len(events) == len(set(events)) == 8
    assert len(upstream.requests) == 4


def test_a_doubt_and_a_stop_are_told(
    ctx: Context, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    slowly = replace(ctx, terms=Terms(concurrent_calls=1))
    upstream.script.extend([well(), cut_after(2)])
    doubtful = split(slowly, monkeypatch, APART)
    run(slowly, doubtful)
    assert [(one["part"], one["state"]) for one in told(ctx, doubtful)][-1] == (2, "in_doubt")
    upstream.script.append(stall_after(2))
    question = Question(text="And then?", model="gpt-5.5", strategies=("split",))
    stopped = ask_question(ctx, LOCAL, doubtful.corpus_id, Request(question=question))

    async def stop() -> None:
        running = asyncio.create_task(run_answer(slowly, stopped.id))
        await asyncio.to_thread(until, lambda: len(upstream.invoice) == 3)
        await asyncio.to_thread(cancel_answer, ctx, LOCAL, stopped.id)
        await running

    asyncio.run(stop())
    assert [(one["part"], one["state"]) for one in told(ctx, stopped)] == [(1, "started"), (1, "cancelled")]


def test_a_wait_for_the_provider_is_told_with_its_part_and_its_end(
    ctx: Context, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    slowly = replace(ctx, terms=Terms(concurrent_calls=1))
    upstream.script.extend([well(), status(429, "rate_limit_exceeded", {"retry-after-ms": "300"})])
    answer = split(slowly, monkeypatch, APART)
    run(slowly, answer)
    assert get_answer(ctx, LOCAL, answer.id).status is AnswerStatus.DONE
    (waiting,) = [event.data for event in after_events(ctx, answer) if event.name == "waiting"]
    ends = datetime.fromisoformat(waiting.pop("until"))
    (_, _), (sent, _), *_ = moments(ctx, answer)
    assert timedelta(seconds=0.3) <= ends - datetime.fromisoformat(sent).replace(tzinfo=UTC) < MOMENT
    detail = waiting["detail"]
    assert waiting == {"part": 2, "of": 3, "code": "rate_limited", "detail": detail, "seconds": 1}
    assert progress.wait_said(waiting) == (
        f"part 2 of 3: the provider refused for now, and is asked again in 1 s: {detail}"
    )


def test_of_many_documents_the_first_are_named(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = split(ctx, monkeypatch, (tuple(range(23)), (23,)), words=20)
    planned = calls_of(answer.plan)
    data = progress.event(planned, 0, "started", done=0)
    assert (len(data["documents"]), data["documents_in_all"]) == (progress.MOST_NAMED, 23)
    named = "volume 0.txt, volume 1.txt, volume 2.txt and 20 more"
    assert progress.said(data) == f"part 1 of 2 is read: {named}"
    assert (
        progress.said(progress.event(planned, 1, "done", done=2)) == "part 2 of 2: done (2 of 2 parts read)"
    )
    assert progress.said(progress.event(planned, 2, "started", done=2)) == "the findings are merged"
    with ctx.db.read() as tx:
        assert len(answers.calls_of(tx, answer.id)) == 3
