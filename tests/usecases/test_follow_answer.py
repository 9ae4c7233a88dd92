"""A stream goes on wherever its client left it, also behind a crash or a store that was away, and it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from service.api import openai
from service.api.openai_replies import Face
from service.domain.answers import Answer, AnswerStatus, Ended
from service.errors import StoreUnavailable
from service.settings import Settings
from service.store import answers
from service.store.answers import RESUMED, TERMINAL, Event
from service.store.session import Database, Transaction
from service.usecases import follow_answer as following
from service.usecases import save_streams
from service.usecases.bill_verdict import Verdict
from service.usecases.context import LOCAL, Context
from service.usecases.describe_answer import describe_answer
from service.usecases.feed import Feed
from service.usecases.follow_answer import follow_answer, follow_together, wait_for_answer, wait_for_end
from service.usecases.look_up_answer import LookedUp, look_up_answer, look_up_ended
from service.usecases.resolve_answer import resolve_answer
from service.usecases.run_answer import FIRST_NUMBERS, run_answer
from tests.support.upstream import Act, Upstream, slow, stall_after
from tests.usecases.test_run_answer import after, after_events, asked, process, run

SOON = 10.0


async def followed(ctx: Context, answer: Answer, *, behind: int = 0) -> list[Event]:
    """What a client is sent, beats left out; it must end soon."""
    async with asyncio.timeout(SOON):
        return [event async for event in follow_answer(ctx, LOCAL, answer.id, after=behind) if event]


async def told_until_done(ctx: Context, is_done: Callable[[list[list[Event]]], bool]) -> list[list[Event]]:
    """What a follower is told of an answer that is done once that holds of what he was told."""
    channel = ctx.feed.open("ans_1")
    assert channel is not None
    channel.open(Event(1, "plan", {}))
    told: list[list[Event]] = []
    async with aclosing(follow_together(ctx, LOCAL, "ans_1", accepted=True)) as news:
        async for events in news:
            told.append(events)
            if is_done(told):
                channel.publish("done", {})
    return told


class Full:
    """A database whose disk is full while `full` says so."""

    def __init__(self, db: Database, full: Callable[[], bool]) -> None:
        self._db = db
        self._full = full
        self.read = db.read
        self.flushed_once = db.flushed_once
        self.flushed_later = db.flushed_later
        self.flush = db.flush
        self.writers = db.writers

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        if self._full():
            raise StoreUnavailable("The disk is full.")
        with self._db.write() as tx:
            yield tx


def test_client_that_saw_more_than_was_saved_gets_the_end(
    settings: Settings, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(save_streams, "SAVE_SECONDS", 60.0)
    upstream.script.append(stall_after(12))

    async def die_unsaved(ctx: Context, answer: Answer) -> list[Event]:
        work = asyncio.create_task(run_answer(ctx, answer.id))
        seen: list[Event] = []
        async with asyncio.timeout(SOON), aclosing(_following(ctx, answer)) as events:
            async for event in events:
                seen.append(event)
                if len(seen) == 8:
                    break
        monkeypatch.setattr(save_streams, "_save", lambda _db, _channels: set())
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        return seen

    with process(settings) as ctx:
        answer = asked(ctx)
        seen = asyncio.run(die_unsaved(ctx, answer))
        assert [event.number for event in after_events(ctx, answer)] == [1], "only the plan was saved"
    with process(settings) as ctx:
        run(ctx, answer)
        rest = asyncio.run(followed(ctx, answer, behind=seen[-1].number))
    assert rest[-1].name == "error"
    assert all(event.number > FIRST_NUMBERS for event in rest)
    assert RESUMED not in {event.name for event in rest}
    assert len(upstream.requests) == 1


async def _following(ctx: Context, answer: Answer) -> AsyncGenerator[Event, None]:
    async for event in follow_answer(ctx, LOCAL, answer.id):
        if event is not None:
            yield event


def test_numbers_beyond_the_end(settings: Settings, upstream: Upstream) -> None:
    with process(settings) as ctx:
        answer = asked(ctx)
        run(ctx, answer)
        events = after_events(ctx, answer)
        last = events[-1]
        assert asyncio.run(followed(ctx, answer, behind=last.number)) == []
        assert asyncio.run(followed(ctx, answer, behind=last.number + 1)) == [last]
        assert asyncio.run(followed(ctx, answer, behind=999_999_999)) == [last]
    assert len(upstream.requests) == 1


def test_what_is_known_at_the_same_time_is_told_together(settings: Settings, upstream: Upstream) -> None:
    async def told(ctx: Context, answer: Answer) -> list[list[Event]]:
        return [events async for events in follow_together(ctx, LOCAL, answer.id)]

    with process(settings) as ctx:
        answer = asked(ctx)
        run(ctx, answer)
        assert asyncio.run(told(ctx, answer)) == [after_events(ctx, answer)]
    assert len(upstream.requests) == 1


def test_an_end_that_was_decided_anew_is_told_alone(settings: Settings) -> None:
    """Whatever is known of the one before, and whatever would stand behind the last."""

    async def told(ctx: Context) -> list[list[Event]]:
        channel = ctx.feed.open("ans_1")
        assert channel is not None
        channel.open(Event(1, "plan", {}))
        for name in ("delta", "error", RESUMED, "usage", "done", "delta"):
            channel.publish(name, {})
        events = follow_together(ctx, LOCAL, "ans_1", accepted=True)
        return [told async for told in events]

    with process(settings) as ctx:
        found = asyncio.run(told(ctx))
    assert [[(event.number, event.name) for event in events] for events in found] == [
        [(1, "plan"), (2, "delta"), (5, "usage"), (6, "done")]
    ]


def test_a_quiet_stream_tells_of_nothing_now_and_then(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "BEAT_SECONDS", 0.01)

    with process(settings) as ctx:
        first, *beats, last = asyncio.run(told_until_done(ctx, lambda told: not told[-1]))
    assert [event.name for event in (*first, *last)] == ["plan", "done"]
    assert beats == [[]]


def test_number_beyond_the_end_while_it_runs(settings: Settings, upstream: Upstream) -> None:
    upstream.script.append(slow(0.1, between_s=0.02))

    async def both(ctx: Context, answer: Answer) -> list[Event]:
        found, _ = await asyncio.gather(followed(ctx, answer, behind=999), run_answer(ctx, answer.id))
        return found

    with process(settings) as ctx:
        answer = asked(ctx)
        (last,) = asyncio.run(both(ctx, answer))
        assert last == after_events(ctx, answer)[-1]


def test_live_stream_is_whole_and_without_beats(settings: Settings, upstream: Upstream) -> None:
    upstream.script.append(slow(0.05, between_s=0.02))

    async def both(ctx: Context, answer: Answer) -> list[Event | None]:
        async def client() -> list[Event | None]:
            return [event async for event in follow_answer(ctx, LOCAL, answer.id)]

        async with asyncio.timeout(SOON):
            found, _ = await asyncio.gather(client(), run_answer(ctx, answer.id))
        return found

    with process(settings) as ctx:
        answer = asked(ctx)
        events = asyncio.run(both(ctx, answer))
        assert events == after_events(ctx, answer)
    assert None not in events


def test_quiet_stream_beats(settings: Settings, upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "BEAT_SECONDS", 0.1)
    upstream.script.append(slow(1.0))

    async def both(ctx: Context, answer: Answer) -> list[Event | None]:
        async def client() -> list[Event | None]:
            return [event async for event in follow_answer(ctx, LOCAL, answer.id)]

        found, _ = await asyncio.gather(client(), run_answer(ctx, answer.id))
        return found

    with process(settings) as ctx:
        events = asyncio.run(both(ctx, asked(ctx)))
    first_delta = next(n for n, event in enumerate(events) if event and event.name == "delta")
    assert 4 <= events[:first_delta].count(None) <= 12


def test_connected_client_gets_the_end_over_a_full_disk(settings: Settings, upstream: Upstream) -> None:
    """The end can't be written at first; the client stays, misses nothing and is told nothing twice."""

    async def both(ctx: Context, answer: Answer, full: list[bool]) -> list[Event]:
        client = asyncio.create_task(followed(ctx, answer))
        with pytest.raises(StoreUnavailable):
            await run_answer(ctx, answer.id)
        assert not client.done()
        full.append(False)
        await run_answer(ctx, answer.id)
        return await client

    with process(settings) as ctx:
        answer = asked(ctx)
        full: list[bool] = []
        done = [False]

        def is_full() -> bool:
            with ctx.db.read() as tx:
                done[0] = done[0] or all(
                    call.state.value == "done" for call in answers.calls_of(tx, answer.id)
                )
            return done[0] and not full

        limited: Any = Full(ctx.db, is_full)
        events = asyncio.run(both(replace(ctx, db=limited), answer, full))
        ended, _ = after(ctx, answer)
        stored = [event for event in after_events(ctx, answer) if event.name != RESUMED]
    assert ended.status is AnswerStatus.DONE
    assert events == stored
    assert [event.name in TERMINAL for event in events].count(True) == 1
    assert "".join(event.data["text"] for event in events if event.name == "delta") == ended.text
    assert len(upstream.requests) == 1


