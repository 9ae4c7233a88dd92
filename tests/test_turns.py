"""Turns at reading: bounded, in order, and not kept by those that take long."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from service.turns import SLOW_FOR_EACH, Turns

LONG, NEVER = 0.05, 1e6


class Crowd:
    """Threads that take turns and keep them until they are told to go."""

    def __init__(self, turns: Turns) -> None:
        self.inside: list[int] = []
        self._turns = turns
        self._leave: dict[int, threading.Event] = {}
        self._threads: dict[int, threading.Thread] = {}

    def come(self, number: int) -> None:
        self._leave[number] = threading.Event()
        self._threads[number] = threading.Thread(target=self._stay, args=(number,), daemon=True)
        self._threads[number].start()

    def go(self, number: int) -> None:
        self._leave[number].set()
        self._threads[number].join(timeout=10)

    def _stay(self, number: int) -> None:
        with self._turns:
            self.inside.append(number)
            self._leave[number].wait(20)

    def grows_to(self, count: int) -> bool:
        end = time.monotonic() + 10
        while len(self.inside) < count and time.monotonic() < end:
            time.sleep(0.005)
        return len(self.inside) == count


@contextmanager
def crowd(turns: Turns, count: int) -> Iterator[Crowd]:
    """So many threads, one after the other, all of which leave at the end."""
    people = Crowd(turns)
    for number in range(count):
        people.come(number)
        time.sleep(0.01)
    try:
        yield people
    finally:
        for number in range(count):
            people.go(number)


def test_no_more_than_the_quick_ones_are_inside() -> None:
    with crowd(Turns(2, slow_seconds=NEVER), 5) as people:
        assert people.grows_to(2)
        time.sleep(0.1)
        assert people.inside == [0, 1]
        people.go(1)
        assert people.grows_to(3)
        assert people.inside == [0, 1, 2], "in the order in which they came"
    assert sorted(people.inside) == [0, 1, 2, 3, 4]


def test_one_that_takes_long_makes_room_but_not_without_bound() -> None:
    most = 1 + SLOW_FOR_EACH
    with crowd(Turns(1, slow_seconds=LONG), most + 1) as people:
        assert people.grows_to(most)
        time.sleep(3 * LONG)
        assert len(people.inside) == most
        people.go(0)
        assert people.grows_to(most + 1)


def test_an_error_inside_gives_the_turn_back() -> None:
    turns = Turns(1, slow_seconds=NEVER)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), turns:
            1 / 0  # noqa: B018 - for its error
    with crowd(turns, 1) as people:
        assert people.grows_to(1)
