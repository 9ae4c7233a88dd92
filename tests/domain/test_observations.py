"""What settled calls teach: corrections where they agree, room in the ceiling where they don't."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.observations import (
    OVERHEAD_AT_MOST,
    UNKNOWN_TOKENS,
    Counting,
    counting,
    most_reasoning,
    usual_output,
)


@pytest.mark.parametrize(
    ("differences", "expected"),
    [
        ([], Counting(doubt=64)),
        ([7, 7], Counting(doubt=64, observed=2)),
        ([90, 1], Counting(doubt=90, observed=2)),
        ([0, 0, 0], Counting(observed=3)),
        ([7, 7, 7], Counting(correction=7, observed=3)),
        ([-3, -3, -3], Counting(correction=-3, observed=3)),
        ([7, 7, 7, 12], Counting(correction=7, more=5, doubt=5, observed=4)),
        ([7, 7, 7, 2], Counting(correction=7, doubt=5, observed=4)),
        ([1, 2, 3], Counting(more=3, doubt=64, observed=3)),
        ([100, 1, 2], Counting(more=100, doubt=100, observed=3)),
        ([0, 0, 0, 200_000], Counting(observed=3)),
    ],
)
def test_what_is_believed(differences: list[int], expected: Counting) -> None:
    assert counting(differences) == expected


@given(st.lists(st.integers(-OVERHEAD_AT_MOST, OVERHEAD_AT_MOST), max_size=80))
def test_every_call_seen_would_have_stayed_below_the_ceiling(differences: list[int]) -> None:
    known = counting(differences)
    for difference in differences[:50]:
        assert difference <= known.correction + max(known.more, known.doubt)
        assert abs(difference - known.correction) <= max(
            known.doubt, UNKNOWN_TOKENS if not known.correction else 0
        )


def test_what_differed_is_held_above_what_most_replies_show() -> None:
    known = counting([9, 9, 9, 14])
    assert (known.correction, known.more, known.doubt) == (9, 5, 5)


def test_the_mean_of_five_answers_replaces_the_guess() -> None:
    assert usual_output([10, 20, 30, 41]) is None
    assert usual_output([10, 20, 30, 41, 50]) == 31
    assert usual_output([10] * 50 + [9_000] * 50) == 10


def test_reasoning_that_is_not_told_is_booked_as_the_most_seen() -> None:
    assert most_reasoning([], 1_500) == 1_500
    assert most_reasoning([20, 1_900], 1_500) == 1_900, "few teach nothing less"
    assert most_reasoning([20, 30, 10, 40, 0], 1_500) == 40
    assert most_reasoning([0] * 50 + [9_999], 1_500) == 0, "only the latest are looked at"
