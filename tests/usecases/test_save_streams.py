"""Streams are saved while they come, many of them in one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from service.errors import StoreUnavailable
from service.settings import Settings
from service.store import answers
from service.store.session import Database, Transaction
from service.usecases import save_streams
from service.usecases.context import Context
from service.usecases.feed import Channel
from service.usecases.save_streams import Saver
from tests.usecases.test_run_answer import asked, process


class Counted(Database):
    """A database that counts its writes, and refuses them while it is `away`."""

    writes = 0
    away = False

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        if self.away:
            raise StoreUnavailable("The disk is full.")
        self.writes += 1
        with super().write() as tx:
            yield tx


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(save_streams, "SAVE_SECONDS", 0.05)


def saved(db: Database, answer_id: str) -> list[str]:
    with db.read() as tx:
        return [event.data["text"] for event in answers.events_after(tx, answer_id, 0)]


def spoken(ctx: Context, number: int) -> tuple[list[str], list[Channel]]:
    """So many answers, each of which has said something."""
    ids = [asked(ctx, tokens=500 + n).id for n in range(number)]
    channels = [Channel() for _ in ids]
    for channel in channels:
        channel.publish("delta", {"text": "one"})
    return ids, channels


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not done():  # noqa: ASYNC110 - a thread of the saver changes it
            await asyncio.sleep(0.01)


def test_many_streams_take_one_transaction(settings: Settings) -> None:
    with process(settings) as ctx:
        ids, channels = spoken(ctx, 5)
        db = Counted(ctx.db.url)

        async def run() -> None:
            saver = Saver()
            async with (
                saver.keeping(db, ids[0], channels[0]),
                saver.keeping(db, ids[1], channels[1]),
                saver.keeping(db, ids[2], channels[2]),
                saver.keeping(db, ids[3], channels[3]),
                saver.keeping(db, ids[4], channels[4]),
            ):
                await until(lambda: not any(channel.unsaved() for channel in channels))

        asyncio.run(run())
        assert [saved(db, one) for one in ids] == [["one"]] * 5
        assert db.writes == 1
        db.close()


def test_what_a_store_out_of_reach_missed_is_saved_later(settings: Settings) -> None:
    with process(settings) as ctx:
        (answer_id,), (channel,) = spoken(ctx, 1)
        db = Counted(ctx.db.url)
        db.away = True

        async def run() -> None:
            async with Saver().keeping(db, answer_id, channel):
                await asyncio.sleep(0.2)
                assert channel.unsaved()
                db.away = False
                channel.publish("delta", {"text": "two"})
                await until(lambda: not channel.unsaved())

        asyncio.run(run())
        assert saved(db, answer_id) == ["one", "two"]
        db.close()


def test_a_wish_to_stop_reaches_its_answer_alone(settings: Settings) -> None:
    with process(settings) as ctx:
        ids, channels = spoken(ctx, 2)

        async def run() -> None:
            saver = Saver()
            async with saver.keeping(ctx.db, ids[0], channels[0]), saver.keeping(ctx.db, ids[1], channels[1]):
                with ctx.db.write() as tx:
                    answers.request_cancel(tx, ids[1])
                async with asyncio.timeout(10):
                    await channels[1].cancelled.wait()

        asyncio.run(run())
        assert not channels[0].cancelled.is_set()
