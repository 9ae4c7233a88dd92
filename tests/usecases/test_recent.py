"""Recent results are those of just the parts that are asked for, and are made once while they are recent."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from service.usecases.recent import Recent


class Thing(NamedTuple):
    """A part."""

    name: str
    size: int


@given(asked=st.lists(st.tuples(st.lists(st.integers(0, 2), max_size=4), st.integers(0, 1)), max_size=40))
def test_recent_results_are_those_of_just_these_parts(asked: list[tuple[list[int], int]]) -> None:
    recent = Recent[Thing, str](lambda parts, told: f"{parts} {told}", 3)
    for sizes, told in asked:
        parts = tuple(Thing("same", size) for size in sizes)
        assert recent.of(parts, told) == f"{parts} {told}"


def test_recent_results_are_made_once_while_they_are_recent() -> None:
    made: list[tuple[Thing, ...]] = []

    def count(parts: tuple[Thing, ...]) -> int:
        made.append(parts)
        return len(parts)

    recent = Recent[Thing, int](count, 2)
    a, b, c = (tuple(Thing(name, n) for n in range(3)) for name in "abc")
    for parts in (a, a, b, a, c, a):
        recent.of(parts)
    assert made == [a, b, c]
    recent.of(b)
    assert made == [a, b, c, b]
