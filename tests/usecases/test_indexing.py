"""The indexer: asked for often it works once, after a moment of quiet, and it stops when it is told to."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from service.errors import StoreUnavailable
from service.usecases import indexing
from service.usecases.indexing import Indexer


@pytest.fixture(autouse=True)
def _without_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexing, "QUIET_SECONDS", 0.05)


def test_what_is_wanted_often_is_done_once() -> None:
    indexer, done = Indexer(), threading.Event()
    ran: list[str] = []
    for name in ("one", "two", "one", "one"):
        indexer.want(name, lambda _stop, name=name: ran.append(name))  # type: ignore[misc]
    indexer.want("three", lambda _stop: done.set())
    assert done.wait(30)
    indexer.close()
    assert ran == ["one", "two"]


def test_what_fails_for_now_does_not_end_it() -> None:
    indexer, done = Indexer(), threading.Event()

    def fail(_stop: Callable[[], bool]) -> None:
        raise StoreUnavailable("not now")

    indexer.want("bad", fail)
    indexer.want("good", lambda _stop: done.set())
    assert done.wait(30)
    indexer.close()


def test_closing_stops_what_is_under_way_and_waits_for_it() -> None:
    indexer, begun = Indexer(), threading.Event()
    ended: list[bool] = []

    def work(stop: Callable[[], bool]) -> None:
        begun.set()
        while not stop():
            threading.Event().wait(0.01)
        ended.append(True)

    indexer.want("long", work)
    assert begun.wait(30)
    indexer.close()
    assert ended == [True]
    indexer.want("late", lambda _stop: ended.append(False))
    indexer.close()
    assert ended == [True]


def test_closing_what_never_began_is_nothing() -> None:
    Indexer().close()
