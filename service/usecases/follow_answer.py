"""Follow an answer's events, live where it runs in this process and from the store everywhere else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from service.domain.answers import Answer
from service.errors import NotFound
from service.store import answers
from service.store.answers import RESUMED, TERMINAL, Event
from service.usecases.context import Context
from service.usecases.feed import Channel

POLL_SECONDS = 0.25
BEAT_SECONDS = 15.0


async def follow_answer(
    ctx: Context, tenant: str, answer_id: str, *, after: int = 0, accepted: bool = False
) -> AsyncIterator[Event | None]:
    """Yield the events behind that number, in order, until the last one; None now and then while it is quiet.

    Of an answer that has ended, a number beyond its last event gets that event again. Where its end was
    decided anew since, by a late reply or by the user, only the last one is told.

    Args:
        ctx: what it runs in.
        tenant: whose answer it is.
        answer_id: the answer.
        after: the number of the last event that is known.
        accepted: it was accepted for this tenant a moment ago, and is not looked up.

    Raises:
        NotFound: there is no such answer.
    """
    if not accepted:
        await asyncio.to_thread(_require_one, ctx, tenant, answer_id)
    told_at = time.monotonic()
    while True:
        channel = ctx.feed.get(answer_id)
        saved, end, live = await _looked_up(ctx, answer_id, after, channel)
        events = {event.number: event for event in [*saved, *live]}
        last = max((number for number, event in events.items() if event.name in TERMINAL), default=None)
        for number in sorted(events):
            after = number
            overtaken = events[number].name in TERMINAL and number != last
            if events[number].name != RESUMED and not overtaken:
                yield events[number]
                told_at = time.monotonic()
            if number == last:
                return
        if end is not None and not events:
            if end.number < after:
                yield end
            return
        await _wait(ctx, answer_id, channel, after, seconds=told_at + BEAT_SECONDS - time.monotonic())
        if time.monotonic() - told_at >= BEAT_SECONDS:
            yield None
            told_at = time.monotonic()


async def wait_for_answer(ctx: Context, tenant: str, answer_id: str) -> Answer:
    """Return an answer once it has ended."""
    async for _ in follow_answer(ctx, tenant, answer_id, accepted=True):
        pass
    return await asyncio.to_thread(_require, ctx, tenant, answer_id)


async def _looked_up(
    ctx: Context, answer_id: str, after: int, channel: Channel | None
) -> tuple[list[Event], Event | None, list[Event]]:
    """Return what the store has behind that number, its end, and what the channel has.

    The store is not asked where the channel knows all of it. A channel that is not open yet knows nothing,
    and is not asked either: what it has once it opens may stand behind more than the store was asked for.
    """
    if channel is not None and not channel.is_open:
        return [], None, []
    if channel is not None and channel.reaches(after):
        return [], None, channel.after(after)
    saved, end = await asyncio.to_thread(_saved, ctx, answer_id, after)
    return saved, end, channel.after(after) if channel is not None else []


async def _wait(ctx: Context, answer_id: str, channel: Channel | None, after: int, *, seconds: float) -> None:
    """Wait until there may be news."""
    if channel is None:
        await ctx.feed.expect(answer_id, seconds=POLL_SECONDS)
    else:
        await channel.wait(after, seconds=max(0.0, seconds))


def _require_one(ctx: Context, tenant: str, answer_id: str) -> None:
    with ctx.db.read() as tx:
        if not answers.exists(tx, tenant, answer_id):
            raise NotFound(f"There is no answer {answer_id}.")


def _require(ctx: Context, tenant: str, answer_id: str) -> Answer:
    with ctx.db.read() as tx:
        answer = answers.get(tx, tenant, answer_id)
    if answer is None:
        raise NotFound(f"There is no answer {answer_id}.")
    return answer


def _saved(ctx: Context, answer_id: str, after: int) -> tuple[list[Event], Event | None]:
    """Return the stored events behind that number, and the one that ended the stream."""
    with ctx.db.read() as tx:
        return answers.events_after(tx, answer_id, after), answers.terminal_event(tx, answer_id)
