"""Those who write wait in a queue: in their order, flushed together, and never behind one that is held up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import text

from service.errors import NotFound, StoreUnavailable
from service.store import write_queue
from service.store.flushing import Flushes
from service.store.session import Database
from service.store.write_queue import TOGETHER, WriteQueue

T = TypeVar("T")
LONG_S = 30.0


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path}/store.db")
    with made.write() as tx:
        tx.execute(text("CREATE TABLE kept (word INTEGER)"))
    yield made
    made.close()


@pytest.fixture
def queue() -> WriteQueue:
    return WriteQueue()


@pytest.fixture
def flushes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The rows that were there at each flush."""
    noted: list[int] = []
    wait = Flushes.wait

    def counted(self: Flushes) -> None:
        noted.append(1)
        wait(self)

    monkeypatch.setattr(Flushes, "wait", counted)
    return noted


def kept(db: Database) -> list[int]:
    with db.read() as tx:
        return list(tx.execute(text("SELECT word FROM kept ORDER BY rowid")).scalars())


def keep(db: Database, word: int) -> Callable[[], int]:
    def turn() -> int:
        with db.write() as tx:
            tx.execute(text("INSERT INTO kept VALUES (:word)"), {"word": word})
        return word

    return turn


def waited(asked: Callable[[], Awaitable[T]]) -> T:
    async def go() -> T:
        async with asyncio.timeout(LONG_S):
            return await asked()

    return asyncio.run(go())


def test_turns_take_place_in_order_and_are_flushed_together(
    db: Database, queue: WriteQueue, flushes: list[int]
) -> None:
    async def asked() -> list[int]:
        return await asyncio.gather(*(queue.do(db, keep(db, word)) for word in range(5 * TOGETHER)))

    assert waited(asked) == kept(db) == list(range(5 * TOGETHER))
    assert 5 <= len(flushes) < 5 * TOGETHER


def test_a_turn_is_told_of_only_once_it_is_flushed(
    db: Database, queue: WriteQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_flush, flushing = threading.Event(), threading.Event()
    wait = Flushes.wait

    def held(self: Flushes) -> None:
        flushing.set()
        assert may_flush.wait(LONG_S)
        wait(self)

    monkeypatch.setattr(Flushes, "wait", held)

    async def asked() -> list[bool]:
        told = queue.do(db, keep(db, 1))
        assert await asyncio.to_thread(flushing.wait, LONG_S)
        assert kept(db) == [1]
        before = told.done()
        may_flush.set()
        await told
        return [before, told.done()]

    assert waited(asked) == [False, True]


def test_what_a_turn_raises_is_raised_where_it_is_waited_for(
    db: Database, queue: WriteQueue, flushes: list[int]
) -> None:
    def refused() -> None:
        raise NotFound("There is none.")

    async def asked() -> list[object]:
        turns = (keep(db, 1), refused, keep(db, 2))
        return await asyncio.gather(*(queue.do(db, turn) for turn in turns), return_exceptions=True)

    first, error, last = waited(asked)
    assert (first, last, kept(db)) == (1, 2, [1, 2])
    assert isinstance(error, NotFound)
    flushes.clear()

    async def alone() -> None:
        await queue.do(db, refused)

    with pytest.raises(NotFound):
        waited(alone)
    assert flushes == []  # nothing was written


def test_a_disk_that_takes_nothing_fails_all_that_wrote(
    db: Database, queue: WriteQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Flushes) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Flushes, "wait", broken)
    noted: list[BaseException | None] = []

    async def asked() -> list[object]:
        turns = [queue.do(db, keep(db, word), noted.append) for word in range(3)]
        return await asyncio.gather(*turns, return_exceptions=True)

    failed = waited(asked)
    assert [type(one) for one in failed] == [StoreUnavailable] * 3
    assert failed == noted


def test_nobody_waits_behind_a_turn_that_is_held_up(
    db: Database, queue: WriteQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither those that come after it, nor those before it that are flushed with it."""
    monkeypatch.setattr(write_queue, "PATIENCE_S", 0.02)
    go_on, first_may = threading.Event(), threading.Event()

    def first() -> int:
        assert first_may.wait(LONG_S)
        return keep(db, 1)()

    def held_up() -> int:
        assert go_on.wait(LONG_S)
        return keep(db, 2)()

    async def asked() -> int:
        before = queue.do(db, first)
        stuck = queue.do(db, held_up)
        after = queue.do(db, keep(db, 3))
        first_may.set()
        assert (await before, await after) == (1, 3)
        assert not stuck.done()
        go_on.set()
        return await stuck

    assert waited(asked) == 2
    assert kept(db) == [1, 3, 2]


def test_a_turn_takes_place_though_whoever_asked_has_left(db: Database, queue: WriteQueue) -> None:
    async def asked() -> BaseException | None:
        over: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()
        queue.do(db, keep(db, 1), over.set_result).cancel()
        return await over

    assert waited(asked) is None
    assert kept(db) == [1]


def test_a_turn_that_breaks_as_it_is_told_keeps_the_others(db: Database, queue: WriteQueue) -> None:
    def broken(_: BaseException | None) -> None:
        raise StopAsyncIteration("a bug")

    def stopped() -> None:
        raise StopIteration

    async def asked() -> list[object]:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        turns = [(keep(db, 1), broken), (stopped, None), (keep(db, 3), None)]
        return await asyncio.gather(*(queue.do(db, *one) for one in turns), return_exceptions=True)

    first, second, third = waited(asked)
    assert (first, third, kept(db)) == (1, 3, [1, 3])
    assert isinstance(second, RuntimeError)


def test_what_a_turn_found_is_told_only_once_it_is_flushed(
    db: Database, queue: WriteQueue, flushes: list[int]
) -> None:
    """Another may have written it, and wait for that."""

    async def asked() -> list[int]:
        return await queue.do(db, lambda: kept(db))

    assert waited(asked) == []
    assert flushes == [1]


def test_several_loops_wait_in_lines_of_their_own(db: Database, queue: WriteQueue) -> None:
    async def asked() -> list[int]:
        return await asyncio.gather(*(queue.do(db, keep(db, word)) for word in range(20)))

    threads = [threading.Thread(target=waited, args=(asked,)) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(LONG_S)
    assert sorted(kept(db)) == sorted(list(range(20)) * 4)
