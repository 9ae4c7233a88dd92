"""The fewest calls: never more than brute force needs, every piece once, in order where that is as good."""

from __future__ import annotations

import random
from collections.abc import Sequence
from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain import bins, cliff

sizes_of_12 = st.lists(st.integers(1, 12), min_size=1, max_size=8)
hard_sizes = st.lists(st.integers(26, 60), min_size=3, max_size=9)
"""Above a quarter of a bin of 100: where largest-first goes wrong."""


def brute_force(sizes: Sequence[int], capacity: int) -> int:
    """The fewest bins, by trying every way to place every size."""
    best = len(sizes)

    def place(at: int, rooms: list[int]) -> None:
        nonlocal best
        if len(rooms) >= best:
            return
        if at == len(sizes):
            best = len(rooms)
            return
        for n, room in enumerate(rooms):
            if sizes[at] <= room:
                place(at + 1, [*rooms[:n], room - sizes[at], *rooms[n + 1 :]])
        place(at + 1, [*rooms, capacity - sizes[at]])

    place(0, [])
    return best if sizes else 0


def first_fit_decreasing(sizes: Sequence[int], capacity: int) -> int:
    rooms: list[int] = []
    for size in sorted(sizes, reverse=True):
        place = next((n for n, room in enumerate(rooms) if size <= room), None)
        if place is None:
            rooms.append(capacity - size)
        else:
            rooms[place] -= size
    return len(rooms)


def largest_first(sizes: Sequence[int], capacity: int) -> bins.Bins:
    """Each into the first bin with room for it, looked for from the first."""
    rooms: list[int] = []
    held: bins.Bins = []
    for place in sorted(range(len(sizes)), key=lambda one: (-sizes[one], one)):
        at = next((n for n, room in enumerate(rooms) if sizes[place] <= room), len(rooms))
        if at == len(rooms):
            rooms.append(capacity)
            held.append([])
        rooms[at] -= sizes[place]
        held[at].append(place)
    return sorted(sorted(one) for one in held)


@given(sizes=st.lists(st.integers(60, 100), min_size=100, max_size=110))
@settings(deadline=None)
def test_of_many_calls_the_largest_first_or_their_order_decides(sizes: list[int]) -> None:
    found = check(sizes, 200)
    by_size = largest_first(sizes, 200)
    assert len(found) <= len(by_size)
    assert found == by_size or all(one == list(range(one[0], one[-1] + 1)) for one in found)


def test_hundreds_of_calls_are_not_filled_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(sizes: Sequence[int], need: int) -> list[int]:
        raise AssertionError(f"{len(sizes)} sizes were summed up to {need}")

    monkeypatch.setattr(cliff, "least", never)
    draw = random.Random(3)  # noqa: S311 - made-up sizes
    sizes = [draw.randint(19_500, 20_500) for _ in range(2_000)]
    found = check(sizes, 270_000)
    assert ceil(sum(sizes) / 270_000) < len(found) <= first_fit_decreasing(sizes, 270_000)


def check(sizes: Sequence[int], capacity: int) -> bins.Bins:
    """Return what was packed, once it is known to be a packing."""
    found = bins.fewest(sizes, capacity)
    assert sorted(place for held in found for place in held) == list(range(len(sizes)))
    assert all(sum(sizes[place] for place in held) <= capacity for held in found)
    assert all(held == sorted(held) for held in found)
    assert found == sorted(found)
    return found


@given(sizes=sizes_of_12)
@settings(max_examples=300, deadline=None)
def test_no_packing_is_smaller(sizes: list[int]) -> None:
    assert len(check(sizes, 12)) == brute_force(sizes, 12)


@given(sizes=hard_sizes)
@settings(max_examples=200, deadline=None)
def test_no_packing_of_hard_sizes_is_smaller(sizes: list[int]) -> None:
    assert len(check(sizes, 100)) == brute_force(sizes, 100)


@given(sizes=sizes_of_12 | hard_sizes, capacity=st.integers(60, 130))
@settings(max_examples=300, deadline=None)
def test_the_bound_is_one(sizes: list[int], capacity: int) -> None:
    assert ceil(sum(sizes) / capacity) <= bins.at_least(sizes, capacity) <= brute_force(sizes, capacity)


def test_the_bound_sees_what_can_stand_beside_nothing() -> None:
    assert bins.at_least([51, 51, 51], 100) == 3
    assert bins.at_least([70, 70, 40, 40], 100) == 3
    assert bins.at_least([60, 60, 60, 60, 45, 45], 100) == 5


BEATS_LARGEST_FIRST = [46, 39, 30, 27, 24, 8, 6]
"""Of 180 tokens that fill two bins of 90 to the last one; in order and largest first take three."""


def test_largest_first_is_not_the_last_word() -> None:
    assert sum(BEATS_LARGEST_FIRST) == 180
    assert first_fit_decreasing(BEATS_LARGEST_FIRST, 90) == 3
    assert [sum(BEATS_LARGEST_FIRST[n] for n in held) for held in check(BEATS_LARGEST_FIRST, 90)] == [90, 90]


def test_what_no_single_bin_s_filling_finds_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(4)  # noqa: S311 - made-up sizes
    better = 0
    for _ in range(400):
        sizes = [draw.randint(10, 60) for _ in range(12)]
        found = len(check(sizes, 100))
        with monkeypatch.context() as patch:
            patch.setattr(bins, "MOST_SEARCHED", 0)
            better += found < len(check(sizes, 100))
    assert better


def test_in_order_wins_where_it_needs_no_more() -> None:
    assert check([10, 80, 90], 100) == [[0, 1], [2]]  # largest first would put 90 and 10 together
    assert check([60, 60, 40, 40], 100) == [[0, 2], [1, 3]]  # in order takes three


def test_nothing_needs_no_bin() -> None:
    assert bins.fewest([], 10) == []
    assert check([10], 10) == [[0]]


@pytest.mark.parametrize("count", [100, 3_000])
def test_many_documents_take_as_few_calls_as_their_tokens_say(count: int) -> None:
    draw = random.Random(count)  # noqa: S311 - made-up sizes
    sizes = [draw.randint(100, 3_000) for _ in range(count)]
    assert len(check(sizes, 271_000)) == ceil(sum(sizes) / 271_000)


def test_a_search_without_end_is_given_up() -> None:
    draw = random.Random(1)  # noqa: S311 - made-up sizes
    sizes = [draw.randint(2_000, 3_400) * 10 + 3 for _ in range(48)]
    assert len(check(sizes, 100_000)) <= first_fit_decreasing(sizes, 100_000)
