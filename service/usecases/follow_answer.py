"""Follow an answer's events, live where it runs in this process and from the store everywhere else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from service.domain.answers import Answer, Ended
from service.errors import NotFound
from service.store import answers
from service.store.answers import RESUMED, TERMINAL, Event
from service.usecases.context import Context
from service.usecases.feed import Channel

POLL_SECONDS = 0.25
BEAT_SECONDS = 15.0


async def follow_answer(
    ctx: Context, tenant: str, answer_id: str, *, after: int = 0, accepted: bool = False
) -> AsyncGenerator[Event | None]:
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
    async with aclosing(follow_together(ctx, tenant, answer_id, after=after, accepted=accepted)) as news:
        async for events in news:
            for event in events or (None,):
                yield event


async def follow_together(
    ctx: Context, tenant: str, answer_id: str, *, after: int = 0, accepted: bool = False
) -> AsyncGenerator[list[Event]]:
    """Yield the same in lists, each of what is known by then; an empty one now and then while it is quiet."""
    if not accepted:
        await asyncio.to_thread(_require_one, ctx, tenant, answer_id)
    told_at = time.monotonic()
    with_end: Channel | None = None
    while True:
        channel = ctx.feed.get(answer_id) or with_end
        events, end = await _looked_up(ctx, answer_id, after, channel)
        if events:
            ends = [event.number for event in events if event.name in TERMINAL]
            last = ends[-1] if ends else None
            after = last or events[-1].number
            if told := [event for event in events if _is_told(event, last)]:
                yield told
                told_at = time.monotonic()
            if last is not None:
                return
        elif end is not None:
            if end.number < after:
                yield [end]
            return
        with_end = await _wait(
            ctx, answer_id, channel, after, seconds=told_at + BEAT_SECONDS - time.monotonic()
        )
        if with_end is None and time.monotonic() - told_at >= BEAT_SECONDS:
            yield []
            told_at = time.monotonic()


def _is_told(event: Event, last: int | None) -> bool:
    """Whether followers see it: nothing of a taking up again, and no end but the last one."""
    if event.name == RESUMED:
        return False
    return last is None or event.number == last or (event.number < last and event.name not in TERMINAL)


async def wait_for_answer(ctx: Context, tenant: str, answer_id: str) -> Answer:
    """Return an answer, which was accepted for this tenant, once it has ended."""
    ended = await wait_for_end(ctx, tenant, answer_id)
    return ended.answer if ended else await asyncio.to_thread(_require, ctx, tenant, answer_id)


async def wait_for_end(ctx: Context, tenant: str, answer_id: str) -> Ended | None:
    """Wait until such an answer has ended; return how, if it is done and its running here told it now."""
    ended: Ended | None = None
    async for event in follow_answer(ctx, tenant, answer_id, accepted=True):
        ended = event.ended if event else ended
    return ended


async def _looked_up(
    ctx: Context, answer_id: str, after: int, channel: Channel | None
) -> tuple[list[Event], Event | None]:
    """Return in order what the store and the channel have behind that number, and the end that is stored.

    The store is not asked where the channel knows all of it. A channel that is not open yet knows nothing,
    and is not asked either: what it has once it opens may stand behind more than the store was asked for.
    """
    if channel is not None and not channel.is_open:
        return [], None
    if channel is not None and channel.reaches(after):
        return channel.after(after), None
    saved, end = await asyncio.to_thread(_saved, ctx, answer_id, after)
    live = channel.after(after) if channel is not None else []
    known = {event.number: event for event in [*saved, *live]}
    return [known[number] for number in sorted(known)], end


async def _wait(
    ctx: Context, answer_id: str, channel: Channel | None, after: int, *, seconds: float
) -> Channel | None:
    """Wait until there may be news; return the channel where its end came meanwhile.

    One that was closed before is as old as its follower is slow: the end may have been decided anew since.
    """
    if channel is None:
        await ctx.feed.expect(answer_id, seconds=POLL_SECONDS)
    elif not channel.is_closed:
        await channel.wait(after, seconds=max(0.0, seconds))
        return channel if channel.has_end else None
    return None


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