def test_who_waits_gets_the_answer(settings: Settings, upstream: Upstream) -> None:
    async def both(ctx: Context, answer: Answer) -> Answer:
        found, _ = await asyncio.gather(wait_for_answer(ctx, LOCAL, answer.id), run_answer(ctx, answer.id))
        return found

    with process(settings) as ctx:
        ended = asyncio.run(both(ctx, asked(ctx)))
    assert ended.status is AnswerStatus.DONE
    assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    "act",
    [Act(), Act(text="It opened."), Act(usage=False), Act(refusal="No.")],
    ids=["", "plain", "at most", "no"],
)
def test_what_is_told_of_an_end_is_what_is_stored_and_is_not_looked_up(
    settings: Settings, upstream: Upstream, monkeypatch: pytest.MonkeyPatch, act: Act
) -> None:
    upstream.script.append(replace(act, between_s=0.01))
    looked_up: list[str] = []

    async def both(ctx: Context, answer: Answer) -> tuple[Ended | None, LookedUp]:
        work = asyncio.create_task(run_answer(ctx, answer.id))
        await ctx.feed.expect(answer.id, seconds=SOON)
        for name in ("_saved", "_require"):
            monkeypatch.setattr(following, name, lambda *_: looked_up.append("store"))
        ended = await wait_for_end(ctx, LOCAL, answer.id)
        await work
        return ended, await look_up_ended(ctx, LOCAL, answer.id, ended)

    with process(settings) as ctx:
        answer = asked(ctx)
        ended, found = asyncio.run(both(ctx, answer))
        stored = look_up_answer(ctx, LOCAL, answer.id)
    assert ended is not None
    assert looked_up == []
    assert (found, ended.billed_tier) == (stored, stored.billed_tier)
    assert describe_answer(ended.answer) == describe_answer(stored.answer)


