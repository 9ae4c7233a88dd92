"""What is kept with a value is worked out once, and never serves another value."""

from __future__ import annotations

from typing import NamedTuple

from service.domain.kept import kept, once


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
