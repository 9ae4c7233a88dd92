"""What goes to get below a limit is the least there is, by tokens and by what is dear to the caller."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.cliff import least, least_to_leave_out
from service.domain.corpora import Member
from service.domain.documents import DocumentStatus

SIZES = st.lists(st.integers(1, 60), min_size=1, max_size=9)


def member(number: int, tokens: int) -> Member:
    """A document of so many tokens, 10 of them its tags."""
    return Member(
        document_id=f"doc_{number:04}",
        ordinal=number,
        filename=f"{number}.pdf",
        status=DocumentStatus.READY,
        wrapper_tokens=10,
        pages_tokens=tokens - 10,
        pages=1,
        chars=tokens,
        pages_without_text=0,
        pack_sha256=f"{number:064x}",
    )


def subsets(places: Sequence[int]) -> list[tuple[int, ...]]:
    return [chosen for size in range(len(places) + 1) for chosen in combinations(places, size)]


@given(sizes=SIZES, share=st.floats(0, 1))
def test_the_sum_is_the_least_that_does(sizes: list[int], share: float) -> None:
    need = round(share * sum(sizes))
    chosen = least(sizes, need)
    assert len(set(chosen)) == len(chosen)
    best = min(total for one in subsets(range(len(sizes))) if (total := sum(sizes[n] for n in one)) >= need)
    assert sum(sizes[place] for place in chosen) == best


@given(sizes=SIZES, share=st.floats(0, 1), data=st.data())
def test_what_is_dear_stays_whatever_it_costs_of_the_rest(
    sizes: list[int], share: float, data: st.DataObject
) -> None:
    members = [member(n, tokens + 10) for n, tokens in enumerate(sizes, 1)]
    levels = data.draw(st.lists(st.integers(-1, 1), min_size=len(sizes), max_size=len(sizes)))
    priorities = {one.document_id: level for one, level in zip(members, levels, strict=True)}
    need = round(share * sum(one.tokens for one in members))

    def lost(chosen: Sequence[int]) -> list[int]:
        """Tokens lost of each level, the dearest first."""
        return [sum(members[n].tokens for n in chosen if levels[n] == level) for level in (1, 0, -1)]

    chosen = least_to_leave_out(members, need, priorities=priorities)
    assert chosen is not None
    places = [one.ordinal - 1 for one in chosen]
    assert places == sorted(places)
    enough = [one for one in subsets(range(len(members))) if sum(members[n].tokens for n in one) >= need]
    assert lost(places) == min(lost(one) for one in enough)


def test_the_last_go_where_all_are_the_same() -> None:
    members = [member(n, 100) for n in range(1, 11)]
    gone = least_to_leave_out(members, 250)
    assert gone is not None
    assert [one.ordinal for one in gone] == [8, 9, 10]


def test_nothing_goes_where_nothing_is_over_and_nothing_helps_where_all_is_not_enough() -> None:
    members = [member(1, 100), member(2, 50)]
    assert least_to_leave_out(members, 0) == ()
    assert least_to_leave_out(members, 150) == tuple(members)
    assert least_to_leave_out(members, 151) is None


@pytest.mark.parametrize("need", [1, 5_000, 300_000, 640_000, 899_000])
def test_thousands_of_documents(need: int) -> None:
    dice = random.Random(need)  # noqa: S311 - made-up sizes
    sizes = [dice.randint(100, 800) for _ in range(2_000)]
    assert sum(sizes) > 899_000 - 60_000
    need = min(need, sum(sizes))
    chosen = least(sizes, need)
    assert len(set(chosen)) == len(chosen)
    assert 0 <= sum(sizes[place] for place in chosen) - need < 100, "so many small sizes meet almost any sum"


@given(runs=st.lists(st.tuples(st.integers(1, 3), st.integers(1, 5)), min_size=1, max_size=3), data=st.data())
def test_of_equal_losses_the_latest_is_taken(runs: list[tuple[int, int]], data: st.DataObject) -> None:
    sizes = [size for size, count in runs for _ in range(count)]
    need = data.draw(st.integers(1, sum(sizes)))
    gone = least(sizes, need)
    every = set(range(len(sizes)))
    total = sum(sizes[place] for place in gone)
    same = [one for one in subsets(range(len(sizes))) if sum(sizes[place] for place in one) == total]
    if need <= sum(sizes) - need:
        assert gone == list(max(same))
    else:
        assert every - set(gone) == min((every - set(one) for one in same), key=lambda one: sorted(one)[::-1])


def reached(sizes: Sequence[int]) -> set[int]:
    sums = {0}
    for size in sizes:
        sums |= {one + size for one in sums}
    return sums


@given(sizes=st.lists(st.integers(1, 40), min_size=12, max_size=120), share=st.floats(0, 1))
def test_of_many_sizes_the_sum_is_the_least_that_does_too(sizes: list[int], share: float) -> None:
    need = round(share * sum(sizes))
    chosen = least(sizes, need)
    assert len(set(chosen)) == len(chosen)
    assert sum(sizes[place] for place in chosen) == min(one for one in reached(sizes) if one >= need)
