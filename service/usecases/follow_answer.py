"""Follow an answer's events, live where it runs in this process and from the store everywhere else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from service.domain.answers import Answer
from service.errors import NotFound
from service.store import answers
from service.store.answers import Event
from service.usecases.context import Context
from service.usecases.feed import TERMINAL

POLL_SECONDS = 0.25
BEAT_SECONDS = 15.0


async def follow_answer(
    ctx: Context, tenant: str, answer_id: str, *, after: int = 0
) -> AsyncIterator[Event | None]:
    """Yield the events behind that number, in order, until the last one; None now and then while it is quiet.

    Raises:
        NotFound: there is no such answer.
    """
    await asyncio.to_thread(_require, ctx, tenant, answer_id)
    quiet = 0.0
    while True:
        channel = ctx.feed.get(answer_id)
        saved = await asyncio.to_thread(_saved, ctx, answer_id, after)
        events = {event.number: event for event in [*saved, *(channel.after(after) if channel else ())]}
        for number in sorted(events):
            yield events[number]
            after, quiet = number, 0.0
            if events[number].name in TERMINAL:
                return
        if channel is not None:
            await channel.wait(after, seconds=BEAT_SECONDS)
            quiet = BEAT_SECONDS
        else:
            await asyncio.sleep(POLL_SECONDS)
            quiet += POLL_SECONDS
        if quiet >= BEAT_SECONDS:
            quiet = 0.0
            yield None


async def wait_for_answer(ctx: Context, tenant: str, answer_id: str) -> Answer:
    """Return an answer once it has ended."""
    async for _ in follow_answer(ctx, tenant, answer_id):
        pass
    return await asyncio.to_thread(_require, ctx, tenant, answer_id)


def _require(ctx: Context, tenant: str, answer_id: str) -> Answer:
    with ctx.db.read() as tx:
        answer = answers.get(tx, tenant, answer_id)
    if answer is None:
        raise NotFound(f"There is no answer {answer_id}.")
    return answer


def _saved(ctx: Context, answer_id: str, after: int) -> list[Event]:
    with ctx.db.read() as tx:
        return answers.events_after(tx, answer_id, after)