def test_a_slow_client_is_told_how_it_ended_by_now(settings: Settings, upstream: Upstream) -> None:
    """The answer ends, and what it cost is put right, while what came before is on its way to the client."""
    upstream.script.append(Act(usage=False, between_s=0.05))

    async def slowly(ctx: Context, answer: Answer) -> list[Event]:
        work = asyncio.create_task(run_answer(ctx, answer.id))
        seen: list[Event] = []
        async with asyncio.timeout(SOON), aclosing(_following(ctx, answer)) as events:
            async for event in events:
                if not work.done() and event.name == "delta":
                    await work
                    resolve_answer(ctx, LOCAL, answer.id, Verdict(billed=True, amount_usd=Decimal("1.25")))
                seen.append(event)
        return seen

    with process(settings) as ctx:
        seen = asyncio.run(slowly(ctx, asked(ctx)))
    assert [event.name in TERMINAL for event in seen].count(True) == 1
    assert seen[-1].data["cost"]["actual_usd"] == "1.25"


def test_openais_face_looks_an_end_up_again_that_came_with_words(
    settings: Settings, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its client may be slow to take the words, and what the answer cost be put right meanwhile."""
    upstream.script.append(Act(text="It opened."))  # and cites nothing

    async def chunks(ctx: Context, answer: Answer) -> list[bytes]:
        before = replace(after(ctx, answer)[0], actual_usd=Decimal("1.25"))

        async def together(*_: object, **__: object) -> AsyncGenerator[list[Event], None]:
            yield [Event(2, "delta", {"text": "Yes."}), Event(3, "done", {}, Ended(before, None))]

        monkeypatch.setattr(openai, "follow_together", together)
        face = Face("http://127.0.0.1/", include_usage=True)
        return [chunk async for chunk in openai._chunks(ctx, LOCAL, answer, face)]  # noqa: SLF001 - its stream

    with process(settings) as ctx:
        answer = asked(ctx)
        run(ctx, answer)
        said = b"".join(asyncio.run(chunks(ctx, answer)))
        cost = describe_answer(after(ctx, answer)[0])["cost"]
    assert b'"1.25"' not in said
    assert f'"actual_usd": "{cost["actual_usd"]}"'.encode() in said


def test_no_beat_stands_before_an_end_that_is_known(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is slow to take it would be told the end as it was."""
    monkeypatch.setattr(following, "BEAT_SECONDS", 0.0)

    with process(settings) as ctx:
        found = asyncio.run(told_until_done(ctx, lambda told: len(told) == 1))
    assert [[event.name for event in events] for events in found] == [["plan"], ["done"]]


def test_paused_channel_goes_on_with_its_numbers() -> None:
    feed = Feed()
    first = feed.open("ans_1")
    assert first is not None
    first.open(Event(8, RESUMED, {}))
    first.saved(first.after(0))
    first.publish("delta", {"text": "one"})
    assert feed.open("ans_1") is None
    feed.pause("ans_1")
    again = feed.open("ans_1")
    assert again is first
    again.open(Event(1_000_000, RESUMED, {}))
    again.publish("delta", {"text": "two"})
    assert [event.number for event in again.unsaved()] == [9, 10]
    feed.close("ans_1")
    assert feed.get("ans_1") is None
    assert feed.open("ans_1") is not first


def test_closing_lets_followers_go() -> None:
    async def waited() -> None:
        feed = Feed()
        channel = feed.open("ans_1")
        assert channel is not None
        waiting = asyncio.create_task(channel.wait(0, seconds=60))
        await asyncio.sleep(0)
        feed.close("ans_1")
        async with asyncio.timeout(5):
            await waiting
            await channel.wait(0, seconds=60)

    asyncio.run(waited())


def test_a_channel_that_opens_while_it_is_looked_at_hides_nothing_that_was_saved(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer is taken up in another thread: its channel opens at any moment."""
    saved = [Event(number, "delta", {"text": str(number)}) for number in range(1, 11)]

    async def resumed(ctx: Context) -> list[Event]:
        channel = ctx.feed.open("ans_1")
        assert channel is not None
        opening = Event(FIRST_NUMBERS, RESUMED, {})
        looked_up = following._looked_up  # noqa: SLF001 - where the other thread comes in

        async def looking(*told: Any) -> Any:  # noqa: ANN401 - as it is
            found = await looked_up(*told)
            if not channel.is_open:
                saved.append(opening)
                channel.open(opening)
                channel.publish("done", {})
            return found

        monkeypatch.setattr(following, "_looked_up", looking)
        monkeypatch.setattr(
            following, "_saved", lambda _ctx, _id, behind: ([e for e in saved if e.number > behind], None)
        )
        async with asyncio.timeout(SOON):
            events = follow_answer(ctx, LOCAL, "ans_1", after=5, accepted=True)
            return [event async for event in events if event]

    with process(settings) as ctx:
        found = asyncio.run(resumed(ctx))
    assert [event.number for event in found] == [6, 7, 8, 9, 10, FIRST_NUMBERS + 1]
