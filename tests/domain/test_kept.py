"""What is kept with a value is worked out once, and never serves another value."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from service.domain.kept import Recent, kept, once


class _Fields(NamedTuple):
    name: str
    size: int = 0


class Thing(_Fields):
    """A tuple with a dictionary."""

    @kept
    def doubled(self) -> int:
        """Twice the size."""
        CALLS.append(self.name)
        return 2 * self.size


CALLS: list[str] = []


def test_a_kept_property_is_worked_out_once() -> None:
    CALLS.clear()
    thing = Thing("a", 21)
    assert (thing.doubled, thing.doubled) == (42, 42)
    assert CALLS == ["a"]
    assert Thing.doubled.__doc__ == "Twice the size."


def test_what_is_kept_is_no_part_of_the_value_and_goes_to_no_copy() -> None:
    thing = Thing("a", 21)
    assert thing.doubled == 42
    assert thing == Thing("a", 21)
    assert hash(thing) == hash(Thing("a", 21))
    assert thing._replace(size=4).doubled == 8


def test_once_is_once_a_function_and_a_holder() -> None:
    seen: list[str] = []

    def shout(thing: Thing) -> str:
        seen.append(thing.name)
        return thing.name.upper()

    first, second = Thing("a"), Thing("b")
    assert [once(first, shout), once(first, shout), once(second, shout)] == ["A", "A", "B"]
    assert seen == ["a", "b"]
    assert once(first, len) == 2
    assert once(first, shout) == "A"


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
